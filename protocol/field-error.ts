/**
 * One thing wrong with one field of a manifest.
 *
 * Messages are whole sentences that begin with the field's path, worded as Kubernetes words them,
 * so that a caller adds only the file and the line. The list of codes is closed. Data and wording
 * only.
 */
import { cutTo } from './excerpt.js';

export const FIELD_ERROR_CODES = [
  'UnknownField',
  'WrongType',
  'Required',
  'Invalid',
  'Duplicate',
  'Forbidden',
  'TooMany',
  'NotSupported',
  'UnsupportedKind',
] as const;

export type FieldErrorCode = (typeof FIELD_ERROR_CODES)[number];

export interface FieldError {
  /** `spec.containers[0].image`; `ManifestDocument.where` takes it as it is. */
  readonly path: string;
  readonly message: string;
  readonly code: FieldErrorCode;
}

/** Values can be secrets or megabytes: an error shows the beginning of short ones. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return cutTo(text, 80);
}

export function invalid(path: string, value: unknown, detail: string): FieldError {
  return { path, code: 'Invalid', message: `${path}: Invalid value: ${shown(value)}: ${detail}` };
}

export function required(path: string, detail = ''): FieldError {
  const message = `${path}: Required value${detail === '' ? '' : `: ${detail}`}`;
  return { path, code: 'Required', message };
}

export function duplicate(path: string, value: unknown, detail = ''): FieldError {
  const message = `${path}: Duplicate value: ${shown(value)}${detail === '' ? '' : `: ${detail}`}`;
  return { path, code: 'Duplicate', message };
}

export function forbidden(path: string, detail: string): FieldError {
  return { path, code: 'Forbidden', message: `${path}: Forbidden: ${detail}` };
}

export function tooMany(path: string, count: number, max: number): FieldError {
  const message = `${path}: Too many: ${count}: must have at most ${max} items`;
  return { path, code: 'TooMany', message };
}

export function notSupported(path: string, detail: string): FieldError {
  return { path, code: 'NotSupported', message: `${path}: not supported yet: ${detail}` };
}

export function wrongType(path: string, detail: string): FieldError {
  return { path, code: 'WrongType', message: `${path}: ${detail}` };
}
