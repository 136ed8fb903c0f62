/** How long the hub waits before it connects to its broker again: from 1 s to 30 s, doubling, by chance. Pure. */

const MIN_MS = 1_000;
const MAX_MS = 30_000;

/** Delay before the next attempt; `random`: 0 ≤ x < 1. */
export function hubBackOffMs(attempt: number, random: number): number {
  const most = Math.min(MAX_MS, 2 * MIN_MS * 2 ** Math.min(attempt, 16));
  return Math.round(MIN_MS + (most - MIN_MS) * random);
}

/** 0 ≤ x < 1, of four random bytes. */
export function fractionOf(bytes: Uint8Array): number {
  return Buffer.from(bytes).readUInt32BE() / 2 ** 32;
}
