/**
 * Reads JSON (RFC 8259), one value after the other, and remembers where each field stands.
 *
 * `JSON.parse` takes the last of two equal keys and does not say where a field stands; this reader
 * refuses equal keys. Recursion is bounded by MAX_DEPTH. Pure.
 */
import {
  checkKey,
  checkedNumber,
  checkString,
  ManifestError,
  MAX_DEPTH,
  MAX_VALUES,
  tooDeep,
  tooManyValues,
} from './manifest-error.js';
import type { Positions } from './manifest-positions.js';

export interface ReadValue {
  readonly value: unknown;
  /** Where the value begins in the text. */
  readonly start: number;
}

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const SEPARATOR = /---[ \t]*(?=[\r\n]|$)/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const WORDS: readonly (readonly [string, boolean | null])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

class JsonReader {
  readonly text: string;
  readonly positions: Positions;
  at = 0;
  #values = 0;

  constructor(text: string, positions: Positions) {
    this.text = text;
    this.positions = positions;
  }

  skipSpace(): void {
    SPACE.lastIndex = this.at;
    SPACE.test(this.text);
    this.at = SPACE.lastIndex;
  }

  skipSeparator(): void {
    SEPARATOR.lastIndex = this.at;
    if (SEPARATOR.test(this.text)) this.at = SEPARATOR.lastIndex;
    this.skipSpace();
  }

  value(depth: number): unknown {
    this.#values += 1;
    if (this.#values > MAX_VALUES) throw tooManyValues(this.at);
    const first = this.text[this.at];
    if (first === '{' || first === '[') {
      if (depth >= MAX_DEPTH) throw tooDeep(this.at);
      return first === '{' ? this.#object(depth + 1) : this.#array(depth + 1);
    }
    if (first === '"') return this.#string();
    for (const [word, value] of WORDS) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.#number();
  }

  #object(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    const known = new Map<string | number, number>();
    this.positions.set(object, known);
    this.#members('}', () => {
      const offset = this.at;
      if (this.text[offset] !== '"') throw this.#unexpected('a key in double quotes');
      const key = this.#string();
      checkKey(key, known, offset);
      known.set(key, offset);
      this.skipSpace();
      if (this.text[this.at] !== ':') throw this.#unexpected("':'");
      this.at += 1;
      this.skipSpace();
      object[key] = this.value(depth);
    });
    return object;
  }

  #array(depth: number): unknown[] {
    const array: unknown[] = [];
    const known = new Map<string | number, number>();
    this.positions.set(array, known);
    this.#members(']', () => {
      known.set(array.length, this.at);
      array.push(this.value(depth));
    });
    return array;
  }

  #members(close: '}' | ']', member: () => void): void {
    this.at += 1;
    this.skipSpace();
    if (this.text[this.at] === close) {
      this.at += 1;
      return;
    }
    for (;;) {
      member();
      this.skipSpace();
      const next = this.text[this.at];
      if (next !== ',' && next !== close) throw this.#unexpected(`',' or '${close}'`);
      this.at += 1;
      if (next === close) return;
      this.skipSpace();
    }
  }

  #string(): string {
    const start = this.at;
    let end = start + 1;
    // Piece by piece: one pattern for a whole string of megabytes overflows the engine's stack.
    for (;;) {
      PLAIN.lastIndex = end;
      PLAIN.test(this.text);
      end = PLAIN.lastIndex;
      if (this.text[end] === '"') break;
      ESCAPE.lastIndex = end;
      if (!ESCAPE.test(this.text)) throw this.#brokenString(start, end);
      end = ESCAPE.lastIndex;
    }
    this.at = end + 1;
    const string = JSON.parse(this.text.slice(start, this.at)) as string;
    checkString(string, start);
    return string;
  }

  #brokenString(start: number, end: number): ManifestError {
    if (this.text[end] === '\\') {
      return new ManifestError('Syntax', end, 'JSON has no such escape in a text');
    }
    return new ManifestError('Syntax', start, 'this text is not closed on its line');
  }

  #number(): number {
    const start = this.at;
    NUMBER.lastIndex = start;
    const match = NUMBER.exec(this.text)?.[0];
    if (match === undefined) throw this.#unexpected('a value');
    this.at += match.length;
    return checkedNumber(Number(match), match, start);
  }

  #unexpected(wanted: string): ManifestError {
    const found = this.text.codePointAt(this.at);
    const shown = found === undefined ? 'the text ends' : `found ${String.fromCodePoint(found)}`;
    return new ManifestError('Syntax', this.at, `${shown} where ${wanted} is expected`);
  }
}

/** Reads a stream of JSON values, which lines of `---` may divide; throws `ManifestError`. */
export function readJson(text: string, positions: Positions): ReadValue[] {
  const reader = new JsonReader(text, positions);
  const values: ReadValue[] = [];
  reader.skipSpace();
  while (reader.at < text.length) {
    const start = reader.at;
    values.push({ value: reader.value(0), start });
    reader.skipSpace();
    reader.skipSeparator();
  }
  return values;
}
