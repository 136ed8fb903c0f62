/**
 * How long a switch waits for the content of the revision that could be gone back to: a journal that began anew has its files and no more
 * of it, and the hub is asked for the rest. Not longer than this: the hub may have lost it, or be away. Holds since when each waits;
 * counted by a clock that nobody sets, anew after a restart of the agent.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { Clock } from '../../protocol/ports.js';
import type { BundleName } from '../ports.js';
import { bundleKey } from './decide.js';
import { isInVain, type Lacking, type Whereabouts } from './lacking.js';
import type { Step } from './waiting-for.js';

/** Reason of a bundle that is to be switched, and waits for the content of what it could come back to. */
export const FORMER_MISSING = 'FormerMissing';

/** Two questions to the hub and their answers. */
export const FORMER_WAIT_MS = 120_000;

/** Null: it does not wait. `waitedMs`: for this already. Pure. */
export function formerStep(
  lacking: readonly Pick<Lacking, 'digest'>[],
  { whereabouts, waitedMs }: { whereabouts: (digest: string) => Whereabouts; waitedMs: number },
): Step | null {
  if (lacking.length === 0 || waitedMs >= FORMER_WAIT_MS) return null;
  if (lacking.some(({ digest }) => isInVain(whereabouts(digest)))) return null;
  const what = 'content of the revision that could be gone back to';
  const message = `${what} is not here since the journal began anew; the hub is asked for it, for ${FORMER_WAIT_MS / 1000} s at most`;
  return { event: 'obstacle', reason: FORMER_MISSING, message };
}

export interface FormerWaitParts {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly whereabouts: (digest: string) => Whereabouts;
}

export class FormerWait {
  readonly #parts: FormerWaitParts;
  readonly #since = new Map<string, { readonly digest: string; readonly at: number }>();

  constructor(parts: FormerWaitParts) {
    this.#parts = parts;
  }

  /** For when nothing else keeps `next` from its place. */
  judge(next: AssignedBundle, lacking: readonly Lacking[]): Step | null {
    const key = bundleKey(next);
    if (lacking.length === 0) {
      this.#since.delete(key);
      return null;
    }
    const now = this.#parts.clock.monotonic();
    const known = this.#since.get(key);
    const since = known?.digest === next.digest ? known : { digest: next.digest, at: now };
    this.#since.set(key, since);
    const { whereabouts } = this.#parts;
    return formerStep(lacking, { whereabouts, waitedMs: now - since.at });
  }

  /** Those that are not listed wait for nothing. */
  keepOnly(assigned: readonly BundleName[]): void {
    const kept = new Set(assigned.map(bundleKey));
    for (const key of this.#since.keys()) if (!kept.has(key)) this.#since.delete(key);
  }

  /** Milliseconds until one has waited long enough; null: none waits. */
  againInMs(): number | null {
    const now = this.#parts.clock.monotonic();
    const left = [...this.#since.values()].map(({ at }) => at + FORMER_WAIT_MS - now);
    const ahead = left.filter(ms => ms > 0);
    return ahead.length === 0 ? null : Math.min(...ahead);
  }
}
