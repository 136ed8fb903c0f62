/**
 * In which order containers end: all hooks at once, apps together, then sidecars, the last one first; and what of the
 * grace is left for each. Kubelet behaviour rows 68 to 70, 112, 115; `kuberuntime_termination_order.go`. Pure.
 */
import { newestFirst } from './back-off.js';
import { MIN_GRACE_S, type Instances } from './plan-views.js';
import type { ObservedContainer, ObservedSandbox } from '../runtime/runtime.js';
import type { Step } from './steps.js';

/** The loopback: what a pod on the host's network is reached by (row 106, P21). */
export const LOOPBACK = '127.0.0.1';

/**
 * Where probes and hooks find a pod; empty when it has no address: then they must fail rather than ask whatever answers
 * on the node's loopback.
 */
export function hostOf(sandbox: ObservedSandbox | undefined): string {
  return sandbox?.hostNetwork === true ? LOOPBACK : (sandbox?.ip ?? '');
}

export interface Ending {
  readonly uid: string;
  readonly graceSeconds: number;
  readonly there: Instances;
  readonly reason: string;
}

/** The steps that end these containers, which must be alive. */
export function stopContainers(
  containers: readonly ObservedContainer[],
  { uid, graceSeconds, there, reason }: Ending,
): Step[] {
  const host = hostOf(newestFirst(there.sandboxes)[0]);
  const hooks = containers.flatMap(({ name: container, id, preStop: handler }): Step[] =>
    handler === null || graceSeconds === 0
      ? []
      : [{ do: 'runPreStop', uid, container, id, handler, host, graceSeconds, reason }],
  );
  const stops = containers
    .toSorted((a, b) => a.stopOrder - b.stopOrder)
    .map(({ name: container, id, stopOrder: order }): Step => {
      return { do: 'stopContainer', uid, container, id, graceSeconds, order, reason };
    });
  return [...hooks, ...stops];
}

/** Whole seconds that SIGTERM has before SIGKILL follows, after `elapsedMs` of the grace went by. */
export function graceLeft(graceSeconds: number, elapsedMs: number): number {
  return Math.max(MIN_GRACE_S, graceSeconds - Math.floor(elapsedMs / 1000));
}
