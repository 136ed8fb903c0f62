/**
 * Bytes told by what they have in common with others that the reader has: what is copied from there, and what is new between. Made for
 * documents of which a few places changed, whatever their size. Nothing is ever made that is larger than the reader's limit; whether it
 * is what was meant, its digest or signature tells, not this. Pure. (The idea is that of VCDIFF, RFC 3284, without its tables.)
 *
 * Number of bytes, number of copies; for each the new bytes before it, how far its place in the base lies from the end of the last one
 * (even: behind it, odd: before it), its length; then 1 if the rest, all new bytes, is deflated, else 0. Numbers are LEB128.
 */
import { deflateRawSync } from 'node:zlib';
import { inflated, PACKED_DICTIONARY } from './packed-dictionary.js';

/** What two have in common is found from this many bytes on; of a large base, at every so many. */
const SMALL = { block: 12, step: 1 };
const LARGE = { block: 32, step: 16 };
const SMALL_BYTES_MAX = 32 * 1024;
/** No number here is larger. */
const NUMBER_MAX = 2 ** 31 - 1;

interface Copy {
  /** New bytes before it. */
  readonly fresh: number;
  readonly from: number;
  readonly length: number;
}

/** What makes `target` of `base`; always something, at worst all of it as new bytes. */
export function deltaOf(base: Uint8Array, target: Uint8Array): Buffer {
  const [from, to] = [bufferOf(base), bufferOf(target)];
  const copies = copiesIn(from, to);
  const news: Buffer[] = [];
  const numbers = [to.byteLength, copies.length];
  let [at, last] = [0, 0];
  for (const { fresh, from: place, length } of copies) {
    news.push(to.subarray(at, at + fresh));
    const distance = place - last;
    numbers.push(fresh, distance < 0 ? -2 * distance - 1 : 2 * distance, length);
    at += fresh + length;
    last = place + length;
  }
  const fresh = Buffer.concat([...news, to.subarray(at)]);
  const deflated = deflateRawSync(fresh, { level: 9, dictionary: PACKED_DICTIONARY });
  const isShorter = deflated.byteLength < fresh.byteLength;
  const head = [...numbers.flatMap(written), Number(isShorter)];
  return Buffer.concat([Buffer.from(head), isShorter ? deflated : fresh]);
}

/** Null for what is no delta on this base, or gives more than `bytesMax`. */
export function applyDelta(base: Uint8Array, delta: Uint8Array, bytesMax: number): Buffer | null {
  const from = bufferOf(base);
  const reader = new NumberReader(delta);
  const total = reader.next();
  const count = reader.next();
  // Each copy has three numbers.
  if (total > bytesMax || count * 3 > delta.byteLength) return null;
  const copies: Copy[] = [];
  let [copied, freshly, last] = [0, 0, 0];
  for (let index = 0; index < count; index++) {
    const fresh = reader.next();
    const distance = reader.next();
    const place = last + (distance % 2 === 0 ? distance / 2 : -(distance + 1) / 2);
    const length = reader.next();
    copied += length;
    freshly += fresh;
    last = place + length;
    if (place < 0 || last > from.byteLength || copied + freshly > total) return null;
    copies.push({ fresh, from: place, length });
  }
  const how = reader.next();
  const news = how > 1 ? null : newBytes(reader.rest(), { how, bytes: total - copied });
  if (news === null) return null;
  const pieces: Buffer[] = [];
  let at = 0;
  for (const { fresh, from: place, length } of copies) {
    pieces.push(news.subarray(at, at + fresh), from.subarray(place, place + length));
    at += fresh;
  }
  return Buffer.concat([...pieces, news.subarray(at)], total);
}

/** Null for another number of them. */
function newBytes(
  rest: Uint8Array,
  { how, bytes }: { readonly how: number; readonly bytes: number },
): Buffer | null {
  if (how === 0) return rest.byteLength === bytes ? bufferOf(rest) : null;
  const news = inflated(rest, bytes);
  return typeof news !== 'string' && news?.byteLength === bytes ? news : null;
}

/** In the order of `target`. What goes on where the last copy ended, or would have, is preferred: it takes the fewest. */
function copiesIn(base: Buffer, target: Buffer): Copy[] {
  const { block, step } = base.byteLength > SMALL_BYTES_MAX ? LARGE : SMALL;
  const places = new Map<string, number>();
  for (let at = 0; at + block <= base.byteLength; at += step) {
    const key = base.toString('latin1', at, at + block);
    if (!places.has(key)) places.set(key, at);
  }
  const copies: Copy[] = [];
  let [told, last] = [0, 0];
  for (let at = 0; at + block <= target.byteLength;) {
    const beside = last + at - told;
    const isBeside =
      beside + block <= base.byteLength &&
      base.compare(target, at, at + block, beside, beside + block) === 0;
    const found = isBeside ? beside : places.get(target.toString('latin1', at, at + block));
    if (found === undefined) {
      at += 1;
      continue;
    }
    let [start, from] = [at, found];
    while (start > told && from > 0 && target[start - 1] === base[from - 1]) {
      start -= 1;
      from -= 1;
    }
    let length = at + block - start;
    while (
      from + length < base.byteLength &&
      start + length < target.byteLength &&
      target[start + length] === base[from + length]
    ) {
      length += 1;
    }
    copies.push({ fresh: start - told, from, length });
    at = told = start + length;
    last = from + length;
  }
  return copies;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** LEB128. */
export function written(number: number): number[] {
  const bytes: number[] = [];
  for (let left = number; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left];
    bytes.push((left % 128) | 128);
  }
}

/** Reads numbers, then bytes, from the beginning. What is not there, or too large, is infinitely large: no limit lets it pass. */
export class NumberReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  next(): number {
    let number = 0;
    for (let factor = 1; factor <= NUMBER_MAX; factor *= 128) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return Infinity;
      this.#at += 1;
      number += (byte % 128) * factor;
      if (byte < 128) return number > NUMBER_MAX ? Infinity : number;
    }
    return Infinity;
  }

  /** Null when there are fewer. */
  take(count: number): Uint8Array | null {
    const end = this.#at + count;
    if (end > this.#bytes.byteLength) return null;
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }
}
