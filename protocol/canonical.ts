/**
 * One form for everything that is signed or hashed.
 *
 * `canonicalJson` writes it; `parseCanonical` accepts nothing else: the bytes must be what writing the
 * parsed value again gives. That single comparison refuses duplicate keys, blanks, escapes, 1e3, -0,
 * unsafe integers, byte-order marks and trailing bytes. Sizes and depth are checked before parsing.
 */
import { createHash } from 'node:crypto';
import { refuse, type Result } from './refusal.js';

/** Deepest nesting of a payload. */
export const DEPTH_MAX = 32;

/** No object of a document has them. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set([
  '__proto__',
  'constructor',
  'prototype',
]);

/** Array indexes: an object lists them first whatever was written first. */
function isIndex(key: string): boolean {
  return /^(0|[1-9]\d{0,9})$/.test(key) && Number(key) < 2 ** 32 - 1;
}

function areInOrder(keys: readonly string[]): boolean {
  let before = '';
  for (const key of keys) {
    if (key < before && !isIndex(before)) return false;
    before = key;
  }
  return true;
}

/** The same value where its keys are in order already: most are. */
function sorted(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    const members = value as readonly unknown[];
    let copy: unknown[] | null = null;
    for (let i = 0; i < members.length; i++) {
      const member = sorted(members[i]);
      if (copy === null && member !== members[i]) copy = members.slice(0, i);
      copy?.push(member);
    }
    return copy ?? value;
  }
  const object = value as Record<string, unknown>;
  const keys = Object.keys(object);
  // What writes itself in a way of its own has none here: its members are written.
  let isSame = areInOrder(keys) && typeof object['toJSON'] !== 'function';
  const members = keys.map(key => {
    const member = sorted(object[key]);
    isSame &&= member === object[key];
    return member;
  });
  if (isSame) return value;
  const byKey = new Map(keys.map((key, i) => [key, members[i]]));
  const result: Record<string, unknown> = {};
  for (const key of keys.sort()) result[key] = byKey.get(key);
  return result;
}

/**
 * JSON with object keys in order: keys that are array indexes first, ascending (a JavaScript object cannot
 * hold them otherwise), then the rest by UTF-16 code units. Members that are `undefined` are dropped.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

/** SHA-256 in lower-case hex. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Nesting of brackets outside of strings; counted on the text, before any parser sees it. */
export function nestingDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) i = endOfString(text, i);
    else if (c === 0x7b || c === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (c === 0x7d || c === 0x5d) depth--;
  }
  return deepest;
}

/** Where the string that begins here has its closing quote; behind the text where it has none. */
function endOfString(text: string, start: number): number {
  for (let end = start; ;) {
    end = text.indexOf('"', end + 1);
    if (end === -1) return text.length;
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return end;
  }
}

/** What is wrong with a parsed value wherever it is, worst first. */
type Fault = 'forbidden' | 'disordered' | 'lone surrogate';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The value of canonical bytes, or a refusal (TooLarge before anything is decoded, Malformed after).
 */
export function parseCanonical(
  bytes: Uint8Array,
  options: { bytesMax: number; what: string; depthMax?: number },
): Result<unknown> {
  const { what } = options;
  if (bytes.byteLength > options.bytesMax) {
    return refuse(
      'TooLarge',
      `${what}: ${bytes.byteLength} bytes, the limit is ${options.bytesMax}`,
    );
  }
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return refuse('Malformed', `${what}: not UTF-8`);
  }
  const depth = nestingDepth(text);
  if (depth > (options.depthMax ?? DEPTH_MAX)) {
    return refuse('Malformed', `${what}: nested ${depth} deep`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('Malformed', `${what}: not JSON, or a forbidden key or number`);
  }
  const fault = faultOf(value);
  if (fault === 'forbidden') {
    return refuse('Malformed', `${what}: not JSON, or a forbidden key or number`);
  }
  if (fault === 'disordered' || JSON.stringify(value) !== text) {
    return refuse('Malformed', `${what}: not in canonical form`);
  }
  if (fault === 'lone surrogate') {
    return refuse('Malformed', `${what}: a string is not well-formed`);
  }
  return { ok: true, value };
}

const RANK: Readonly<Record<Fault, number>> = { forbidden: 2, disordered: 1, 'lone surrogate': 0 };

function worse(a: Fault | null, b: Fault | null): Fault | null {
  if (a === null || b === null) return a ?? b;
  return RANK[a] >= RANK[b] ? a : b;
}

/** One look at all of it. JSON escapes let a lone surrogate through the UTF-8 check; writing it again escapes it the same way. */
function faultOf(value: unknown): Fault | null {
  if (typeof value === 'string') return value.isWellFormed() ? null : 'lone surrogate';
  if (typeof value === 'number') {
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? 'forbidden' : null;
  }
  if (value === null || typeof value !== 'object') return null;
  if (Array.isArray(value)) {
    let fault: Fault | null = null;
    for (const member of value) fault = worse(fault, faultOf(member));
    return fault;
  }
  const keys = Object.keys(value);
  let fault: Fault | null = areInOrder(keys) ? null : 'disordered';
  for (const key of keys) {
    if (FORBIDDEN_KEYS.has(key)) return 'forbidden';
    if (!key.isWellFormed()) fault = worse(fault, 'lone surrogate');
    fault = worse(fault, faultOf((value as Record<string, unknown>)[key]));
  }
  return fault;
}
