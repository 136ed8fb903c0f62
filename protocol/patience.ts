/**
 * How long a node, or its hub, waits for a broker that it asked whether it is there. On a thin link the question stands behind what was said
 * before it: as long as that gets less, or a link of 2 kB/s could still be busy with it, silence proves nothing. Pure.
 */

/** For an answer on a link that is free. */
export const ANSWER_MS = 45_000;
/** How often it is looked. */
export const LOOK_MS = 5_000;
/** The thinnest link that is made for: as for what comes (agent/link/packet-limit.ts). */
const BYTES_PER_MS = 2;

/** What stands between it and the broker. */
export interface OnItsWay {
  /** Bytes that the process has not handed to the system yet. */
  readonly queued: number;
  /** Bytes of messages that the broker has not acknowledged; the first are among them. */
  readonly unacknowledged: number;
}

/** Since the question. */
export interface Patience {
  /** When it was asked, or the queue was last seen to get shorter (monotonic, ms). */
  readonly movedAtMs: number;
  /** From then on. */
  readonly patienceMs: number;
  readonly queued: number;
}

/** What is said later stands behind the question. */
export function asked(nowMs: number, { queued, unacknowledged }: OnItsWay): Patience {
  const patienceMs = ANSWER_MS + Math.ceil(unacknowledged / BYTES_PER_MS);
  return { movedAtMs: nowMs, patienceMs, queued };
}

/** Nothing was heard, and so much is still queued. */
export function looked(before: Patience, nowMs: number, queued: number): Patience {
  const movedAtMs = queued < before.queued ? nowMs : before.movedAtMs;
  return { ...before, movedAtMs, queued };
}

/** How long until the broker is given up; 0: now. */
export function patienceLeftMs({ movedAtMs, patienceMs }: Patience, nowMs: number): number {
  return Math.max(0, movedAtMs + patienceMs - nowMs);
}
