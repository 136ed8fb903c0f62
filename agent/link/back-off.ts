/** How long the node waits between two tries to connect. Pure. */

const BACK_OFF_MIN_MS = 1_000;
const BACK_OFF_MAX_MS = 60_000;
/** Over so much the tries of a fleet are spread whose broker went away: of a thousand nodes two hundred come within a second. */
const FLEET_MS = 10_000;

/** How a connection that was there ended. */
export interface Ending {
  /** The node gave it up: nothing came any more. */
  readonly isCut: boolean;
  /** Of the socket's error (`ECONNRESET`); null: it was closed in order. */
  readonly code: string | null;
  /** It ended upon what was said after a silence: a NAT or firewall on the path forgot it. */
  readonly isForgotten: boolean;
}

/** What only the broker's machine, or what stands before it, says. All else is the node's own path. */
const FROM_THERE: readonly (string | null)[] = [null, 'ECONNRESET', 'EPIPE'];

/** Whether all nodes may have lost their connection at this moment, as when a broker starts anew. */
export function isForAll({ isCut, code, isForgotten }: Ending): boolean {
  return !isCut && !isForgotten && FROM_THERE.includes(code);
}

/**
 * `attempt`: tries before this one; `random`: 0 ≤ x < 1. Half of it is certain, half is chance, so that a fleet does not come back in
 * one moment. After an end for all it is nearly all chance, over ten seconds at least, until half of it is more than that ("full jitter":
 * M. Brooker, Exponential Backoff And Jitter, AWS 2015).
 */
export function backOffMs(attempt: number, random: number, forAll = false): number {
  const whole = Math.min(BACK_OFF_MAX_MS, BACK_OFF_MIN_MS * 2 ** Math.min(attempt, 16));
  const least = forAll && whole / 2 < FLEET_MS ? BACK_OFF_MIN_MS / 2 : whole / 2;
  const most = forAll ? Math.max(FLEET_MS, whole) : whole;
  return Math.round(least + (most - least) * random);
}
