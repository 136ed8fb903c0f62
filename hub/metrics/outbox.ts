/**
 * How long the oldest publication that the broker has not acknowledged has waited. The store does not keep when a publication was made:
 * it is noted here as it is committed, to the second; what was there before counts from the start of the process.
 */
import type { Clock } from '../../protocol/ports.js';
import type { Store } from '../store/store.js';

/** Commits of one second are one entry. */
const GRAIN_MS = 1000;
/** Beyond these the newest are gathered: the oldest is what is asked for. */
const ENTRIES_MAX = 1000;

interface Entry {
  /** Of the newest publication in it. */
  number: number;
  readonly sinceMs: number;
}

/** Pure but for what it holds. */
export class Waiting {
  readonly #entries: Entry[] = [];

  /** Everything up to this number was made by then. */
  made(number: number, nowMs: number): void {
    const newest = this.#entries.at(-1);
    if (newest && number <= newest.number) return;
    const isGathered =
      newest && (nowMs - newest.sinceMs < GRAIN_MS || this.#entries.length >= ENTRIES_MAX);
    if (isGathered) newest.number = number;
    else this.#entries.push({ number, sinceMs: nowMs });
  }

  /** Seconds; 0: nothing waits. `covered`: the broker has everything up to this number. */
  oldestSeconds(covered: number, nowMs: number): number {
    while ((this.#entries[0]?.number ?? Infinity) <= covered) this.#entries.shift();
    const [oldest] = this.#entries;
    return oldest ? (nowMs - oldest.sinceMs) / 1000 : 0;
  }
}

export interface Outbox {
  /** Null before the hub was connected for the first time: nobody knows what the broker has. */
  look(
    covered: number | null,
  ): Promise<{ readonly depth: number; readonly seconds: number } | null>;
  close(): void;
}

export async function watchOutbox(
  store: Pick<Store, 'onCommit' | 'lastPublication' | 'countPublications'>,
  clock: Pick<Clock, 'monotonic'>,
): Promise<Outbox> {
  const waiting = new Waiting();
  const note = async () => waiting.made(await store.lastPublication(), clock.monotonic());
  const close = store.onCommit(touched => {
    // A store that is closed meanwhile has nothing more to say.
    if (touched.has('publish')) note().catch(() => undefined);
  });
  await note();
  return {
    look: async covered => {
      if (covered === null) return null;
      const depth = await store.countPublications(covered);
      const seconds = waiting.oldestSeconds(covered, clock.monotonic());
      return { depth, seconds: depth === 0 ? 0 : seconds };
    },
    close,
  };
}
