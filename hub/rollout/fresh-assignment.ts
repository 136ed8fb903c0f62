/**
 * The assignment of one node between two looks of the controller, for who joins and who asks with a nonce: nothing is decided there, the
 * rollouts under way offer what they offered last.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import { keyId } from '../../protocol/keys.js';
import type { Signer } from '../../protocol/keys.js';
import type { Clock } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { NodeObject, SealedSecretObject } from '../objects.js';
import { heldNodes } from '../recovery/held-nodes.js';
import { assignedSecrets, sealedByNode } from '../secrets/needs.js';
import { StoreError, type Actor, type IdentityRecord, type Store } from '../store/store.js';
import { candidates } from './candidates.js';
import { isCordoned, stayingOffers } from './cordon.js';
import { assignmentOf } from './director.js';
import { next } from './next-assignment.js';
import { placesIn } from './places.js';
import { decide, runningOn, type Candidate } from './rollout.js';
import { openRollouts, standingOffers } from './rollouts.js';

export interface AssigningParts {
  readonly store: Store;
  readonly root: () => TrustedRoot;
  readonly hubSigner: Signer;
  readonly clock: Clock;
}

/** What a node is offered by rollouts though nothing is decided: the controller's next look does that. */
export async function offersBetweenLooks(
  { store, root }: AssigningParts,
  offered: readonly Candidate[],
  of: {
    readonly node: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly assigned: readonly AssignedBundle[];
  },
): Promise<Candidate[]> {
  const rollouts = await openRollouts(store, offered, root().document);
  const object = (await store.get('Node', '', of.node)) as NodeObject | null;
  const member = { ...of, name: of.node, object, barrier: null };
  const offers = standingOffers(rollouts, member, root().document)(offered);
  const isOut = object !== null && isCordoned(object);
  return isOut ? stayingOffers(offers, of.assigned, root().document) : offers;
}

async function bundlesFor(
  parts: AssigningParts,
  of: {
    readonly node: NodeObject;
    readonly identity: IdentityRecord;
    readonly assigned: readonly AssignedBundle[];
  },
): Promise<AssignedBundle[]> {
  const { node, identity, assigned } = of;
  const { name, labels } = node.metadata;
  const offered = await candidates(parts);
  const places = await placesIn(parts.store, offered);
  const hasPlace = (candidate: Candidate) =>
    places.take(candidate, { node: name, labels: identity.labels });
  const offers = await offersBetweenLooks(parts, offered, { node: name, labels, assigned });
  return decide(offers, { labels, assigned, running: runningOn(node), hasPlace });
}

/** Published with that nonce, whether or not anything changed. An unknown node is no error. */
export async function freshAssignment(
  parts: AssigningParts,
  of: { readonly actor: Actor; readonly node: string; readonly nonce: string },
): Promise<void> {
  const { actor, node, nonce } = of;
  const { store } = parts;
  for (let tries = 0; tries < 5; tries++) {
    const identity = await store.identity(node);
    const object = (await store.get('Node', '', node)) as NodeObject | null;
    if (identity?.state !== 'active' || identity.suspectedAt !== null || !object) return;
    // Said again by the node later: it is sent nothing before it was heard.
    if ((await heldNodes(store, parts.root().document.epoch)).has(node)) return;
    const current = await store.assignment(node);
    const assigned = current ? assignmentOf(current).bundles : [];
    const isLearning = (await store.recovery())?.learning === true;
    const bundles = isLearning
      ? assigned
      : await bundlesFor(parts, { node: object, identity, assigned });
    const nodeKey = keyId(identity.identityKey);
    const secrets = assignedSecrets((await sealedSecrets(store)).get(node) ?? [], bundles);
    const signed = next(parts, { node, nodeKey, nonce, bundles, secrets, current });
    try {
      await store.commit(actor, signed?.mutations ?? []);
      return;
    } catch (error) {
      // The other loop was faster: its generation is the one to go above.
      if (!(error instanceof StoreError) || error.code !== 'Conflict') throw error;
    }
  }
}

/** By node. */
export async function sealedSecrets(store: Store) {
  const { items } = await store.list('SealedSecret');
  return sealedByNode(items as readonly SealedSecretObject[]);
}
