/**
 * What instrumented modules call, and what a fuzzer reads of it: which points one run passed and how often, in AFL's eight buckets
 * (1, 2, 3, 4–7, 8–15, 16–31, 32–127, more), and pairs of texts that were compared and differed.
 */

/** Points of all instrumented modules together. */
const POINTS_MAX = 1 << 18;
/** Comparisons of one run that are kept; the newest push out the oldest. */
const PAIRS_MAX = 64;
const PAIR_LENGTH_MAX = 128;

interface LoadedModule {
  readonly first: number;
  readonly points: number;
  readonly words: readonly string[];
}

const counts = new Uint32Array(POINTS_MAX);
const touched = new Uint32Array(POINTS_MAX);
let length = 0;
const pairs: (readonly [string, string])[] = [];
let pairAt = 0;
const modules: LoadedModule[] = [];

function hit(point: number): void {
  const count = counts[point] ?? 0;
  if (count === 0) touched[length++] = point;
  counts[point] = count + 1;
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'string' && typeof b === 'string') {
    if (a.length <= PAIR_LENGTH_MAX && b.length <= PAIR_LENGTH_MAX) {
      pairs[pairAt++ % PAIRS_MAX] = [a, b];
    }
  }
  return false;
}

/** To be called before the first instrumented module is loaded. Twice is safe. */
export function installCoverage(): void {
  Object.assign(globalThis, {
    __fuzzHit: hit,
    __fuzzSame: same,
    __fuzzModule: (first: number, points: number, words: readonly string[]) => {
      modules.push({ first, points, words });
    },
  });
}

/** Forgets the last run. */
export function beginRun(): void {
  for (let at = 0; at < length; at += 1) counts[touched[at] ?? 0] = 0;
  length = 0;
  pairs.length = 0;
  pairAt = 0;
}

function bucketOf(count: number): number {
  if (count < 4) return 1 << (count - 1);
  if (count < 8) return 8;
  if (count < 16) return 16;
  if (count < 32) return 32;
  return count < 128 ? 64 : 128;
}

/** Of one target: every point and bucket that some run has reached. */
export class Seen {
  readonly #buckets = new Uint8Array(POINTS_MAX);
  #points = 0;

  get points(): number {
    return this.#points;
  }

  /** How many points of the last run are new, alone or in how often they were passed; they are known from now on. */
  take(): number {
    let fresh = 0;
    for (let at = 0; at < length; at += 1) {
      const point = touched[at] ?? 0;
      const known = this.#buckets[point] ?? 0;
      const bucket = bucketOf(counts[point] ?? 0);
      if ((known & bucket) !== 0) continue;
      if (known === 0) this.#points += 1;
      this.#buckets[point] = known | bucket;
      fresh += 1;
    }
    return fresh;
  }

  has(point: number): boolean {
    return (this.#buckets[point] ?? 0) !== 0;
  }
}

/** Texts that the last run compared and found different. */
export function comparedPairs(): readonly (readonly [string, string])[] {
  return pairs;
}

/** The literals of every module of which something ran. */
export function wordsOf(seen: Seen): string[] {
  const words = new Set<string>();
  for (const { first, points, words: own } of modules) {
    let isReached = false;
    for (let at = first; at < first + points && !isReached; at += 1) isReached = seen.has(at);
    if (isReached) for (const word of own) words.add(word);
  }
  return [...words].sort();
}
