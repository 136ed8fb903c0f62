/** A person's word on a rollout, the answer how far it is, and how former ones ended. One transaction for each word. */
import type { TrustedRoot } from '../../protocol/verified.js';
import type { Clock } from '../../protocol/ports.js';
import { RequestError } from '../ports.js';
import type { RolloutDesk } from './desk.js';
import { retried } from '../store/retry.js';
import type { Mutation, Store } from '../store/store.js';
import { revisionEntries } from './read-history.js';
import { readRollout, type ReadRollout } from './read-rollout.js';
import { isHeld } from './rollout.js';
import { answer, wordText } from './waves/verbs.js';
import { viewOf } from './waves/view.js';

export interface RolloutParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly clock: Clock;
}

/** Implements `RolloutDesk`. */
export function rolloutDesk(parts: RolloutParts): RolloutDesk {
  const { store, clock } = parts;
  return {
    say: (actor, { namespace, name, verb, reason, isForced, seen }) =>
      retried(async () => {
        const read = await found(parts, { namespace, name });
        if (isHeld(read.bundle)) {
          const why = `it is held since the hub was restored; apply it again: flotilla apply`;
          throw new RequestError('Conflict', `bundle "${name}" has no rollout: ${why}`);
        }
        const said = { by: actor.name, at: new Date(clock.now()).toISOString(), reason };
        const answered = answer(read.object, { verb, said, isForced, seen }, read);
        if (!answered.ok)
          throw new RequestError('Conflict', `bundle "${name}": ${answered.refusal}`);
        const { spec, status, rows, text } = answered;
        const { labels, annotations, resourceVersion } = read.object.metadata;
        const metadata = { namespace, name, labels, annotations };
        await store.commit(actor, [
          {
            type: 'put',
            object: { kind: 'Rollout', metadata, spec, status },
            expect: { resourceVersion },
            wish: wordText({ verb: isForced ? `${verb} --force` : verb, reason }),
          },
          ...rows.map((record): Mutation => {
            return { type: 'rolloutNode', namespace, bundle: name, record };
          }),
        ]);
        return text;
      }),
    history: of => revisionEntries(parts, of),
    view: async ({ namespace, name, node }) => {
      const read = await found(parts, { namespace, name });
      const view = viewOf(read.object, read, { now: clock.now(), node });
      if (node === null || view.node !== null) return view;
      const selector = read.bundle.spec.nodeSelector;
      const why =
        selector === '' ? 'it is no member of the fleet' : `it does not match ${selector}`;
      throw new RequestError('NotFound', `bundle "${name}" is not for node "${node}": ${why}`);
    },
  };
}

async function found(
  parts: RolloutParts,
  of: { readonly namespace: string; readonly name: string },
): Promise<ReadRollout> {
  const read = await readRollout(parts, of);
  if (read) return read;
  const what = (await parts.store.get('Bundle', of.namespace, of.name))
    ? `bundle "${of.name}" has no rollout: its newest revision went to all its nodes at once; a rollout needs a plan: flotilla apply --wave 1 --wave 25% …`
    : `bundles.flotilla.dev "${of.name}" not found`;
  throw new RequestError('NotFound', what);
}
