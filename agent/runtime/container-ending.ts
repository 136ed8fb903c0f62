/**
 * What a container carries in its annotations for the agent that finds it later: how it is to be ended although its
 * manifest is gone (kubelet behaviour row 72 done better), and in which round of its pod it was made (row 89). The names
 * are cri-dockerd's where it has them. Pure.
 */
import type { ObservedContainer } from './runtime.js';
import type { LifecycleHandler } from '../../protocol/pod.js';

export const PRE_STOP_ANNOTATION = 'io.kubernetes.container.preStopHandler';
export const GRACE_ANNOTATION = 'io.kubernetes.pod.terminationGracePeriod';
export const STOP_ORDER_ANNOTATION = 'flotilla.dev/stop-order';
export const ROUND_ANNOTATION = 'flotilla.dev/restart-round';

type Annotations = Readonly<Record<string, string | undefined>>;

function countOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function handlerOf(text: string | undefined): LifecycleHandler | null {
  try {
    const handler: unknown = JSON.parse(text ?? 'null');
    const isHandler = typeof handler === 'object' && !Array.isArray(handler);
    return isHandler ? handler : null;
  } catch {
    return null;
  }
}

/** What the annotations of a container say about it; what cannot be read counts as not there. */
export function endingOf(
  annotations: Annotations,
): Pick<ObservedContainer, 'preStop' | 'stopOrder' | 'graceSeconds' | 'round'> {
  return {
    preStop: handlerOf(annotations[PRE_STOP_ANNOTATION]),
    stopOrder: countOf(annotations[STOP_ORDER_ANNOTATION]) ?? 0,
    graceSeconds: countOf(annotations[GRACE_ANNOTATION]),
    round: countOf(annotations[ROUND_ANNOTATION]) ?? 0,
  };
}
