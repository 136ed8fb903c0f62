/**
 * The rollouts under way as the store has them, and what they make of each node's assignment. Reads; what is decided is waves/decide.ts's,
 * and what is to be written goes into the controller's transaction.
 */
import { canonicalJson } from '../../protocol/canonical.js';
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import { SAYS_WHAT_TO_DO } from '../../protocol/bundle-reasons.js';
import type { BundleStatus } from '../../protocol/documents/node.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { CLONE_SUSPECTED } from '../enrolment/standing-conditions.js';
import { AHEAD_OF_HUB } from '../ingest/ahead-of-hub.js';
import type { NodeObject } from '../objects.js';
import { matches } from '../selectors.js';
import type { IdentityRecord, Mutation, Store } from '../store/store.js';
import { cordonText, isCordoned } from './cordon.js';
import { decisionsBetween } from './decisions.js';
import { fateOf } from './fate.js';
import { limitOfBundle } from './reach-check.js';
import { isRetried } from './retried.js';
import { isOnline, type Candidate } from './rollout.js';
import type { RolloutCounts } from './fleet-counts.js';
import { decide, heldBack, type Outcome } from './waves/decide.js';
import type { RevisionName, RolloutNode, RolloutObject } from './waves/rollout-object.js';
import { countsOf } from './waves/view.js';
import { hasInPlace, type FleetNode, type Word } from './waves/stand.js';
import { isDenied } from './withdrawn.js';

export interface OpenRollout {
  readonly candidate: Candidate;
  readonly object: RolloutObject;
  readonly rows: ReadonlyMap<string, RolloutNode>;
  /** On the number of nodes of the last completed revision; null: none. */
  readonly baseLimit: Candidate['limit'];
}

/** A member of the fleet. */
export interface MemberNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Null: it joins just now. */
  readonly object: NodeObject | null;
  readonly assigned: readonly AssignedBundle[];
  /** Why it gets nothing new, for a person; null: it may. */
  readonly barrier: string | null;
}

/** Of bundles whose newest revision is not for all nodes, or not yet. A bundle that is held stays as it is. */
export async function openRollouts(
  store: Store,
  candidates: readonly Candidate[],
  root: RootDocument,
): Promise<OpenRollout[]> {
  const { items } = await store.list('Rollout');
  const open: OpenRollout[] = [];
  for (const object of items as readonly RolloutObject[]) {
    const { namespace, name } = object.metadata;
    const candidate = candidates.find(c => c.namespace === namespace && c.name === name);
    if (!candidate || candidate.held || object.status.phase === 'completed') continue;
    if (candidate.digest !== object.spec.to.digest) continue;
    const { base } = object.spec;
    const record = base ? await store.revisionByDigest(base.digest) : null;
    const baseLimit =
      record && candidate.object ? limitOfBundle(candidate.object, record, root) : null;
    open.push({ candidate, object, rows: await rowsOf(store, candidate), baseLimit });
  }
  return open;
}

export async function rowsOf(
  store: Store,
  { namespace, name }: Pick<Candidate, 'namespace' | 'name'>,
): Promise<Map<string, RolloutNode>> {
  return new Map((await store.rolloutNodes(namespace, name)).map(row => [row.node, row]));
}

/** All that are active and known. `unheard`: whom a restored hub does not speak to. */
export function membersOf(
  identities: readonly IdentityRecord[],
  of: {
    readonly byName: ReadonlyMap<string, NodeObject>;
    readonly unheard: ReadonlySet<string>;
    readonly assignedTo: (node: string) => readonly AssignedBundle[];
  },
): MemberNode[] {
  return identities.flatMap(({ node: name, state, suspectedAt }) => {
    const object = of.byName.get(name);
    if (state !== 'active' || !object) return [];
    const barrier =
      suspectedAt === null
        ? of.unheard.has(name)
          ? 'not heard since the hub was restored'
          : null
        : `${CLONE_SUSPECTED}: gets nothing new`;
    const { labels } = object.metadata;
    return { name, labels, object, assigned: of.assignedTo(name), barrier };
  });
}

