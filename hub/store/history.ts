/**
 * The changes of late, in memory, one ring per kind, bounded by number and bytes, so that a flood of one kind does not expire
 * watches of another. A watch is a cursor into its ring: whoever falls behind the ring's tail is
 * `Expired`, and a slow receiver costs no memory (the watch cache of the Kubernetes API server
 * works alike).
 */
import { type Change, type ObjectKind, StoreError } from './store.js';
import { toObject, type KeptChange, type ObjectRow } from './object-row.js';

/** Changes that a ring holds, and so the farthest that a receiver may fall behind. */
export const HISTORY_MAX = 10_000;
/** Of their text, in one ring: what it grows to in a large fleet. The newest change is kept however large it is. */
export const HISTORY_BYTES_MAX = 16 * 1024 * 1024;

/** Positions count all changes since the store was opened; the ring holds those from `first` up to `end`. */
class Ring {
  readonly #changes: (KeptChange | undefined)[] = [];
  readonly #bytes: number[] = [];
  /** Of each object the newest row in the ring: what the next change was made of, so that it is not kept twice. */
  readonly #newest = new Map<string, ObjectRow>();
  readonly waiting = new Set<() => void>();
  /** The newest resourceVersion from which on nothing is missing. */
  floor: number;
  first = 0;
  end = 0;
  #allBytes = 0;

  constructor(floor: number) {
    this.floor = floor;
  }

  at(position: number): KeptChange {
    const change = this.#changes[position % HISTORY_MAX];
    if (!change) throw new RangeError(`no change at position ${position}`);
    return change;
  }

  push(change: KeptChange): void {
    if (this.end - this.first === HISTORY_MAX) this.#forgetFirst();
    const key = keyOf(change.row);
    const { kept, bytes } = sharing(change, this.#newest.get(key));
    if (kept.type === 'DELETED') this.#newest.delete(key);
    else this.#newest.set(key, kept.row);
    this.#changes[this.end % HISTORY_MAX] = kept;
    this.#bytes[this.end % HISTORY_MAX] = bytes;
    this.#allBytes += bytes;
    this.end++;
    while (this.#allBytes > HISTORY_BYTES_MAX && this.end - this.first > 1) this.#forgetFirst();
  }

  #forgetFirst(): void {
    const { row } = this.at(this.first);
    const slot = this.first % HISTORY_MAX;
    this.floor = row.resource_version;
    if (this.#newest.get(keyOf(row)) === row) this.#newest.delete(keyOf(row));
    this.#allBytes -= this.#bytes[slot] ?? 0;
    this.#changes[slot] = undefined;
    this.first++;
  }

  /** The position of the first change after a resourceVersion. */
  after(resourceVersion: number): number {
    let low = this.first;
    let high = this.end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.at(middle).row.resource_version > resourceVersion) high = middle;
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
      const ring = this.#ring(change.row.kind);
      ring.push(change);
      grown.add(ring);
      this.#current = change.row.resource_version;
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
          `the receiver fell behind the last ${ring.end - ring.first} changes, which are all that are kept; list again`,
        );
      }
      if (position < ring.end) yield told(ring.at(position++));
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

function told({ type, row, previous }: KeptChange): Change {
  return { type, object: toObject(row), previous: previous && toObject(previous) };
}

function keyOf({ namespace, name }: ObjectRow): string {
  return `${namespace}/${name}`;
}

/** Of what a row takes beside its text. */
const ROW_BYTES = 500;
const TEXTS = ['labels', 'annotations', 'spec', 'status'] as const;

/** The change with what `newest` has of it already; `bytes`: of the rest. */
function sharing(
  change: KeptChange,
  newest: ObjectRow | undefined,
): { readonly kept: KeptChange; readonly bytes: number } {
  const { previous } = change;
  const isNewest = previous !== null && newest?.resource_version === previous.resource_version;
  const before = isNewest ? newest : previous;
  const shared = TEXTS.filter(text => before?.[text] === change.row[text]);
  const texts = Object.fromEntries(shared.map(text => [text, before?.[text]]));
  const row: ObjectRow = { ...change.row, ...texts };
  const own = TEXTS.filter(text => !shared.includes(text));
  const bytes = ROW_BYTES + bytesOf(row, own) + (isNewest ? 0 : bytesOf(previous, TEXTS));
  return { kept: { ...change, row, previous: before }, bytes };
}

function bytesOf(row: ObjectRow | null, texts: readonly (typeof TEXTS)[number][]): number {
  return texts.reduce((sum, text) => sum + (row?.[text].length ?? 0), 0);
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
