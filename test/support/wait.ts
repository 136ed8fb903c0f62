/** Waiting for a condition instead of sleeping. */
import { setTimeout as delay } from 'node:timers/promises';

/** What may explain that a condition never came: asked for only then. */
const witnesses = new Set<() => string>();

/** Gives the way to take it back. An empty string is left out. */
export function whenNever(witness: () => string): () => void {
  witnesses.add(witness);
  return () => witnesses.delete(witness);
}

/** Between two looks, whatever a look costs. */
const LONGEST_PAUSE_MS = 1000;

/**
 * The first value that is neither false, null nor undefined. Throws `what` after the deadline. A look that starts a program is followed by a
 * pause of twice its length: else whoever waits takes the processor from what is waited for.
 */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  options: { withinMs?: number; everyMs?: number } = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + (options.withinMs ?? 60_000);
  let last: unknown;
  for (;;) {
    const begun = performance.now();
    try {
      last = await look();
      if (last !== false && last !== null && last !== undefined)
        return last as NonNullable<Exclude<T, false>>;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last);
      const told = [...witnesses].map(witness => witness()).filter(text => text !== '');
      throw new Error([`never: ${what} (last seen: ${seen})`, ...told].join('\n'));
    }
    const rest = Math.min(2 * (performance.now() - begun), LONGEST_PAUSE_MS);
    await delay(Math.max(options.everyMs ?? 50, rest));
  }
}
