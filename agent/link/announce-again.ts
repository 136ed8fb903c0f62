/**
 * When a node says again that it is there, because the broker holds something else: the will of a former connection that came late, a copy that
 * somebody replays, or nothing, because the hub cleared what is left of a node that was deleted. Whoever contradicts it again and again is
 * answered more and more rarely: each answer is bytes on the node's link. Pure.
 */

export interface Announced {
  /** Monotonic milliseconds: the newest announcement, or when the next one is due. */
  readonly at: number;
  /** What lay before it, milliseconds. */
  readonly waitMs: number;
}

const FIRST_MS = 5_000;
const MOST_MS = 3_600_000;

/** With CONNECT: a contradiction soon after it is answered after five seconds. */
export function announcedNow(now: number): Announced {
  return { at: now, waitMs: 0 };
}

/** Null: one is due already. `waitMs` doubles from five seconds to an hour, and begins anew after a silence of twice that. */
export function announcedNext(before: Announced, now: number): Announced | null {
  if (before.at > now) return null;
  const isOver = now - before.at > 2 * before.waitMs;
  const waitMs = before.waitMs === 0 || isOver ? FIRST_MS : Math.min(MOST_MS, 2 * before.waitMs);
  return { at: Math.max(now, before.at + waitMs), waitMs };
}
