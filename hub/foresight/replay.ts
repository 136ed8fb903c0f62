/** A node's connection in a time to come, as it was in a time that was recorded. Pure. */
import type { ConnectionChange } from '../store/experience-records.js';
import type { Random } from './random.js';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** A stretch of the record, lived through again and again. Times are milliseconds since 1970. */
export interface Replay {
  readonly isOnlineNow: boolean;
  readonly now: number;
  readonly changes: readonly ConnectionChange[];
  readonly from: number;
  readonly lengthMs: number;
  /** Where in it the time to come begins. */
  readonly phaseMs: number;
}

/** It stays as it is. */
export function unchanging(isOnlineNow: boolean, now: number): Replay {
  return { isOnlineNow, now, changes: [], from: now, lengthMs: HOUR_MS, phaseMs: 0 };
}

/**
 * What was recorded a whole number of days ago comes again from now on, so that the hours of the day are what they were; `chance`, one for
 * all nodes of a run, says how many, so that what was away together is away together. Of less than a day: any moment of it.
 */
export function replayOf(
  changes: readonly ConnectionChange[],
  { isOnlineNow, now, chance }: { isOnlineNow: boolean; now: number; chance: number },
): Replay {
  const [first] = changes;
  if (first === undefined || first.at >= now) return unchanging(isOnlineNow, now);
  const spanMs = now - first.at;
  const days = Math.floor(spanMs / DAY_MS);
  const common = { isOnlineNow, now, changes };
  if (days < 1) {
    return { ...common, from: first.at, lengthMs: spanMs, phaseMs: Math.floor(chance * spanMs) };
  }
  const lengthMs = (1 + Math.floor(chance * days)) * DAY_MS;
  return { ...common, from: now - lengthMs, lengthMs, phaseMs: 0 };
}

function positionOf({ now, from, lengthMs, phaseMs }: Replay, at: number): number {
  return from + ((((at - now + phaseMs) % lengthMs) + lengthMs) % lengthMs);
}

/** How many changes are at or before that moment of the record. */
function countBefore(changes: readonly ConnectionChange[], position: number): number {
  let [low, high] = [0, changes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((changes[middle]?.at ?? Infinity) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

function recordedAt(replay: Replay, position: number): boolean {
  const { changes, isOnlineNow } = replay;
  const [first] = changes;
  if (first === undefined) return isOnlineNow;
  const before = changes[countBefore(changes, position) - 1];
  return before?.online ?? !first.online;
}

/** Now it is as it is, until the record changes for the first time. */
export function isOnlineAt(replay: Replay, at: number): boolean {
  if (at <= replay.now) return replay.isOnlineNow;
  const first = nextChange(replay, replay.now);
  return first === null || at < first
    ? replay.isOnlineNow
    : recordedAt(replay, positionOf(replay, at));
}

/** The first moment after `at` when it comes or goes; null: never. */
export function nextChange(replay: Replay, at: number): number | null {
  const { changes, from, lengthMs, now, isOnlineNow } = replay;
  let is = at <= now ? isOnlineNow : recordedAt(replay, positionOf(replay, at));
  let moment = at;
  // Each change of the record once, and the seam.
  for (let tries = 0; tries <= changes.length + 2; tries++) {
    const position = positionOf(replay, moment);
    const next = changes[countBefore(changes, position)];
    const end = from + lengthMs;
    const step = next !== undefined && next.at < end ? next.at - position : end - position;
    moment += step;
    const after = recordedAt(replay, positionOf(replay, moment));
    if (after !== is) return moment;
    is = after;
  }
  return null;
}

/** For nodes without a record: that of any other. */
export function borrowed(
  records: readonly (readonly ConnectionChange[])[],
  random: Random,
): readonly ConnectionChange[] {
  return records[Math.floor(random() * records.length)] ?? [];
}
