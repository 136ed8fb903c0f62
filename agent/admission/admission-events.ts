/**
 * What became of pods at admission, as events: what was refused, what waits, what may begin now. Pure.
 */
import type { DesiredPod, Desired } from '../pods/desired.js';
import type { PodEvent } from '../pods/pod-events.js';
import { WAITING_FOR } from './start-after-gate.js';

export interface AdmissionEvent {
  readonly pod: DesiredPod;
  readonly event: PodEvent;
}

function eventOf(before: DesiredPod | undefined, after: DesiredPod, now: number): PodEvent | null {
  const was = before?.rejection ?? null;
  const is = after.rejection;
  if (is !== null) {
    if (is.reason === was?.reason && is.phase === was.phase) return null;
    const { phase, reason, message } = is;
    return { type: phase === 'Failed' ? 'Warning' : 'Normal', reason, message };
  }
  if (was === null) return null;
  const isLate = was.reason === WAITING_FOR && was.againAt !== null && was.againAt <= now;
  return isLate
    ? {
        type: 'Warning',
        reason: 'StartAfterTimeout',
        message: `Started although it ${was.message}`,
      }
    : {
        type: 'Normal',
        reason: 'Admitted',
        message: `May start: ${was.reason} does not hold any more`,
      };
}

/** Between two results of `admit`: nothing for what stayed as it was. */
export function admissionEvents(
  before: Desired,
  after: Desired,
  now: number,
): readonly AdmissionEvent[] {
  const known = new Map(before.pods.map(pod => [pod.uid, pod]));
  return after.pods.flatMap(pod => {
    const event = eventOf(known.get(pod.uid), pod, now);
    return event === null ? [] : [{ pod, event }];
  });
}
