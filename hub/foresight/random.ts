/** Chance that repeats: the same seed gives the same numbers. Mulberry32; good enough to rehearse with, and for nothing secret. Pure. */

/** From 0 to below 1. */
export type Random = () => number;

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Of a list that is not empty. */
export function oneOf<T>(list: readonly T[], random: Random): T {
  const found = list[Math.min(list.length - 1, Math.floor(random() * list.length))];
  if (found === undefined) throw new Error('one of nothing');
  return found;
}
