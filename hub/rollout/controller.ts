/**
 * The hub's loop: fleet → decide → compose → sign → one transaction. Level-triggered: it looks at what is and writes what
 * should be, so a restart, a crash or a change it did not see repeats and skips nothing. Decides nothing by itself.
 */
import { keyId } from '../../protocol/keys.js';
import type { Signer } from '../../protocol/keys.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { countLoop, type CountParts } from './count-nodes.js';
import { assignmentOf, type SignedAssignment } from './director.js';
import { next, UnfitAssignment } from './next-assignment.js';
import { candidates } from './candidates.js';
import type { NodeObject } from '../objects.js';
import { isCordoned, stayingOffers } from './cordon.js';
import {
  freshAssignment,
  offersBetweenLooks,
  sealedSecrets,
  type AssigningParts,
} from './fresh-assignment.js';
import { heldNodes } from '../recovery/held-nodes.js';
import { assignedSecrets } from '../secrets/needs.js';
import { decide, runningOn } from './rollout.js';
import { isMoving, lookAt, membersOf, openRollouts, type Look } from './rollouts.js';
import { PatchBook } from './patches.js';
import { placesIn, tellReach, type FleetPlaces } from './places.js';
import { retried } from '../store/retry.js';
import { StoreError, type Actor, type Mutation } from '../store/store.js';
import { watchFleet, type Fleet } from './watch-fleet.js';

const ACTOR: Actor = { kind: 'hub', name: 'controller' };
/** Nodes whose assignments are written in one transaction. */
const BATCH = 500;
/** Record and publication. */
const MUTATIONS_EACH = 2;
/** Assignments are signed anew long before they expire: looked at this often. */
const TICK_MS = 3_600_000;
const RETRY_MS = 1000;
/** Between two looks at rollouts that nodes' words move: many words are one look. */
const STEP_MS = 200;
/** So many times as long as a look took, nobody looks again while no rollout goes on. */
const REST = 3;

export interface ControllerParts extends CountParts {
  readonly hubSigner: Signer;
}

export interface Controller {
  /** The assignment of a node that joins; the caller commits it with the join. */
  firstAssignment(joining: {
    readonly node: string;
    readonly nodeKey: string;
    readonly nonce: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly enrolled: Readonly<Record<string, string>>;
    readonly keepsSecrets: boolean;
  }): Promise<SignedAssignment>;
  /** Publishes one that carries the node's nonce, whether or not anything changed. An unknown node is no error. */
  freshAssignment(node: string, nonce: string): Promise<void>;
  /** What every node is to have under a root that is to come, signed by the hub key of then; nothing is written. */
  assignmentsUnder(
    root: TrustedRoot,
    hubSigner: Signer,
  ): Promise<{ readonly mutations: readonly Mutation[]; readonly written: number }>;
  /** What was committed before is in the assignments when it resolves. */
  settle(): Promise<void>;
  /** Something changed that no object shows. */
  look(): void;
  close(): Promise<void>;
}

