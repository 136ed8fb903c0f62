/** How nodes take to a revision, by what they took to those before. Pure. */
import type { Passage } from '../store/experience-records.js';
import type { Temper } from './actor.js';
import { oneOf, type Random } from './random.js';

/** What is taken where nobody was ever measured; it is said. */
export const ASSUMED_SECONDS = 60;
/** So many of a node's own, and it is drawn from them alone. */
const OWN_MIN = 3;

export interface Experience {
  /** Of this bundle; of any where it has none. */
  readonly passages: readonly Passage[];
  readonly failures: number;
  /** Share of passages that failed; 0 where there are none. */
  readonly failureRate: number;
  /** Seconds of those that went well. */
  readonly seconds: readonly number[];
}

export function experienceOf(passages: readonly Passage[]): Experience {
  const failures = passages.filter(({ isHealthy }) => !isHealthy).length;
  const failureRate = passages.length === 0 ? 0 : failures / passages.length;
  return { passages, failures, failureRate, seconds: secondsOf(passages) };
}

function secondsOf(passages: readonly Passage[]): number[] {
  return passages.flatMap(({ isHealthy, seconds }) => (isHealthy ? (seconds ?? []) : []));
}

/**
 * The fleet's rate counts for each node as one passage more: who never failed may, who failed once need not. A failure shows as late as a
 * success does, for what nobody timed.
 */
export function temperOf(
  own: readonly Passage[],
  of: {
    readonly fleet: Experience;
    readonly random: Random;
    readonly minReadySeconds: number;
    /** Of every node; null: as it was. */
    readonly failureRate: number | null;
  },
): Temper {
  const { fleet, random, minReadySeconds } = of;
  const failed = own.filter(({ isHealthy }) => !isHealthy).length;
  const rate = of.failureRate ?? (failed + fleet.failureRate) / (own.length + 1);
  const fails = random() < rate;
  const mine = secondsOf(own);
  const pool = mine.length >= OWN_MIN ? mine : fleet.seconds;
  const seconds = pool.length === 0 ? ASSUMED_SECONDS : oneOf(pool, random);
  return { fails, takesMs: Math.max(1, seconds + minReadySeconds) * 1000 };
}
