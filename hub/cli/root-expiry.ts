/** When a root ends, as a person says it: `3y`, `18mo`, `400d`, or a date. Pure. */
import { CliError } from '../../protocol/cli-error.js';

/** Fleets whose nodes have a clock with a battery should take 1y: a thief of the hub's key can hide a new root that long. */
export const DEFAULT_LIFE = '3y';

/** RFC 3339 with milliseconds. Throws `CliError` for no such time, or one that is over. */
export function expiryOf(text: string, nowMs: number): string {
  const atMs = later(text, nowMs) ?? (/^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN);
  if (Number.isNaN(atMs)) {
    throw new CliError('refused', `expires: "${text}" is neither like 3y, 18mo or 400d nor a date`);
  }
  if (atMs <= nowMs) throw new CliError('refused', `expires: ${text} is over already`);
  if (atMs > Date.parse('9999-12-31T00:00:00Z')) {
    throw new CliError('refused', `expires: ${text} is after the year 9999`);
  }
  return new Date(atMs).toISOString();
}

function later(text: string, nowMs: number): number | null {
  const [, digits, unit] = /^([1-9]\d{0,4})(y|mo|d)$/.exec(text) ?? [];
  if (digits === undefined) return null;
  const at = new Date(nowMs);
  const count = Number(digits);
  if (unit === 'y') at.setUTCFullYear(at.getUTCFullYear() + count);
  else if (unit === 'mo') at.setUTCMonth(at.getUTCMonth() + count);
  else at.setUTCDate(at.getUTCDate() + count);
  return at.getTime();
}
