/**
 * How often the probes of one container may be heard: a container that fails for weeks must not fill the journal.
 * 25 events at once, then one every five minutes, as the kubelet's own spam filter lets through (client-go
 * `EventSourceObjectSpamFilter`). Pure.
 */

const BURST = 25;
const REFILL_MS = 300_000;

export interface Allowance {
  readonly left: number;
  readonly at: number;
}

export const FULL_ALLOWANCE: Allowance = { left: BURST, at: 0 };

/** `now` is of a clock that never jumps. Null: this one is not told. */
export function spend({ left, at }: Allowance, now: number): Allowance | null {
  const full = Math.min(BURST, left + Math.max(0, now - at) / REFILL_MS);
  return full < 1 ? null : { left: full - 1, at: now };
}
