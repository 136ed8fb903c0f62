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

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const result: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort()) {
    result[key] = sorted((value as Record<string, unknown>)[key]);
  }
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
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (c === 0x7d || c === 0x5d) depth--;
  }
  return deepest;
}

function reviver(key: string, value: unknown): unknown {
  if (FORBIDDEN_KEYS.has(key)) throw new SyntaxError(`forbidden key "${key}"`);
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new SyntaxError('integer outside the safe range');
  }
  return value;
}

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
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse('Malformed', `${what}: not UTF-8`);
  }
  const depth = nestingDepth(text);
  if (depth > (options.depthMax ?? DEPTH_MAX)) {
    return refuse('Malformed', `${what}: nested ${depth} deep`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text, reviver);
  } catch {
    return refuse('Malformed', `${what}: not JSON, or a forbidden key or number`);
  }
  if (canonicalJson(value) !== text) return refuse('Malformed', `${what}: not in canonical form`);
  if (hasLoneSurrogate(value)) {
    return refuse('Malformed', `${what}: a string is not well-formed`);
  }
  return { ok: true, value };
}

/** JSON escapes let a lone surrogate through the UTF-8 check; writing it again escapes it the same way. */
function hasLoneSurrogate(value: unknown): boolean {
  if (typeof value === 'string') return !value.isWellFormed();
  if (Array.isArray(value)) return value.some(hasLoneSurrogate);
  if (value === null || typeof value !== 'object') return false;
  return Object.entries(value).some(([k, v]) => !k.isWellFormed() || hasLoneSurrogate(v));
}
