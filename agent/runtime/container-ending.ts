/**
 * How a container is to be ended, kept in its annotations, so that it ends properly although its manifest is gone
 * (kubelet behaviour row 72 done better; the names are cri-dockerd's where it has them). Pure.
 */
import type { ObservedContainer } from './runtime.js';

export const PRE_STOP_ANNOTATION = 'io.kubernetes.container.preStopHandler';
export const STOP_ORDER_ANNOTATION = 'flotilla.dev/stop-order';

/** What the annotations of a container say about its end; what cannot be read counts as not there. */
export function endingOf(
  annotations: Readonly<Record<string, string | undefined>>,
): Pick<ObservedContainer, 'preStop' | 'stopOrder'> {
  const order = annotations[STOP_ORDER_ANNOTATION] ?? '';
  const stopOrder = /^\d{1,4}$/.test(order) ? Number(order) : 0;
  try {
    const handler: unknown = JSON.parse(annotations[PRE_STOP_ANNOTATION] ?? 'null');
    const isHandler = typeof handler === 'object' && !Array.isArray(handler);
    return { preStop: isHandler ? handler : null, stopOrder };
  } catch {
    return { preStop: null, stopOrder };
  }
}
