/**
 * Which bundle revisions a node is to run, and how far they are. Pure: the fleet comes in as values, decisions go out.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import type { BundleObject, BundleObjectStatus, BundleRollout, NodeObject } from '../objects.js';
import { isMember } from '../enrolment/standing-conditions.js';
import { HELD_ANNOTATION } from '../recovery/held-annotation.js';
import type { Limit } from './reach.js';
import { fateOf, type Fate } from './fate.js';
import { matches, parseSelector, type Requirement } from '../selectors.js';
import { isRetried } from './retried.js';
import type { RolloutObject } from './waves/rollout-object.js';
import { isDenied } from './withdrawn.js';

/** A bundle with what its newest revision is called in assignments. */
export interface Candidate {
  readonly namespace: string;
  readonly name: string;
  readonly requirements: readonly Requirement[];
  /** Each node keeps what it has of it, until it is applied again. */
  readonly held: boolean;
  readonly revision: number;
  readonly digest: string;
  readonly size: number;
  /** On the number of its nodes; null: none. */
  readonly limit: Limit | null;
  /** As it was read before anything was decided. */
  readonly object?: BundleObject;
  /** The root withdrew this revision: whoever has it may keep it, nobody begins with it. */
  readonly isWithdrawn: boolean;
}

export function isHeld(bundle: BundleObject): boolean {
  return Object.hasOwn(bundle.metadata.annotations, HELD_ANNOTATION);
}

export function candidateOf(
  bundle: BundleObject,
  of: Pick<Candidate, 'size' | 'limit'> & {
    readonly root: Pick<RootDocument, 'denied' | 'floors'>;
  },
): Candidate {
  const { namespace, name } = bundle.metadata;
  const { revision, digest } = bundle.status;
  return {
    namespace,
    name,
    requirements: parseSelector(bundle.spec.nodeSelector),
    held: isHeld(bundle),
    revision,
    digest,
    size: of.size,
    limit: of.limit,
    object: bundle,
    isWithdrawn: isDenied(of.root, { namespace, name, revision, digest }) !== null,
  };
}

/**
 * The newest revision of every bundle whose selector matches: those that the node has as they stand, then new ones by namespace and name, so
 * that of two that want the same there the one that was assigned first comes first. A bundle that the node
 * has at the same digest keeps its `attempt` and its `now`. What the root withdrew stays where it runs: whether it runs on is for the
 * owner of each node to say (S19), and leaving it out would end it.
 */
export function decide(
  candidates: readonly Candidate[],
  node: {
    readonly labels: Readonly<Record<string, string>>;
    readonly assigned: readonly AssignedBundle[];
    /** Digests whose manifests lie in its directory, as it says. */
    readonly running?: readonly string[];
    /** Asked about each bundle that is meant for the node: whether there is a place for it. */
    readonly hasPlace?: (candidate: Candidate) => boolean;
  },
): AssignedBundle[] {
  const formerOf = ({ namespace, name, digest }: Candidate) =>
    node.assigned.find(b => b.namespace === namespace && b.name === name && b.digest === digest);
  const runsOn = (candidate: Candidate) =>
    formerOf(candidate) !== undefined && node.running?.includes(candidate.digest) === true;
  const isOf = (bundle: AssignedBundle) => (candidate: Candidate) =>
    candidate.namespace === bundle.namespace && candidate.name === bundle.name;
  const placeOf = ({ namespace, name }: AssignedBundle) => {
    const at = node.assigned.findIndex(b => b.namespace === namespace && b.name === name);
    return at === -1 ? node.assigned.length : at;
  };
  const held = candidates.filter(candidate => candidate.held);
  const kept = node.assigned.filter(bundle => held.some(isOf(bundle)));
  return candidates
    .filter(candidate => !candidate.held && matches(candidate.requirements, node.labels))
    .filter(candidate => !candidate.isWithdrawn || runsOn(candidate))
    .filter(candidate => candidate.limit === null || (node.hasPlace?.(candidate) ?? true))
    .map(candidate => {
      const { namespace, name, revision, digest, size } = candidate;
      const { attempt = 0, now } = formerOf(candidate) ?? {};
      const assigned = { namespace, name, revision, digest, size, attempt };
      return now === undefined ? assigned : { ...assigned, now };
    })
    .concat(kept)
    .sort(
      (a, b) =>
        placeOf(a) - placeOf(b) ||
        (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1),
    );
}

