/**
 * Attempts that nodes were given anew and have not spoken of yet: until then their words on these bundles are of an earlier attempt,
 * and that one's failure is none of the new one. Pure.
 */
import type { BundleStatus } from '../../protocol/documents/node.js';
import type { BundleAttempt } from '../objects.js';

type Named = Pick<BundleAttempt, 'namespace' | 'name' | 'digest'>;

const isSame = (one: Named, other: Named) =>
  one.namespace === other.namespace && one.name === other.name && one.digest === other.digest;

/** What is left of them once the node has said that: no more what it has taken up, or left for another revision. */
export function stillRetried(
  retried: readonly BundleAttempt[],
  said: readonly (Named & Pick<BundleStatus, 'attempt'>)[],
): BundleAttempt[] {
  return retried.filter(one => said.some(s => isSame(s, one) && s.attempt < one.attempt));
}

/** With one more, in the place of an earlier attempt of the same. */
export function withRetried(
  retried: readonly BundleAttempt[] | undefined,
  more: BundleAttempt,
): BundleAttempt[] {
  return [...(retried ?? []).filter(one => !isSame(one, more)), more];
}

/** The node has yet to speak of its new attempt at this revision. */
export function isRetried(retried: readonly BundleAttempt[] | undefined, revision: Named): boolean {
  return retried?.some(one => isSame(one, revision)) ?? false;
}
