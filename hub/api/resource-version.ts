/**
 * Resource versions in requests: decimal strings of the one global counter. One that lies ahead of the store comes
 * from before a restore; the answer is 410 Expired, upon which every client lists anew. Pure.
 */
import { excerpt } from '../../protocol/excerpt.js';
import { RequestError } from '../ports.js';

const PATTERN = /^\d{1,19}$/;

/** Null for none and for `0`: "any". Throws BadRequest. */
export function parseResourceVersion(query: URLSearchParams): string | null {
  const value = query.get('resourceVersion') ?? '';
  if (value === '' || value === '0') return null;
  if (!PATTERN.test(value)) {
    throw new RequestError(
      'BadRequest',
      `resourceVersion: "${excerpt(value)}" is not a decimal number`,
    );
  }
  return value;
}

/** Throws Expired when `asked` lies ahead of the store. */
export function checkNotAhead(asked: string, current: string): void {
  if (BigInt(asked) <= BigInt(current)) return;
  throw new RequestError(
    'Expired',
    `resourceVersion ${asked} is ahead of this hub (${current}): list again`,
  );
}
