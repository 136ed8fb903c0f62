/** A step in the life of a bundle as the journal records it, of the revision and attempt that somebody names. Pure. */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { Transition } from '../journal/journal.js';

export function transition(
  bundle: Omit<AssignedBundle, 'size'>,
  step: Pick<Transition, 'state' | 'reason' | 'message'>,
): Transition {
  const { namespace, name, revision, digest, attempt } = bundle;
  return { namespace, name, revision, digest, attempt, ...step };
}