export function startController(parts: ControllerParts): Controller {
  const stop = new AbortController();
  // Until the first look says otherwise.
  const steps = { isOpen: true, wakeAt: null as number | null };
  const fleet = watchFleet(parts.store, {
    clock: parts.clock,
    log: parts.log,
    signal: stop.signal,
    isStepping: () => steps.isOpen,
  });
  const looks = { fleet, steps };
  const loops = [assignLoop(parts, looks, stop.signal), countLoop(parts, fleet, stop.signal)];
  return {
    firstAssignment: async joining => {
      const current = await parts.store.assignment(joining.node);
      const { node, labels, enrolled, keepsSecrets } = joining;
      const offered = await candidates(parts);
      const places = await placesIn(parts.store, offered);
      const assigned = current ? assignmentOf(current).bundles : [];
      const offers = await offersBetweenLooks(parts, offered, { node, labels, assigned });
      const bundles = decide(offers, {
        labels,
        assigned,
        hasPlace: candidate => places.take(candidate, { node, labels: enrolled }),
      });
      const sealed = keepsSecrets ? await sealedSecrets(parts.store) : null;
      const secrets = assignedSecrets(sealed?.get(node) ?? [], bundles);
      const first = next(parts, { ...joining, bundles, secrets, current }) as SignedAssignment;
      const now = new Date(parts.clock.now()).toISOString();
      return { ...first, mutations: [...first.mutations, ...places.claims(now)] };
    },
    freshAssignment: (node, nonce) => freshAssignment(parts, { actor: ACTOR, node, nonce }),
    assignmentsUnder: (root, hubSigner) =>
      assignmentsUnder({ ...parts, root: () => root, hubSigner }),
    settle: async () => {
      const { look } = await retried(() => assignAll(parts, () => (steps.isOpen = true)));
      // The loop may have seen more since.
      if (look.isOpen) fleet.assignments.mark();
    },
    look: () => {
      fleet.assignments.mark();
      fleet.rollUp.mark();
    },
    close: async () => {
      stop.abort();
      await Promise.all(loops);
    },
  };
}

interface Looks {
  readonly fleet: Fleet;
  /** Whether some rollout goes on, and when time alone may move it. */
  readonly steps: { isOpen: boolean; wakeAt: number | null };
}

async function assignLoop(
  parts: ControllerParts,
  { fleet, steps }: Looks,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = parts;
  for (;;) {
    const untilStep = steps.wakeAt === null ? TICK_MS : steps.wakeAt - clock.now();
    await fleet.assignments.next(clock, Math.max(1, Math.min(TICK_MS, untilStep)), signal);
    if (signal.aborted) return;
    const began = clock.monotonic();
    try {
      const { written, look, isUnsettled } = await assignAll(parts, () => (steps.isOpen = true));
      if (isUnsettled) fleet.assignments.mark();
      Object.assign(steps, { isOpen: look.isOpen, wakeAt: look.wakeAt });
      if (written > 0) log.info('assignments published', { nodes: written });
      // Of a large fleet a look takes long: nodes that join one after the other are not looked at one after the other.
      const tookMs = clock.monotonic() - began;
      await clock.sleep(look.isOpen ? Math.max(STEP_MS, tookMs) : REST * tookMs, signal);
    } catch (error) {
      // A join or a fresh assignment came between: the next look sees it.
      const conflict = error instanceof StoreError && error.code === 'Conflict';
      if (!conflict) log.error('assigning failed; again in a second', { error });
      fleet.assignments.mark();
      await clock.sleep(conflict ? 0 : RETRY_MS, signal);
    }
  }
}

/** What every node is to have that says something new; nothing is written. */
export async function assignmentsUnder(
  parts: AssigningParts,
): Promise<{ readonly mutations: readonly Mutation[]; readonly written: number }> {
  const mutations = (await nextAssignments(parts)).batches.flat();
  return { mutations, written: assignmentsIn(mutations) };
}

/**
 * `written`: how many assignments. `isUnsettled`: some node did not take what was meant for it, which is written down by now: it is another's
 * turn. `onOpen` as below.
 */
async function assignAll(
  parts: ControllerParts,
  onOpen: () => void,
): Promise<{ written: number; look: Look; isUnsettled: boolean }> {
  const { store, log } = parts;
  const { batches, unfit, places, look } = await nextAssignments(parts, onOpen);
  for (const batch of batches) await store.commit(ACTOR, batch);
  await tellReach(parts, places);
  parts.counts?.looked(look.counts());
  const [first] = unfit;
  if (first !== undefined) {
    const [node, fault] = first;
    log.error('too much is meant for some nodes', { nodes: unfit.size, first: node, fault });
  }
  const isUnsettled = unfit.size > 0 && batches.length > 0;
  return { written: assignmentsIn(batches.flat()), look, isUnsettled };
}

function assignmentsIn(mutations: readonly Mutation[]): number {
  return mutations.filter(({ type }) => type === 'assignment').length;
}

