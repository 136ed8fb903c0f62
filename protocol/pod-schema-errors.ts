/**
 * Turns what the compiled Pod schema reports into errors that a person can act on.
 *
 * An unknown field is reported in the words that the API server uses, because people and tools look
 * for them, with the field that was probably meant. Pure.
 */
import { invalid, required, wrongType, type FieldError } from './field-error.js';
import { childPath } from './manifest-positions.js';
import { GRAMMARS, type Grammar } from './pod-grammar.js';
import { knownFields, placesOf } from './pod-support.js';
import type { ErrorObject } from './schema-error.js';

interface Place {
  readonly path: string;
  /** The same with `[]` for every index: the key into the table of supported fields. */
  readonly pattern: string;
  readonly value: unknown;
}

const MUST_BY_PATTERN = new Map(
  Object.values<Grammar>(GRAMMARS).map(({ pattern, must }) => [pattern, must]),
);

/** The prefix with which the schema lets an empty text stand for an absent one. */
const EMPTY_OR = '^$|';

/** Follows a JSON pointer (RFC 6901) into the Pod. */
function placeOf(pod: unknown, pointer: string): Place {
  let place: Place = { path: '', pattern: '', value: pod };
  for (const step of pointer.split('/').slice(1)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    const { path, pattern, value } = place;
    const next = (value as Record<string, unknown>)[key];
    place = Array.isArray(value)
      ? { path: childPath(path, Number(key)), pattern: `${pattern}[]`, value: next }
      : { path: childPath(path, key), pattern: childPath(pattern, key), value: next };
  }
  return place;
}

/** Edits (insert, delete, replace) between two short words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The name that was probably meant; undefined when none is near. */
export function nearestName(field: string, names: readonly string[]): string | undefined {
  if (field.length > 64) return undefined;
  const lower = field.toLowerCase();
  return names
    .map(name => ({ name, edits: distance(lower, name.toLowerCase()) }))
    .filter(({ name, edits }) => edits <= Math.min(2, Math.floor(name.length / 3)))
    .sort((a, b) => a.edits - b.edits)[0]?.name;
}

/**
 * The nearest of the fields that an object has, or, for a right name in a wrong place, that place.
 */
function suggestion(field: string, pattern: string): string {
  if (field.length > 64) return '';
  const siblings = knownFields(
    pattern.replace(/^spec\.(init|ephemeral)Containers/, 'spec.containers'),
  );
  const near = nearestName(field, siblings);
  if (near !== undefined) return ` (did you mean "${near}"?)`;
  const places = placesOf(field);
  if (places.length === 0 || places.length > 2) return '';
  return ` (it belongs at ${places.map(place => `"${place}"`).join(' or ')})`;
}

function nameOfType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'a boolean (true or false)',
  integer: 'an integer',
  number: 'a number',
  object: 'an object',
  string: 'a string',
};

function typeError(place: Place, params: ErrorObject['params']): FieldError {
  if (params['type'] === 'integer' && typeof place.value === 'number') {
    return wrongType(place.path, `must be an integer, not ${place.value}`);
  }
  const types = [params['type']].flat().map(String);
  const wanted = types.map(type => TYPE_NAMES[type] ?? type).join(' or ');
  const isScalar = typeof place.value === 'boolean' || typeof place.value === 'number';
  const hint =
    types.includes('string') && isScalar
      ? '; put quotes around it (YAML reads yes, no, on, off, 0644 and the like as ' +
        'booleans and numbers)'
      : '';
  return wrongType(place.path, `must be ${wanted}, not ${nameOfType(place.value)}${hint}`);
}

function unknownField(place: Place, field: string): FieldError {
  const path = childPath(place.path, field);
  const hint = suggestion(field, place.pattern);
  const message = `strict decoding error: unknown field "${path}"${hint}`;
  return { path, code: 'UnknownField', message };
}

function patternError(place: Place, pattern: string): FieldError {
  const plain = pattern.startsWith(EMPTY_OR) ? pattern.slice(EMPTY_OR.length) : pattern;
  const must = MUST_BY_PATTERN.get(plain) ?? `of the form ${plain}`;
  return invalid(place.path, place.value, `must be ${must}`);
}

function fieldErrorOf(pod: unknown, error: ErrorObject): FieldError {
  const place = placeOf(pod, error.instancePath);
  const { params } = error;
  const limit = Number(params['limit']);
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownField(place, String(params['additionalProperty']));
    case 'required':
      return required(childPath(place.path, String(params['missingProperty'])));
    case 'type':
      return typeError(place, params);
    case 'enum': {
      const values = (params['allowedValues'] as unknown[]).map(value => JSON.stringify(value));
      return invalid(place.path, place.value, `supported values: ${values.join(', ')}`);
    }
    case 'pattern':
      return patternError(place, String(params['pattern']));
    case 'minItems':
    case 'minLength':
      return required(place.path, 'must not be empty');
    case 'maxLength':
      return invalid(place.path, place.value, `must be no more than ${limit} characters`);
    case 'minimum':
      return invalid(place.path, place.value, `must be greater than or equal to ${limit}`);
    case 'maximum':
      return invalid(place.path, place.value, `must be less than or equal to ${limit}`);
    default:
      return invalid(place.path, place.value, error.message ?? error.keyword);
  }
}

/** One error for each of the schema's, in its order. */
export function fieldErrorsOf(pod: unknown, errors: readonly ErrorObject[]): FieldError[] {
  return errors.map(error => fieldErrorOf(pod, error));
}
