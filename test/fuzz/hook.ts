/** Module loader hooks (`node:module` register): modules whose URL begins with one of the roots come with counters in them. */
import type { LoadHook } from 'node:module';

export interface HookOptions {
  /** Beginnings of the URLs that are instrumented. */
  readonly roots: readonly string[];
}

let roots: readonly string[] = [];
let nextPoint = 0;

export function initialize(options: HookOptions): void {
  ({ roots } = options);
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  const isWanted = loaded.format === 'module' && roots.some(root => url.startsWith(root));
  if (!isWanted || loaded.source === undefined || loaded.source === null) return loaded;
  const source =
    typeof loaded.source === 'string'
      ? loaded.source
      : Buffer.from(loaded.source as Uint8Array).toString('utf8');
  // With the compiler that it loads: for nothing where nothing is instrumented.
  const { instrument } = await import('./instrument.js');
  const { code, points } = instrument(source, nextPoint);
  nextPoint += points;
  return { ...loaded, source: code };
};