/** Its agent is connected; whether its engine answers is another question. */
export function isOnline(node: NodeObject): boolean {
  return node.status.conditions?.some(c => c.type === 'Ready' && c.status !== 'Unknown') ?? false;
}

/** Counted by themselves, where there are any. */
const TOLD_FATES = [
  ...(['held', 'locked', 'notUndoReady', 'obstructed', 'undone', 'unknown'] as const),
] as const satisfies readonly Fate[];

const NO_FATES: Fates = {
  ...{ healthy: 0, failed: 0, undone: 0, held: 0, window: 0, locked: 0, notUndoReady: 0 },
  ...{ obstructed: 0, unknown: 0, underWay: 0 },
};

type Rollout = Pick<RolloutObject, 'spec' | 'status'>;

type RolledUp = Pick<
  BundleObjectStatus,
  'revision' | 'digest' | 'nodes' | 'waiting' | 'rollout' | (typeof TOLD_FATES)[number]
>;

/** What becomes of the newest revision where it was heard of: how many nodes that is, by what they say of it. */
export type Fates = Readonly<Record<Fate, number>>;

/** Counted by what the members that it selects themselves say of exactly the newest revision. */
export function rollUp(
  bundle: BundleObject,
  nodes: readonly NodeObject[],
  rollout: Rollout | null = null,
): RolledUp {
  return rollUpFates(bundle, nodes, rollout).status;
}

/** The same, and every fate counted. */
export function rollUpFates(
  bundle: BundleObject,
  nodes: readonly NodeObject[],
  rollout: Rollout | null = null,
): { readonly status: RolledUp; readonly fates: Fates } {
  const requirements = parseSelector(bundle.spec.nodeSelector);
  const { revision, digest } = bundle.status;
  const selected = nodes.filter(
    ({ metadata, status }) => isMember(status.conditions) && matches(requirements, metadata.labels),
  );
  const { namespace, name } = bundle.metadata;
  const said = selected.flatMap(node => {
    const { flotilla } = node.status;
    const found = flotilla.bundles.find(b => b.namespace === namespace && b.name === name);
    if (!found) return [];
    return {
      ...found,
      isOnline: isOnline(node),
      isOfNow: !isRetried(flotilla.retried, { namespace, name, digest }),
    };
  });
  const ofNow = said.filter(b => b.digest === digest && b.isOfNow);
  const fates: Record<Fate, number> = { ...NO_FATES };
  for (const one of ofNow) fates[fateOf(one)]++;
  const waiting = ofNow.filter(b => fateOf(b) === 'window');
  const [opensAt = null] = waiting.flatMap(b => b.opensAt ?? []).sort();
  const status = {
    revision,
    digest,
    nodes: {
      desired: selected.length,
      updated: said.filter(b => b.active === digest).length,
      healthy: fates.healthy,
      failed: fates.failed,
      offline: selected.filter(node => !isOnline(node)).length,
    },
    ...Object.fromEntries(
      TOLD_FATES.flatMap(fate => (fates[fate] === 0 ? [] : [[fate, fates[fate]]])),
    ),
    ...(waiting.length === 0 ? {} : { waiting: { nodes: waiting.length, opensAt } }),
    ...(rollout?.spec.to.digest === digest
      ? { rollout: standingOfRollout(rollout, ofNow.filter(b => b.isOnline).length) }
      : {}),
  };
  return { status, fates };
}

/** `saying`: connected nodes whose newest word is of the revision. */
export function standingOfRollout({ spec, status }: Rollout, saying: number): BundleRollout {
  const { phase, reason, waves } = status;
  const isGoingBack = phase === 'aborted' && saying > 0;
  return {
    ...{ phase, reason, wave: waves.length, waves: spec.plan.waves.length },
    ...(isGoingBack ? { goingBack: saying } : {}),
  };
}

/** The digests of what lies in a node's directory, as it said last. */
export function runningOn(node: Pick<NodeObject, 'status'>): string[] {
  return node.status.flotilla.bundles.flatMap(({ active }) => active ?? []);
}
