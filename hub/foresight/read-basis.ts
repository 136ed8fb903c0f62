/** Reads the fleet and what was lived through with it, for a rehearsal. Writes nothing. */
import { HELD_ANNOTATION } from '../recovery/held-annotation.js';
import type { BundleObject, NodeObject } from '../objects.js';
import { RequestError } from '../ports.js';
import { heldNodes } from '../recovery/held-nodes.js';
import { assignmentOf } from '../rollout/director.js';
import { bundleDocumentOf } from '../rollout/revision-document.js';
import { isDenied } from '../rollout/withdrawn.js';
import { fleetNodeOf, membersOf, rowsOf } from '../rollout/rollouts.js';
import type { RolloutObject } from '../rollout/waves/rollout-object.js';
import { matches, parseSelector, SelectorError } from '../selectors.js';
import type { Passage } from '../store/experience-records.js';
import type { BasisNode, RehearsalBasis } from './basis.js';
import type { PriceParts } from './read-price.js';

export interface BasisQuestion {
  readonly namespace: string;
  readonly name: string;
  /** Null: the bundle's. */
  readonly nodeSelector: string | null;
}

/** Throws `RequestError`: `NotFound` for a new bundle without a selector, `BadRequest` for a selector that is none. */
export async function readBasis(
  { store, root, clock }: PriceParts,
  { namespace, name, nodeSelector }: BasisQuestion,
): Promise<RehearsalBasis> {
  const bundle = (await store.get('Bundle', namespace, name)) as BundleObject | null;
  const selector = nodeSelector ?? bundle?.spec.nodeSelector;
  if (selector === undefined) {
    throw new RequestError('NotFound', `bundles.flotilla.dev "${name}" not found`);
  }
  if (bundle && Object.hasOwn(bundle.metadata.annotations, HELD_ANNOTATION)) {
    const why = 'it is held since the hub was restored; apply it again: flotilla apply';
    throw new RequestError('Conflict', `bundle "${name}" has no rollout: ${why}`);
  }
  const { document } = root();
  const [record, object, nodes, identities, assignments, unheard, connections, passages, rows] =
    await Promise.all([
      bundle ? store.revisionByDigest(bundle.status.digest) : null,
      store.get('Rollout', namespace, name) as Promise<RolloutObject | null>,
      store.list('Node'),
      store.identities(),
      store.assignments(),
      heldNodes(store, document.epoch),
      store.connections(),
      store.passages(),
      rowsOf(store, { namespace, name }),
    ]);
  const bundlesOf = new Map(assignments.map(one => [one.node, assignmentOf(one).bundles]));
  const members = membersOf(identities, {
    byName: new Map((nodes.items as readonly NodeObject[]).map(one => [one.metadata.name, one])),
    unheard,
    assignedTo: node => bundlesOf.get(node) ?? [],
  });
  const requirements = requirementsIn(selector);
  const own = new Map<string, readonly Passage[]>();
  const all = new Map<string, Passage[]>();
  for (const one of passages) {
    if (one.namespace === namespace && one.bundle === name) own.set(one.node, one.passages);
    all.set(one.node, [...(all.get(one.node) ?? []), ...one.passages]);
  }
  const newest = record && {
    revision: record.revision,
    digest: record.digest,
    size: record.size,
  };
  const isOfNewest = object !== null && object.spec.to.digest === newest?.digest;
  return {
    now: clock.now(),
    newest,
    rollout: isOfNewest ? { spec: object.spec, status: object.status } : null,
    isWithdrawn: newest !== null && isDenied(document, { namespace, name, ...newest }) !== null,
    rows: isOfNewest ? [...rows.values()] : [],
    strategy: record ? bundleDocumentOf(record).strategy : null,
    nodes: members
      .filter(({ labels }) => matches(requirements, labels))
      .map((member): BasisNode => {
        const node = fleetNodeOf({ namespace, name, digest: newest?.digest ?? '' }, member);
        const changes = connections.get(node.name) ?? [];
        return {
          ...node,
          isHeld: node.word?.fate === 'held',
          cameFirst: changes[0]?.online ?? false,
          changes: changes.map(({ at }) => at / 1000),
          passages: own.get(node.name) ?? [],
          others: all.get(node.name) ?? [],
        };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function requirementsIn(selector: string) {
  try {
    return parseSelector(selector);
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    throw new RequestError('BadRequest', `nodeSelector: ${error.message}`);
  }
}
