/**
 * The values of a sealed Secret, as a map that opens the envelope each time a value is read and holds none in between. The names
 * of its keys are no secret and are kept. What is read is a copy for one use (`opened-bytes.ts`).
 */
import type { OpenedSecret } from '../../protocol/verify-secret.js';
import { openedCopy } from './opened-bytes.js';

export class SealedData implements ReadonlyMap<string, Uint8Array> {
  readonly #open: () => OpenedSecret;
  readonly #names: ReadonlySet<string>;

  /** `open` throws a sentence when the envelope cannot be opened (any more). */
  constructor(open: () => OpenedSecret, names: Iterable<string>) {
    this.#open = open;
    this.#names = new Set(names);
  }

  get size(): number {
    return this.#names.size;
  }

  has(key: string): boolean {
    return this.#names.has(key);
  }

  get(key: string): Uint8Array | undefined {
    return this.#names.has(key) ? this.#read([key])[0]?.[1] : undefined;
  }

  keys(): MapIterator<string> {
    return this.#names.keys();
  }

  values(): MapIterator<Uint8Array> {
    return new Map(this.#read([...this.#names])).values();
  }

  entries(): MapIterator<[string, Uint8Array]> {
    return new Map(this.#read([...this.#names])).entries();
  }

  [Symbol.iterator](): MapIterator<[string, Uint8Array]> {
    return this.entries();
  }

  forEach(
    call: (value: Uint8Array, key: string, map: ReadonlyMap<string, Uint8Array>) => void,
  ): void {
    for (const [key, value] of this.entries()) call(value, key, this);
  }

  #read(keys: readonly string[]): [string, Uint8Array][] {
    const { data, wipe } = this.#open();
    try {
      return keys.flatMap((key): [string, Uint8Array][] => {
        const value = data.get(key);
        return value === undefined ? [] : [[key, openedCopy(value)]];
      });
    } finally {
      wipe();
    }
  }
}
