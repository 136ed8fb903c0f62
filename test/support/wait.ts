/** Waiting for a condition instead of sleeping. */
import { setTimeout as delay } from 'node:timers/promises';

/** What may explain that a condition never came: asked for only then. */
const witnesses = new Set<() => string>();

/** Gives the way to take it back. An empty string is left out. */
export function whenNever(witness: () => string): () => void {
  witnesses.add(witness);
  return () => witnesses.delete(witness);
}

/** The first value that is neither false, null nor undefined. Throws `what` after the deadline. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  options: { withinMs?: number; everyMs?: number } = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + (options.withinMs ?? 60_000);
  let last: unknown;
  for (;;) {
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
    await delay(options.everyMs ?? 50);
  }
}
