/**
 * From the text of a manifest file to its documents, each of which knows where its fields stand.
 *
 * Says nothing about what a document describes: kinds, fields and lists are the caller's to judge.
 * Sizes are checked before anything is parsed, depth and number of values before anything is built;
 * the same bytes always give the same answer. Never throws on bad input. Pure.
 */
import { ManifestError, type ManifestErrorCode } from './manifest-error.js';
import { readJson, type ReadValue } from './manifest-json.js';
import { offsetOf, positionOf, type Position, type Positions } from './manifest-positions.js';
import { readYaml } from './manifest-yaml.js';

/** The kubelet's limit for one file or one body, in bytes (kubelet behaviour row 10). */
export const MAX_MANIFEST_BYTES = 10 * 1024 * 1024;

export interface ManifestDocument {
  /** The document as plain JSON; null values are still in it. */
  readonly value: Record<string, unknown>;
  /** The name of the file, URL or stream it was read from, as given to `readManifests`. */
  readonly source: string;
  /** The document's number in its source, from 0; items of a list share the number of the list. */
  readonly index: number;
  /** Line and column of the field, or of its nearest ancestor in the text; '' is the document. */
  position(path: string): Position;
  /** The same for people and editors: `web.yaml:12:5`. */
  where(path: string): string;
}

export interface ManifestProblem {
  readonly code: ManifestErrorCode;
  /** What is wrong, without the place. */
  readonly message: string;
  /** `web.yaml:12:5`, or the source alone when the whole text is meant. */
  readonly where: string;
}

export type ManifestReading =
  | { readonly ok: true; readonly documents: readonly ManifestDocument[] }
  | { readonly ok: false; readonly errors: readonly ManifestProblem[] };

interface Origin {
  readonly text: string;
  readonly source: string;
  readonly positions: Positions;
}

function documentOf(
  origin: Origin,
  value: Record<string, unknown>,
  place: { index: number; start: number },
) {
  const { text, source, positions } = origin;
  const position = (path: string) =>
    positionOf(text, offsetOf(positions, value, path, place.start));
  const where = (path: string) => {
    const { line, column } = position(path);
    return `${source}:${line}:${column}`;
  };
  return { value, source, index: place.index, position, where };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * JSON when it begins as JSON does, else YAML. There is no second try: YAML reads much broken JSON
 * without complaint and gives it another meaning.
 */
function readValues(text: string, positions: Positions): ReadValue[] {
  return /^\s*\{\s*["}]/.test(text) ? readJson(text, positions) : readYaml(text, positions);
}

function decode(input: string | Uint8Array): string {
  const size = typeof input === 'string' ? Buffer.byteLength(input) : input.byteLength;
  if (size > MAX_MANIFEST_BYTES) {
    const message = `${size} bytes are more than the allowed ${MAX_MANIFEST_BYTES}`;
    throw new ManifestError('TooLarge', 0, message);
  }
  if (typeof input === 'string') return input.replace(/^\ufeff/, '');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(input);
  } catch {
    throw new ManifestError('NotUtf8', 0, 'the text is not UTF-8');
  }
}

/**
 * Reads YAML (several documents) or JSON. Empty documents are left out. One thing wrong anywhere
 * makes the whole text an error: what follows a broken document cannot be trusted.
 */
export function readManifests(
  input: string | Uint8Array,
  options: { readonly source: string },
): ManifestReading {
  const { source } = options;
  let text = '';
  try {
    text = decode(input);
    const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.exec(text);
    if (control !== null) {
      const code = control[0].charCodeAt(0).toString(16).padStart(4, '0');
      throw new ManifestError(
        'Syntax',
        control.index,
        `the control character U+${code} stands here`,
      );
    }
    const origin: Origin = { text, source, positions: new Map() };
    const documents = readValues(text, origin.positions).map(({ value, start }, index) => {
      if (isObject(value)) return documentOf(origin, value, { index, start });
      const message = 'a manifest is an object with apiVersion and kind; this is not an object';
      throw new ManifestError('NotAnObject', start, message);
    });
    return { ok: true, documents };
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    const { line, column } = positionOf(text, error.offset);
    const where = text === '' ? source : `${source}:${line}:${column}`;
    return { ok: false, errors: [{ code: error.code, message: error.message, where }] };
  }
}

/**
 * The items of a `v1` `List` or of a typed list such as `PodList`, as documents of their own; null
 * when the document is not a list. An item that is not an object is given as `{}`, so that its
 * missing kind is what gets reported. A typed list's items inherit the kind that they lack, as
 * kubectl does it.
 */
export function listItems(document: ManifestDocument): readonly ManifestDocument[] | null {
  const { apiVersion, kind, items } = document.value;
  if (typeof kind !== 'string' || !kind.endsWith('List')) return null;
  // Go writes an empty list as null.
  if (items === null) return [];
  if (!Array.isArray(items)) return null;
  const inherited = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) };
  return items.map((item: unknown, index) => {
    const prefix = `items[${index}]`;
    const below = (path: string) => {
      if (path === '') return prefix;
      return path.startsWith('[') ? `${prefix}${path}` : `${prefix}.${path}`;
    };
    return {
      value: isObject(item) ? { ...inherited, ...item } : {},
      source: document.source,
      index: document.index,
      position: path => document.position(below(path)),
      where: path => document.where(below(path)),
    };
  });
}
