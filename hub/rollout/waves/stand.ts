/** How one node stands towards a revision: by what it is assigned and what it said last, whenever that arrives. Pure. */
import type { Fate } from '../fate.js';
import type { RevisionName, RolloutNode } from './rollout-object.js';

/** The node's newest word on the bundle. */
export interface Word {
  readonly digest: string;
  /** Of the revision that lies in its directory; null: none. */
  readonly active: string | null;
  readonly fate: Fate;
  /** What is in its way, where that is for a person to mend; left out: nothing of the kind. */
  readonly obstacle?: string;
  /** It was given another attempt at that revision since. */
  readonly isFormer: boolean;
}

export interface FleetNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly isOnline: boolean;
  /** Why it is told nothing, be it connected or not; null: it may be. */
  readonly barrier: string | null;
  /** That is because people keep new things away from it: it is waited for by nobody. */
  readonly isCordoned?: boolean;
  /** The revision of this bundle in its newest assignment; null: none. */
  readonly assigned: RevisionName | null;
  readonly word: Word | null;
}

export function isReachable({ isOnline, barrier }: FleetNode): boolean {
  return isOnline && barrier === null;
}

export type Stand =
  /** Not told. */
  | 'waiting'
  | 'underWay'
  /** Waits for a maintenance window. */
  | 'window'
  /** Waits for something else. */
  | 'obstructed'
  /** Has it, and cannot know how its pods are. */
  | 'unknown'
  /** Was told and cannot be reached. */
  | 'silent'
  | 'healthy'
  | 'failed'
  /** A person at the device holds what was there, or went back to it. */
  | 'aside';

const STANDS: Readonly<Record<Fate, Stand>> = {
  healthy: 'healthy',
  failed: 'failed',
  undone: 'aside',
  held: 'aside',
  window: 'window',
  locked: 'obstructed',
  notUndoReady: 'obstructed',
  obstructed: 'obstructed',
  unknown: 'unknown',
  underWay: 'underWay',
};

/** What a node says of another revision is no word on this one. */
export function standOf(node: FleetNode, digest: string): Stand {
  if (node.assigned?.digest !== digest) return 'waiting';
  const stand = STANDS[wordOn(node, digest)?.fate ?? 'underWay'];
  const isOpen = stand === 'underWay' || stand === 'window' || stand === 'obstructed';
  return isOpen && !isReachable(node) ? 'silent' : stand;
}

function wordOn({ word }: FleetNode, digest: string): Word | null {
  return word?.digest === digest && !word.isFormer ? word : null;
}

/** Has what it is assigned, as far as it will come by itself. */
function isSettled(node: FleetNode): boolean {
  const { assigned, word } = node;
  if (assigned === null) return word === null;
  return (wordOn(node, assigned.digest)?.fate ?? 'underWay') !== 'underWay';
}

/** Connected, and on the way to whatever it is assigned. */
export function isOnItsWay(node: FleetNode): boolean {
  return isReachable(node) && !isSettled(node);
}

/**
 * It was told while it could be reached to go back, and did not say yet that it is there. `deadlineMs`: so long it is believed to be on
 * its way in silence; where the rollout before told it, whatever it said before that.
 */
export function isGoingBack(
  node: FleetNode,
  row: RolloutNode | undefined,
  { now, deadlineMs }: { readonly now: number; readonly deadlineMs: number },
): boolean {
  if (row?.isBack !== true || row.toldAt === null) return false;
  if (isReachable(node)) return !isSettled(node);
  return (row.wave < 0 || !isSettled(node)) && now < Date.parse(row.toldAt) + deadlineMs;
}

/** That revision lies in its directory, as it said last. */
export function hasInPlace({ word }: FleetNode, digest: string): boolean {
  return word?.active === digest;
}
