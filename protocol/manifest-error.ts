/**
 * What can be wrong with the text of a manifest, before anyone looks at what it describes.
 *
 * The list of codes is closed. `ManifestError` is thrown inside the readers only; `readManifests`
 * returns problems as values.
 */

export const MANIFEST_ERROR_CODES = [
  'TooLarge',
  'NotUtf8',
  'Syntax',
  'TooDeep',
  'TooManyValues',
  'DuplicateKey',
  'ForbiddenKey',
  'UnsupportedTag',
  'NumberOutOfRange',
  'NotAnObject',
] as const;

export type ManifestErrorCode = (typeof MANIFEST_ERROR_CODES)[number];

export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  readonly code: ManifestErrorCode;
  /** Where in the text, in UTF-16 code units. */
  readonly offset: number;

  constructor(code: ManifestErrorCode, offset: number, message: string) {
    super(message);
    this.code = code;
    this.offset = offset;
  }
}

/**
 * A manifest nests about 12 deep; kubectl's YAML reader allows 10,000, which only an attack needs.
 */
export const MAX_DEPTH = 100;

/** Scalars, objects and arrays of one text, after its aliases are followed. */
export const MAX_VALUES = 100_000;

export function tooDeep(offset: number): ManifestError {
  return new ManifestError('TooDeep', offset, `nested more than ${MAX_DEPTH} levels deep`);
}

export function tooManyValues(offset: number): ManifestError {
  return new ManifestError(
    'TooManyValues',
    offset,
    `more than ${MAX_VALUES} values (an alias counts with all that it stands for)`,
  );
}

/** Keys that could reach an object's prototype. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/** Throws `Syntax` for an empty key, `ForbiddenKey` or, when `known` has the key already, `DuplicateKey`. */
export function checkKey(key: string, known: ReadonlyMap<string | number, number>, offset: number) {
  if (key === '') throw new ManifestError('Syntax', offset, 'a key is empty');
  if (FORBIDDEN_KEYS.has(key)) {
    throw new ManifestError(
      'ForbiddenKey',
      offset,
      `the key ${JSON.stringify(key)} is not allowed`,
    );
  }
  if (known.has(key)) {
    const shown = JSON.stringify(key);
    throw new ManifestError('DuplicateKey', offset, `the key ${shown} is given twice`);
  }
}

/** Throws when a text holds half of a surrogate pair, which UTF-8 cannot carry. */
export function checkString(text: string, offset: number): void {
  if (/\p{Surrogate}/u.test(text)) {
    throw new ManifestError(
      'Syntax',
      offset,
      'an escape gives half of a character (a lone surrogate)',
    );
  }
}

/** The number, zero without a sign, which JSON does not keep; throws unless JSON and a double carry it exactly. */
export function checkedNumber(value: number, text: string, offset: number): number {
  if (Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))) {
    return value === 0 ? 0 : value;
  }
  throw new ManifestError(
    'NumberOutOfRange',
    offset,
    `the number ${text} cannot be kept exactly; put quotes around it if it is meant as text`,
  );
}
