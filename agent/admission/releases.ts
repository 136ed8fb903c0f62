/**
 * Pods that were held back and may begin now, as events. What holds a pod back is told where all that stands is told.
 * Pure.
 */
import type { DesiredPod, Desired } from '../pods/desired.js';
import type { PodEvent } from '../pods/pod-events.js';
import { WAITING_FOR } from './start-after-gate.js';

export interface Release {
  readonly pod: DesiredPod;
  readonly event: PodEvent;
}

/** Between two results of `admit`. */
export function releases(before: Desired, after: Desired, now: number): readonly Release[] {
  const held = new Map(before.pods.map(({ uid, rejection }) => [uid, rejection]));
  return after.pods.flatMap((pod): Release[] => {
    const was = held.get(pod.uid) ?? null;
    if (was === null || pod.rejection !== null) return [];
    const isLate = was.reason === WAITING_FOR && was.againAt !== null && was.againAt <= now;
    const event: PodEvent = isLate
      ? { type: 'Warning', reason: 'StartAfterTimeout', message: `May start late: ${was.message}` }
      : { type: 'Normal', reason: 'Admitted', message: `May start: ${was.reason} holds no more` };
    return [{ pod, event }];
  });
}
