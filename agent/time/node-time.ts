/**
 * What time it is for this node, as pure functions over what is proven: the floor of signed
 * documents, the hub's answer, the machine's own clock (security.md 1.6). Time only ever stops the
 * acceptance of a new document. The bare system clock proves nothing and becomes no floor.
 */
import type { StatusDocument } from '../../protocol/documents/node.js';
import type { RootDocument } from '../../protocol/documents/root.js';

/** A time that the hub's key stands for, good in its epoch alone: a later root may drop it (S17). */
export interface HubTime {
  readonly epoch: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** The hub's answer, and when it came: from then on the machine's uptime counts on. */
export interface LearnedTime extends HubTime {
  /** Milliseconds of the machine's uptime. */
  readonly at: number;
}

export interface TimeFacts {
  /** The system clock, milliseconds since 1970. */
  readonly clock: number;
  /** Milliseconds since the machine was started, sleep included; never jumps. */
  readonly uptime: number;
  /** No machine runs this program before this time. */
  readonly releasedAt: number;
  readonly root: Pick<RootDocument, 'epoch' | 'issued' | 'expires'>;
  /** The highest that assignments and answers said. */
  readonly hubFloor: HubTime | null;
  readonly learned: LearnedTime | null;
  /** The kernel says that something disciplines its clock. */
  readonly kernelSynced: boolean;
  /** How long the floor has been known to this process: so much later it is at least. */
  readonly floorKnownMs: number;
}

export interface NodeTime {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly clock: StatusDocument['clock'];
  /** What signed documents prove to be past. */
  readonly floor: number;
  /** Milliseconds to add to the system clock; null: nobody told. */
  readonly offset: number | null;
}

/** What no hub can lower. */
export function rootFloor({ releasedAt, root }: Pick<TimeFacts, 'releasedAt' | 'root'>): number {
  return Math.max(releasedAt, Date.parse(root.issued));
}

/**
 * The hub's answer goes before the clock. A clock beyond the root's own end is not believed, yet
 * cannot be proven wrong; one between floor and end is taken, and called proven only where the
 * kernel says so.
 */
export function nodeTime(facts: TimeFacts): NodeTime {
  const { clock, uptime, root, hubFloor, learned, floorKnownMs } = facts;
  const hub = hubFloor?.epoch === root.epoch ? hubFloor.time : 0;
  const floor = Math.max(rootFloor(facts), hub);
  const least = floor + floorKnownMs;
  if (learned?.epoch === root.epoch) {
    const told = learned.time + (uptime - learned.at);
    const offset = Math.round(told - clock);
    const isPossible = told + HASTE_MS >= floor;
    return { now: Math.max(told, floor), clock: isPossible ? 'synced' : 'floor', floor, offset };
  }
  if (clock < floor) return { now: least, clock: 'floor', floor, offset: null };
  const isBelieved = clock <= Date.parse(root.expires);
  const proven = facts.kernelSynced ? 'synced' : 'floor';
  return { now: clock, clock: isBelieved ? proven : 'suspect', floor, offset: null };
}

/**
 * Whether `now` is the time and no mere bound of it. The bare clock of a machine that has none while it is off stands for nothing:
 * it goes on from where it was, or from 1970.
 */
export function isTimeKnown(
  { now, clock: standing, offset }: NodeTime,
  { clock, hasRealTimeClock }: { readonly clock: number; readonly hasRealTimeClock: boolean },
): boolean {
  if (standing === 'synced') return true;
  return standing === 'floor' && offset === null && now === clock && hasRealTimeClock;
}

/** An assignment travels faster than its hub's answer was measured. */
const HASTE_MS = 10_000;
const DAY_MS = 86_400_000;

/**
 * A time that the system clock gave, as it is told. Where the clock was years off, a time that is
 * possible as it stands is from before it went wrong. Nothing lies in the future.
 */
export function correctedAt(at: number, { by, now, floor }: Correction): number {
  if (by === 0) return at;
  const isPossible = at >= floor && at <= now;
  if (isPossible && Math.abs(by) >= DAY_MS) return at;
  return Math.min(at + by, now);
}

/**
 * The date of a row that is kept: of the system clock, unless the node's time is proven and a day or more away from it. Such a date is
 * possible as it stands: `correctedAt` leaves it alone, and it is right still when the system clock is.
 */
export function stampedAt({ clock, told, by, isProven }: Stamping): number {
  return isProven && Math.abs(by) >= DAY_MS ? told : clock;
}

export interface Stamping {
  /** The system clock and the node's time as it is told, milliseconds since 1970. */
  readonly clock: number;
  readonly told: number;
  /** What is added to times of the system clock. */
  readonly by: number;
  readonly isProven: boolean;
}

export interface Correction {
  readonly by: number;
  /** The node's time. */
  readonly now: number;
  /** What the root proves to be past. */
  readonly floor: number;
}
