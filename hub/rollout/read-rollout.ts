/** Reads all that is decided over in the rollout of one bundle. */
import type { TrustedRoot } from '../../protocol/verified.js';
import type { BundleObject, NodeObject } from '../objects.js';
import { heldNodes } from '../recovery/held-nodes.js';
import type { Store } from '../store/store.js';
import { assignmentOf } from './director.js';
import { limitOfBundle } from './reach-check.js';
import { candidateOf } from './rollout.js';
import { fleetOf, membersOf, rowsOf } from './rollouts.js';
import type { RolloutNode, RolloutObject } from './waves/rollout-object.js';
import type { FleetNode } from './waves/stand.js';

export interface ReadRollout {
  readonly bundle: BundleObject;
  readonly object: RolloutObject;
  readonly fleet: readonly FleetNode[];
  readonly rows: ReadonlyMap<string, RolloutNode>;
  readonly isWithdrawn: boolean;
}

/** Null: there is no such bundle, or its newest revision went to all nodes at once. */
export async function readRollout(
  { store, root }: { readonly store: Store; readonly root: () => TrustedRoot },
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<ReadRollout | null> {
  const bundle = (await store.get('Bundle', namespace, name)) as BundleObject | null;
  const object = (await store.get('Rollout', namespace, name)) as RolloutObject | null;
  const record = bundle ? await store.revisionByDigest(bundle.status.digest) : null;
  if (!bundle || !object || !record || object.spec.to.digest !== record.digest) return null;
  const { document } = root();
  const candidate = candidateOf(bundle, {
    size: record.size,
    limit: limitOfBundle(bundle, record, document),
    root: document,
  });
  const [nodes, identities, assignments, unheard] = await Promise.all([
    store.list('Node'),
    store.identities(),
    store.assignments(),
    heldNodes(store, document.epoch),
  ]);
  const items = nodes.items as readonly NodeObject[];
  const bundlesOf = new Map(assignments.map(one => [one.node, assignmentOf(one).bundles]));
  const members = membersOf(identities, {
    byName: new Map(items.map(node => [node.metadata.name, node])),
    unheard,
    assignedTo: node => bundlesOf.get(node) ?? [],
  });
  return {
    bundle,
    object,
    fleet: fleetOf(candidate, members),
    rows: await rowsOf(store, candidate),
    isWithdrawn: candidate.isWithdrawn,
  };
}