/** The node as the bundle's rollout sees it. */
export function fleetNodeOf(
  candidate: Pick<Candidate, 'namespace' | 'name' | 'digest'>,
  { name: node, labels, object, assigned, barrier }: MemberNode,
): FleetNode {
  const { namespace, name } = candidate;
  const { flotilla, conditions } = object?.status ?? {};
  const isOf = (b: { readonly namespace: string; readonly name: string }) =>
    b.namespace === namespace && b.name === name;
  const has = assigned.find(isOf);
  const said = flotilla?.bundles.find(isOf);
  // What it was told before, or is told to go back from, it goes on with.
  const isOut = object !== null && isCordoned(object) && has?.digest !== candidate.digest;
  const cordoned = isOut ? cordonText(node) : null;
  const isAhead = conditions?.some(c => c.type === AHEAD_OF_HUB && c.status === 'True') ?? false;
  return {
    name: node,
    labels,
    isOnline: object !== null && isOnline(object),
    barrier: barrier ?? (isAhead ? `${AHEAD_OF_HUB}: it refuses what this hub says` : cordoned),
    ...(cordoned === null ? {} : { isCordoned: true }),
    assigned: has ? { revision: has.revision, digest: has.digest, size: has.size } : null,
    word: said
      ? {
          digest: said.digest,
          active: said.active,
          fate: fateOf(said),
          ...obstacleIn(said),
          isFormer: isRetried(flotilla?.retried, { namespace, name, digest: said.digest }),
        }
      : null,
  };
}

function obstacleIn({ state, reason, message }: BundleStatus): Pick<Word, 'obstacle'> {
  const isForPeople = state === 'waiting' && SAYS_WHAT_TO_DO.has(reason);
  return isForPeople ? { obstacle: `${reason}: ${message}` } : {};
}

