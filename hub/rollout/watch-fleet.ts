/**
 * Tells the controller's loops when there is something to look at: nodes that came, went or changed labels, bundles that
 * changed, reports that change a roll-up. Marks only; what follows from it is decided elsewhere.
 */
import { canonicalJson } from '../../protocol/canonical.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { nodeWords } from '../enrolment/node-words.js';
import { isStandingCondition } from '../enrolment/standing-conditions.js';
import type { BundleObject, NodeObject } from '../objects.js';
import { isCordoned } from './cordon.js';
import { isHeld } from './rollout.js';
import { StoreError, type Change, type Store } from '../store/store.js';

const RETRY_MS = 1000;

/** A flag that a loop waits for: marks made while it works are one more round, not many. */
export class Dirty {
  private marked = true;
  private wake: () => void = () => undefined;

  mark(): void {
    this.marked = true;
    this.wake();
  }

  /** Resolves when marked, after `ms`, or when the signal aborts; clears the mark. */
  async next(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (!this.marked) {
      const waiting = new AbortController();
      const end = () => waiting.abort();
      this.wake = end;
      signal.addEventListener('abort', end, { once: true });
      if (!signal.aborted) await clock.sleep(ms, waiting.signal);
      signal.removeEventListener('abort', end);
      this.wake = () => undefined;
    }
    this.marked = false;
  }
}

export interface Fleet {
  readonly assignments: Dirty;
  readonly rollUp: Dirty;
}

export interface WatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Some rollout goes on: what nodes say of it may move it. Absent: none ever does. */
  readonly isStepping?: () => boolean;
}

/** Both flags start marked: a new hub looks at everything once. */
export function watchFleet(store: Store, options: WatchOptions): Fleet {
  const fleet = { assignments: new Dirty(), rollUp: new Dirty() };
  // A node's keys are no object: a new sealing key makes it lack what was sealed for the former one.
  const end = store.onCommit(touched => {
    if (touched.has('recovery') || touched.has('heard')) fleet.assignments.mark();
    if (touched.has('identity') || touched.has('Rollout')) fleet.rollUp.mark();
  });
  options.signal.addEventListener('abort', end, { once: true });
  for (const kind of ['Node', 'Bundle', 'Rollout', 'Secret', 'SealedSecret'] as const) {
    follow(store, kind, { fleet, ...options }).catch((error: unknown) => {
      options.log.error('the controller no longer sees changes', { kind, error });
    });
  }
  return fleet;
}

const CONSEQUENCES = {
  Node: nodeChange,
  Bundle: bundleChange,
  // Its status is the controller's own.
  Rollout: ownedChange,
  Secret: ownedChange,
  SealedSecret: ownedChange,
} as const;

async function follow(
  store: Store,
  kind: keyof typeof CONSEQUENCES,
  { fleet, clock, log, signal, isStepping }: WatchOptions & { fleet: Fleet },
): Promise<void> {
  while (!signal.aborted) {
    try {
      const { resourceVersion } = await store.list(kind);
      // Whatever happened before this moment is found by looking, not by changes.
      fleet.assignments.mark();
      fleet.rollUp.mark();
      for await (const change of store.watch(kind, resourceVersion, signal)) {
        const { assigns, rolls } = CONSEQUENCES[kind](change);
        if (assigns || (rolls && isStepping?.() === true)) fleet.assignments.mark();
        if (rolls) fleet.rollUp.mark();
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof StoreError) || error.code !== 'Expired') {
        log.warn('watching the store failed; again in a second', { kind, error });
        await clock.sleep(RETRY_MS, signal);
      }
    }
  }
}

interface Consequence {
  readonly assigns: boolean;
  readonly rolls: boolean;
}

/** Pure. */
export function nodeChange(change: Change): Consequence {
  if (change.type !== 'MODIFIED' || !change.previous) return { assigns: true, rolls: true };
  const [before, after] = [change.previous as NodeObject, change.object as NodeObject];
  const labels = canonicalJson(before.metadata.labels) !== canonicalJson(after.metadata.labels);
  const standing = (node: NodeObject) =>
    canonicalJson(
      (node.status.conditions ?? []).filter(isStandingCondition).map(c => c.type + c.status),
    );
  const stands = standing(before) !== standing(after);
  const cordoned = isCordoned(before) !== isCordoned(after);
  const said = (node: NodeObject) =>
    canonicalJson([
      node.status.flotilla.bundles,
      // With an assignment that it accepted a node forgets Secrets.
      node.status.flotilla.epoch,
      node.status.flotilla.generation,
      node.status.flotilla.retried ?? [],
      node.status.conditions?.find(c => c.type === 'Ready')?.status ?? null,
      nodeWords(node.status.conditions, node.spec),
    ]);
  return { assigns: labels || stands || cordoned, rolls: labels || said(before) !== said(after) };
}

/** A change of status alone is the controller's own. Pure. */
export function bundleChange(change: Change): Consequence {
  if (change.type !== 'MODIFIED' || !change.previous) return { assigns: true, rolls: true };
  const [before, after] = [change.previous as BundleObject, change.object as BundleObject];
  const changed =
    before.metadata.generation !== after.metadata.generation ||
    before.status.digest !== after.status.digest ||
    isHeld(before) !== isHeld(after);
  return { assigns: changed, rolls: changed };
}

/** As above. Pure. */
export function ownedChange(change: Change): Consequence {
  const isOwn =
    change.type === 'MODIFIED' &&
    change.previous?.metadata.generation === change.object.metadata.generation;
  return { assigns: !isOwn, rolls: !isOwn };
}
