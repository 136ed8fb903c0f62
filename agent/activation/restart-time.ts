/** How long a switch kept pods from being ready: measured, or nothing is said. Pure. */
import type { PodReport } from '../ports.js';

/** When a trial began in this process. */
export interface Begun {
  /** Monotonic milliseconds. */
  readonly at: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** False: it began before this process, or for a while nobody knew how the pods are. */
  readonly isWhole: boolean;
}

/** Engines tell the times of containers in whole seconds. */
const ROUNDED_MS = 1000;

/** Whole seconds, at least one; null: no container began since the switch, or not all of it was seen. `readyAt`: monotonic. */
export function restartSeconds(
  { at, now, isWhole }: Begun,
  { readyAt, pods }: { readonly readyAt: number; readonly pods: readonly PodReport[] },
): number | null {
  if (!isWhole || !pods.some(({ pod }) => hasBegunSince(pod, now - ROUNDED_MS))) return null;
  return Math.max(1, Math.ceil((readyAt - at) / 1000));
}

function hasBegunSince({ status }: PodReport['pod'], since: number): boolean {
  const containers = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
  ];
  return containers.some(({ state }) => {
    const startedAt = state?.running?.startedAt ?? state?.terminated?.startedAt;
    return startedAt !== undefined && Date.parse(String(startedAt)) >= since;
  });
}
