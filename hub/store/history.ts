/**
 * The changes of late, in memory, one ring per kind, so that a flood of one kind does not expire
 * watches of another. A watch is a cursor into its ring: whoever falls behind the ring's tail is
 * `Expired`, and a slow receiver costs no memory (the watch cache of the Kubernetes API server
 * works alike).
 */
import { type Change, type ObjectKind, StoreError } from './store.js';
import type { KeptChange } from './write.js';

/** Changes that a ring holds, and so the farthest that a receiver may fall behind. */
export const HISTORY_MAX = 10_000;

/**
 * Positions count all changes since the store was opened; the ring holds those from `first` up to
 * `end`.
 */
class Ring {
  readonly #changes: KeptChange[] = [];
  readonly waiting = new Set<() => void>();
  /** The newest resourceVersion from which on nothing is missing. */
  floor: number;
  end = 0;

  constructor(floor: number) {
    this.floor = floor;
  }

  get first(): number {
    return Math.max(0, this.end - HISTORY_MAX);
  }

  at(position: number): KeptChange {
    const change = this.#changes[position % HISTORY_MAX];
    if (!change) throw new RangeError(`no change at position ${position}`);
    return change;
  }

  push(change: KeptChange): void {
    if (this.end >= HISTORY_MAX) this.floor = this.at(this.first).resourceVersion;
    this.#changes[this.end % HISTORY_MAX] = change;
    this.end++;
  }

  /** The position of the first change after a resourceVersion. */
  after(resourceVersion: number): number {
    let low = this.first;
    let high = this.end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.at(middle).resourceVersion > resourceVersion) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

export class History {
  readonly #rings = new Map<ObjectKind, Ring>();
  readonly #start: number;
  #current: number;
  #closed = false;

  /** `resourceVersion`: the store's when it was opened; nothing before it can be told. */
  constructor(resourceVersion: number) {
    this.#start = resourceVersion;
    this.#current = resourceVersion;
  }

  /** Takes what was committed, ascending by resourceVersion, and wakes the watches it concerns. */
  append(changes: readonly KeptChange[]): void {
    const grown = new Set<Ring>();
    for (const change of changes) {
      const ring = this.#ring(change.kind);
      ring.push(change);
      grown.add(ring);
      this.#current = change.resourceVersion;
    }
    for (const ring of grown) for (const wake of [...ring.waiting]) wake();
  }

  /** Ends all watches. */
  close(): void {
    this.#closed = true;
    for (const ring of this.#rings.values()) for (const wake of [...ring.waiting]) wake();
  }

  async *watch(
    kind: ObjectKind,
    resourceVersion: string,
    signal: AbortSignal,
  ): AsyncGenerator<Change, void, void> {
    const ring = this.#ring(kind);
    let position = this.#position(ring, resourceVersion);
    while (!signal.aborted && !this.#closed) {
      if (position < ring.first) {
        throw new StoreError(
          'Expired',
          `the receiver fell more than ${HISTORY_MAX} changes behind; list again`,
        );
      }
      if (position < ring.end) yield ring.at(position++).read();
      else await grown(ring, signal);
    }
  }

  #position(ring: Ring, resourceVersion: string): number {
    const version = /^\d{1,15}$/.test(resourceVersion) ? Number(resourceVersion) : null;
    if (version === null || version < ring.floor || version > this.#current) {
      throw new StoreError(
        'Expired',
        `resourceVersion ${JSON.stringify(resourceVersion)} is not within the history ` +
          `(${ring.floor} to ${this.#current}); list again`,
      );
    }
    return ring.after(version);
  }

  #ring(kind: ObjectKind): Ring {
    let ring = this.#rings.get(kind);
    if (!ring) {
      ring = new Ring(this.#start);
      this.#rings.set(kind, ring);
    }
    return ring;
  }
}

/** Resolves when the ring has grown, the store closes or the signal aborts. */
function grown(ring: Ring, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const wake = () => {
      ring.waiting.delete(wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    ring.waiting.add(wake);
    signal.addEventListener('abort', wake);
  });
}
