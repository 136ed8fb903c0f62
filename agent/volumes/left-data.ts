/**
 * What the node's status says of files that pods left and that cannot be removed: each try is made again, up to a minute
 * later, and nothing is removed through a mount (pain P24). Pure.
 */
import { failureKey, type Memory } from '../pods/back-off.js';
import type { SourceCondition } from '../ports.js';

/** Of the failures to end a pod, those about its files. */
export const FAILED_UNMOUNT = 'FailedUnmount';

/** `podData`: names below `pods/`. */
export function leftData(
  podData: ReadonlySet<string>,
  { failures }: Pick<Memory, 'failures'>,
): SourceCondition[] {
  return [...podData].sort().flatMap(uid => {
    const failure = failures.get(failureKey('stop', uid));
    if (failure?.reason !== FAILED_UNMOUNT) return [];
    const message = `pods/${uid}: ${failure.message} (tried ${failure.count} times)`;
    return [{ type: 'PodDataLeft', status: 'True', reason: FAILED_UNMOUNT, message }];
  });
}