/**
 * Those that say something new, in batches for one transaction each. `onOpen`: a rollout may move; told before nodes are read, so that a
 * word that comes meanwhile is looked at next.
 */
async function nextAssignments(
  parts: AssigningParts,
  onOpen: () => void = () => undefined,
): Promise<{
  readonly batches: readonly Mutation[][];
  /** What an assignment does not hold, by node. */
  readonly unfit: ReadonlyMap<string, string>;
  readonly places: FleetPlaces;
  readonly look: Look;
}> {
  const { store } = parts;
  const at = { root: parts.root().document, now: parts.clock.now() };
  if ((await store.recovery())?.learning) {
    const nothing = {
      batches: [],
      unfit: new Map<string, string>(),
      places: await placesIn(store, []),
    };
    return { ...nothing, look: lookAt([], [], at) };
  }
  const unheard = await heldNodes(store, parts.root().document.epoch);
  const offered = await candidates(parts);
  const rollouts = await openRollouts(store, offered, at.root);
  if (rollouts.some(isMoving)) onOpen();
  const [nodes, identities, assignments, sealed] = await Promise.all([
    store.list('Node'),
    store.identities(),
    store.assignments(),
    sealedSecrets(store),
  ]);
  const byName = new Map(
    (nodes.items as readonly NodeObject[]).map(node => [node.metadata.name, node]),
  );
  const patches = new PatchBook(store);
  const records = new Map(assignments.map(record => [record.node, record]));
  const places = await placesIn(store, offered);
  const assignedTo = (node: string) => {
    const record = records.get(node);
    return record ? assignmentOf(record).bundles : [];
  };
  const members =
    rollouts.length === 0 ? [] : membersOf(identities, { byName, unheard, assignedTo });
  const enrolledOf = new Map(identities.map(({ node, labels }) => [node, labels]));
  const look = lookAt(rollouts, members, {
    ...at,
    hasPlace: (candidate, node) =>
      places.take(candidate, { node, labels: enrolledOf.get(node) ?? {} }),
  });
  const batches: Mutation[][] = [];
  const unfit = new Map<string, string>();
  let batch: Mutation[] = [];
  /** Of nodes that take a place or that a rollout moves: all in one transaction, with what makes sure of it. */
  const placed: Mutation[] = [];
  const moved = new Set<string>();
  for (const { node, identityKey, state, suspectedAt, labels: enrolled } of identities) {
    const object = byName.get(node);
    if (state !== 'active' || suspectedAt !== null || !object || unheard.has(node)) continue;
    const current = records.get(node) ?? null;
    const assigned = assignedTo(node);
    const offers = look.offers(offered, node);
    const begins = isCordoned(object) ? stayingOffers(offers, assigned, at.root) : offers;
    const bundles = decide(begins, {
      ...{ labels: object.metadata.labels, assigned, running: runningOn(object) },
      hasPlace: candidate => places.take(candidate, { node, labels: enrolled }),
    });
    const nodeKey = keyId(identityKey);
    const secrets = assignedSecrets(sealed.get(node) ?? [], bundles);
    let signed: SignedAssignment | null = null;
    try {
      signed = next(parts, { node, nodeKey, nonce: null, bundles, secrets, current });
      if (signed) signed = await patches.with(signed, object);
    } catch (error) {
      if (!(error instanceof UnfitAssignment)) throw error;
      unfit.set(node, error.fault);
    }
    if (!signed) continue;
    if (look.isMoved(node)) moved.add(node);
    if (places.isNew(node) || look.isMoved(node)) {
      placed.push(...signed.mutations);
      continue;
    }
    if (batch.length === 0) batches.push(batch);
    batch.push(...signed.mutations);
    if (batch.length >= BATCH * MUTATIONS_EACH) batch = [];
  }
  const now = new Date(parts.clock.now()).toISOString();
  const together = [...placed, ...(placed.length > 0 ? places.claims(now) : [])];
  const first = [...look.mutations(moved, unfit), ...together];
  if (first.length > 0) batches.unshift(first);
  return { batches, unfit, places, look };
}
