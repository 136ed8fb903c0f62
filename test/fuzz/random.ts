/** Choices that one seed gives again and again. */
import { createHash } from 'node:crypto';
import { randomOf } from '../support/random.js';

export interface Random {
  /** A whole number from 0 to below `limit`; 0 where the limit is below 1. */
  below(limit: number): number;
  /** The list must not be empty. */
  pick<T>(list: readonly T[]): T;
}

/** Another sequence for every name, so that one target does the same whichever others run. */
export function seededRandom(seed: number, name: string): Random {
  const digest = createHash('sha256').update(`${seed} ${name}`).digest();
  const next = randomOf(digest.readInt32BE(0));
  const below = (limit: number) => Math.floor(next() * Math.max(1, limit));
  return { below, pick: list => list[below(list.length)] as (typeof list)[number] };
}