/** Those of the members that the bundle selects, by name. Who gets nothing anyway is asked for no place: it would be another's. */
export function fleetOf(
  candidate: Candidate,
  members: readonly MemberNode[],
  hasPlace: (candidate: Candidate, node: string) => boolean = () => true,
): FleetNode[] {
  return members
    .filter(({ labels }) => matches(candidate.requirements, labels))
    .map(member => {
      const node = fleetNodeOf(candidate, member);
      const isOut = candidate.limit === null || node.barrier !== null;
      if (isOut || hasPlace(candidate, node.name)) return node;
      return { ...node, barrier: 'the release keys that signed it reach no more nodes' };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What a node is offered while nothing new is decided: what it has, or what stands for it. */
function standingOffer({ candidate, object }: OpenRollout, node: FleetNode): RevisionName | null {
  const { spec, status } = object;
  const { to, base } = spec;
  if (node.assigned?.digest !== to.digest) return heldBack(spec, node);
  const isOver = status.phase === 'aborted' || candidate.isWithdrawn;
  return isOver && !hasInPlace(node, to.digest) ? base : to;
}

/** The bundle at that revision, with the limit of that revision. */
function candidateAt(
  { candidate, object, baseLimit }: OpenRollout,
  offer: RevisionName | null,
  root: Pick<RootDocument, 'denied' | 'floors'>,
): Candidate[] {
  if (offer === null) return [];
  if (offer.digest === candidate.digest) return [candidate];
  const { namespace, name } = candidate;
  const isWithdrawn = isDenied(root, { namespace, name, ...offer }) !== null;
  const limit = offer.digest === object.spec.base?.digest ? baseLimit : candidate.limit;
  return [{ ...candidate, ...offer, limit, isWithdrawn }];
}

export type Offers = (candidates: readonly Candidate[], node: string) => Candidate[];

/** For one node, between two looks of the controller. */
export function standingOffers(
  rollouts: readonly OpenRollout[],
  member: MemberNode,
  root: Pick<RootDocument, 'denied' | 'floors'>,
): (candidates: readonly Candidate[]) => Candidate[] {
  return candidates =>
    candidates.flatMap(candidate => {
      const rollout = rollouts.find(one => one.candidate === candidate);
      if (!rollout) return candidate;
      const offer = standingOffer(rollout, fleetNodeOf(candidate, member));
      return candidateAt(rollout, offer, root);
    });
}

export interface Look {
  readonly offers: Offers;
  /** Their assignments change by what was decided. */
  readonly isMoved: (node: string) => boolean;
  /** For the transaction that writes their assignments; `written`: whose. `unfit`: what no assignment holds, by node. Nothing was decided: none. */
  mutations(written: ReadonlySet<string>, unfit?: ReadonlyMap<string, string>): Mutation[];
  /** When to look again though nothing changed, milliseconds since 1970; null: need not be. */
  readonly wakeAt: number | null;
  /** What nodes say may move some rollout: it goes on, or something is still to go back. */
  readonly isOpen: boolean;
  /** How far each of the rollouts is. */
  counts(): readonly RolloutCounts[];
}

/** Decides every open rollout. */
export function lookAt(
  rollouts: readonly OpenRollout[],
  members: readonly MemberNode[],
  of: {
    readonly root: Pick<RootDocument, 'denied' | 'floors'>;
    readonly now: number;
    /** Absent: for every node there is one. */
    readonly hasPlace?: (candidate: Candidate, node: string) => boolean;
  },
): Look {
  const { root, now, hasPlace } = of;
  const looked = rollouts.map(rollout => {
    const { candidate, object, rows } = rollout;
    const fleet = fleetOf(candidate, members, hasPlace);
    const outcome = decide(object, { fleet, rows, isWithdrawn: candidate.isWithdrawn }, now);
    const byNode = new Map(outcome.decisions.map(one => [one.member.node.name, one]));
    return { rollout, outcome, byNode };
  });
  const moved = new Set(
    looked.flatMap(({ outcome }) =>
      outcome.decisions.filter(d => d.action !== 'keep').map(d => d.member.node.name),
    ),
  );
  const times = looked.flatMap(({ outcome }) => outcome.wakeAt ?? []);
  return {
    offers: (candidates, node) =>
      candidates.flatMap(candidate => {
        const one = looked.find(({ rollout }) => rollout.candidate === candidate);
        const decision = one?.byNode.get(node);
        if (!one) return candidate;
        return decision ? candidateAt(one.rollout, decision.offer, root) : [];
      }),
    isMoved: node => moved.has(node),
    mutations: (written, unfit = new Map()) =>
      looked.flatMap(({ rollout, outcome }) =>
        rolloutMutations(rollout, outcome, { written, unfit }),
      ),
    wakeAt: times.length === 0 ? null : Math.min(...times),
    isOpen: looked.some(({ outcome }) => isMovable(outcome)),
    counts: () =>
      looked.map(({ rollout: { candidate }, outcome }) => {
        const { namespace, name } = candidate;
        return { namespace, name, stands: countsOf(outcome.decisions) };
      }),
  };
}

function isMovable({ status: { phase }, decisions }: Outcome): boolean {
  const isGoingBack = () => decisions.some(({ member }) => member.stand !== 'waiting');
  return phase === 'progressing' || (phase === 'aborted' && isGoingBack());
}

/** As it stands before a look: that may move nodes by what they say. One that is aborted already was looked at. */
export function isMoving({ object: { spec, status } }: Pick<OpenRollout, 'object'>): boolean {
  return status.phase === 'progressing' || (spec.aborted !== null && status.phase !== 'aborted');
}

/** The object is always among them, so that a person's word that came meanwhile is a Conflict. */
function rolloutMutations(
  { object, rows: before }: OpenRollout,
  { status, decisions, rows, rowsUnacted }: Outcome,
  of: {
    readonly written: ReadonlySet<string>;
    readonly unfit: ReadonlyMap<string, string>;
  },
): Mutation[] {
  const acted = new Set(
    decisions.filter(d => d.action !== 'keep').map(({ member }) => member.node.name),
  );
  const isLost = ({ node }: RolloutNode) => acted.has(node) && !of.written.has(node);
  const unacted = new Map(rowsUnacted.filter(isLost).map(row => [row.node, row]));
  for (const row of rows.filter(isLost)) {
    const obstacle = of.unfit.get(row.node) ?? null;
    const untold = { toldAt: null, isBack: false, isExcused: false };
    const known = unacted.get(row.node) ?? before.get(row.node) ?? { ...row, ...untold };
    if (obstacle !== known.obstacle) unacted.set(row.node, { ...known, obstacle });
  }
  const kept = [...rows.filter(row => !isLost(row)), ...unacted.values()];
  if (kept.length === 0 && canonicalJson(status) === canonicalJson(object.status)) return [];
  const { namespace, name, labels, annotations, resourceVersion } = object.metadata;
  const draft = { kind: object.kind, metadata: { namespace, name, labels, annotations } };
  return [
    {
      type: 'put',
      object: { ...draft, spec: object.spec, status },
      expect: { resourceVersion },
    },
    ...kept.map((record): Mutation => ({ type: 'rolloutNode', namespace, bundle: name, record })),
    ...decisionsBetween(object.spec, object.status, status).map((detail): Mutation => {
      return { type: 'decision', kind: 'Rollout', namespace, name, detail };
    }),
  ];
}
