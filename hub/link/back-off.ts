/** How long the hub waits before it tries its broker again: doubling from 1 s to 30 s, with jitter. Pure. */
const BACK_OFF_MIN_MS = 1_000;
const BACK_OFF_MAX_MS = 30_000;

/** Delay before the next attempt; `random`: 0 ≤ x < 1. */
export function hubBackOffMs(attempt: number, random: number): number {
  const most = Math.min(BACK_OFF_MAX_MS, 2 * BACK_OFF_MIN_MS * 2 ** Math.min(attempt, 16));
  return Math.round(BACK_OFF_MIN_MS + (most - BACK_OFF_MIN_MS) * random);
}

/** Four random bytes as 0 ≤ x < 1. */
export function fractionOf(bytes: Uint8Array): number {
  return Buffer.from(bytes).readUInt32BE() / 2 ** 32;
}
