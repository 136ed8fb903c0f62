/**
 * Strict reading of request bodies: a field that is not known is refused with its path (Kubernetes' `strict decoding
 * error`), a value of the wrong kind becomes a cause of one 422 that names them all. Pure.
 */
import { excerpt } from '../../protocol/excerpt.js';
import { RequestError } from '../ports.js';
import { isLabelKey, isLabelValue } from '../selectors.js';

export interface Cause {
  readonly field: string;
  readonly message: string;
}

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object at a path; absent counts as empty. Throws BadRequest for something else. */
export function fieldsAt(value: unknown, path: string): Fields {
  if (value === undefined || value === null) return {};
  if (isFields(value)) return value;
  throw new RequestError('BadRequest', `${path === '' ? 'the body' : path}: must be an object`);
}

/** More in one message help nobody. */
const UNKNOWN_NAMED = 16;

/** Throws BadRequest that names the unknown fields. */
export function refuseUnknown(fields: Fields, known: readonly string[], path: string): void {
  const prefix = path === '' ? '' : `${path}.`;
  const unknown = Object.keys(fields).filter(key => !known.includes(key));
  if (unknown.length === 0) return;
  const list = unknown
    .slice(0, UNKNOWN_NAMED)
    .map(key => `unknown field "${prefix}${excerpt(key)}"`)
    .join(', ');
  throw new RequestError('BadRequest', `strict decoding error: ${list}`);
}

/** Throws BadRequest unless the body is of this kind. Absent fields are fine, as in Kubernetes. */
export function checkKind(body: Fields, apiVersion: string, kind: string): void {
  const expected = { apiVersion, kind };
  for (const field of ['apiVersion', 'kind'] as const) {
    const given = body[field] ?? expected[field];
    if (given === expected[field]) continue;
    throw new RequestError(
      'BadRequest',
      `${field}: ${excerpt(JSON.stringify(given))} is not what this path takes: "${expected[field]}"`,
    );
  }
}

/** A map of strings; what is wrong with it is added to `causes`. */
export function stringMap(
  value: unknown,
  path: string,
  causes: Cause[],
): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  if (!isFields(value)) {
    causes.push({ field: path, message: 'must be an object of strings' });
    return {};
  }
  const entries: [string, string][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (typeof item === 'string') entries.push([key, item]);
    else causes.push({ field: `${path}[${key}]`, message: 'must be a string' });
  }
  return Object.fromEntries(entries);
}

/** Labels by Kubernetes' grammar of keys and values. */
export function labelMap(
  value: unknown,
  path: string,
  causes: Cause[],
): Readonly<Record<string, string>> {
  const labels = stringMap(value, path, causes);
  for (const [key, item] of Object.entries(labels)) {
    if (!isLabelKey(key))
      causes.push({ field: path, message: `"${excerpt(key)}" is not a label key` });
    if (!isLabelValue(item)) {
      causes.push({ field: `${path}[${key}]`, message: `"${excerpt(item)}" is not a label value` });
    }
  }
  return labels;
}

/** Throws Invalid with all causes, if there are any. `what`: `Bundle.flotilla.dev "web"`. */
export function refuseCauses(what: string, causes: readonly Cause[]): void {
  if (causes.length === 0) return;
  const list = causes.map(({ field, message }) => `${field}: ${message}`).join('; ');
  throw new RequestError('Invalid', `${what} is invalid: ${list}`, causes);
}
