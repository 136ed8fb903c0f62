/** Changes of bytes as AFL makes them: flips, arithmetic, interesting values, blocks moved, words of the format, splices. Pure. */
import type { Random } from './random.js';

const INTERESTING = [0, 1, 0x0a, 0x20, 0x22, 0x2d, 0x30, 0x7f, 0x80, 0xc0, 0xed, 0xfe, 0xff];
const BLOCK_MAX = 64;

export interface Material {
  readonly random: Random;
  readonly words: readonly Buffer[];
  /** Another input, for splices. */
  readonly other: Buffer;
}

type Change = (input: Buffer, material: Material) => Buffer;

function replaced(input: Buffer, at: number, cut: number, by: Uint8Array): Buffer {
  return Buffer.concat([input.subarray(0, at), by, input.subarray(at + cut)]);
}

function changedByte(input: Buffer, random: Random, change: (byte: number) => number): Buffer {
  if (input.length === 0) return Buffer.from([random.below(256)]);
  const copy = Buffer.from(input);
  // What decides most stands in front.
  const at = random.below(random.below(4) === 0 ? Math.min(8, copy.length) : copy.length);
  copy[at] = change(copy[at] ?? 0) & 0xff;
  return copy;
}

/** The beginning and length of a piece of at most `BLOCK_MAX` bytes, or sometimes of any. */
function block(input: Buffer, random: Random): { at: number; length: number } {
  const at = random.below(input.length + 1);
  const left = input.length - at;
  return {
    at,
    length: random.below(1 + (random.below(8) === 0 ? left : Math.min(left, BLOCK_MAX))),
  };
}

/** A run of decimal digits becomes another number. */
function otherNumber(input: Buffer, random: Random): Buffer {
  const text = input.toString('latin1');
  const found = [...text.matchAll(/-?\d+/g)];
  const match = found[random.below(Math.max(1, found.length))];
  if (match === undefined) return input;
  const old = Number(match[0]);
  const next = random.pick([
    ...[String(old + 1), String(old - 1), String(-old), '0', '1', '00', `${match[0]}0`, '1e3'],
    ...['2147483648', '4294967296', '9007199254740991', '9007199254740993', '18446744073709551616'],
    ...['1e400', '-0', '0.1', '0x10', '99999999999999999999999999'],
  ]);
  return replaced(input, match.index, match[0].length, Buffer.from(next));
}

const CHANGES: readonly Change[] = [
  (input, { random }) => changedByte(input, random, byte => byte ^ (1 << random.below(8))),
  (input, { random }) => changedByte(input, random, () => random.below(256)),
  (input, { random }) => changedByte(input, random, byte => byte + random.below(71) - 35),
  (input, { random }) => changedByte(input, random, () => random.pick(INTERESTING)),
  (input, { random }) => {
    const { at, length } = block(input, random);
    return replaced(input, at, length, Buffer.alloc(0));
  },
  (input, { random }) => {
    const { at, length } = block(input, random);
    const times = random.below(16) === 0 ? 1 + random.below(40) : 1;
    const piece = Buffer.from(input.subarray(at, at + length));
    return replaced(input, at, 0, Buffer.concat(Array.from({ length: times }, () => piece)));
  },
  (input, { random }) => {
    const { at, length } = block(input, random);
    const piece = Buffer.from(input.subarray(at, at + length));
    return replaced(input, random.below(input.length + 1), random.below(2) * length, piece);
  },
  (input, { random }) => {
    const byte = random.below(2) === 0 ? random.pick(INTERESTING) : random.below(256);
    return replaced(input, random.below(input.length + 1), 0, Buffer.from([byte]));
  },
  (input, { random, words }) => {
    if (words.length === 0) return input;
    const word = random.pick(words);
    const cut = random.below(3) === 0 ? word.length : 0;
    return replaced(input, random.below(input.length + 1), cut, word);
  },
  (input, { random }) => otherNumber(input, random),
  (input, { random, other }) => {
    const from = block(other, random);
    const to = block(input, random);
    return replaced(input, to.at, to.length, other.subarray(from.at, from.at + from.length));
  },
  (input, { random, other }) =>
    Buffer.concat([
      input.subarray(0, random.below(input.length + 1)),
      other.subarray(random.below(other.length + 1)),
    ]),
  (input, { random }) => input.subarray(0, random.below(input.length + 1)),
];

/** One to sixteen changes, one in most cases. */
export function mutatedBytes(input: Buffer, material: Material): Buffer {
  const { random } = material;
  let changed = input;
  for (let left = random.below(5) > 1 ? 1 : 1 << random.below(5); left > 0; left -= 1) {
    changed = random.pick(CHANGES)(changed, material);
  }
  return changed;
}

/** A text that the input has, replaced by the one that it was compared with; null where it has neither. */
export function withPair(
  input: Buffer,
  pair: readonly [string, string],
  random: Random,
): Buffer | null {
  const [from, to] = random.below(2) === 0 ? pair : [pair[1], pair[0]];
  if (from === '') return null;
  const found: number[] = [];
  const wanted = Buffer.from(from);
  for (let at = input.indexOf(wanted); at !== -1 && found.length < 32;) {
    found.push(at);
    at = input.indexOf(wanted, at + 1);
  }
  return found.length === 0
    ? null
    : replaced(input, random.pick(found), wanted.length, Buffer.from(to));
}

/** A piece of it repeated until it is large: what is quick on small inputs may be slow on large ones. */
export function inflated(input: Buffer, random: Random, bytesMax: number): Buffer {
  const { at, length } = block(input, random);
  const piece = input.subarray(at, at + Math.max(1, length));
  if (piece.length === 0) return input;
  const times = Math.floor(bytesMax / piece.length / (1 << random.below(6)));
  const middle = Buffer.concat(Array.from({ length: Math.max(1, times) }, () => piece));
  return Buffer.concat([input.subarray(0, at), middle, input.subarray(at)]).subarray(0, bytesMax);
}
