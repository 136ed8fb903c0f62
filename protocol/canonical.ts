/**
 * One text for one value: the canonical JSON that digests are taken of, and the digest.
 *
 * Keys are sorted by UTF-16 code units at every depth, as in RFC 8785; numbers and strings are
 * written as `JSON.stringify` writes them. Pure.
 */
import { createHash } from 'node:crypto';

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value as Record<string, unknown>);
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}

/** JSON with the keys of every object sorted; members that are `undefined` are dropped. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

/** The SHA-256 in 64 lower case hex digits; a string counts as its UTF-8 bytes. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
