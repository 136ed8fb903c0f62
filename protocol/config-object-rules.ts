/**
 * The rules of ConfigMaps and Secrets beyond the types of their fields: metadata, keys, base64, what a Secret's type
 * demands. As API validation has them (Kubernetes v1.36, `ValidateConfigMap`, `ValidateSecret`).
 *
 * No value is ever shown in an error. Pure.
 */
import { forbidden, invalid, required, wrongType, type FieldError } from './field-error.js';
import { childPath } from './manifest-positions.js';
import { GRAMMARS, type Grammar } from './pod-grammar.js';
import { nearestName } from './pod-schema-errors.js';

export type Fields = Readonly<Record<string, unknown>>;

/** All values of one object together, in bytes. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
const MAX_ANNOTATIONS_BYTES = 256 * 1024;
const MAX_KEY_LENGTH = 253;

const KEY = /^[-._a-zA-Z0-9]+$/;
const KEY_MUST =
  "a key of at most 253 letters, digits, '-', '_' or '.', which is not '.' and does not begin with '..'";

/** Read, or written by an API server and without meaning here (as for a Pod). */
const METADATA_FIELDS = [
  'annotations',
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'finalizers',
  'generateName',
  'generation',
  'labels',
  'managedFields',
  'name',
  'namespace',
  'ownerReferences',
  'resourceVersion',
  'selfLink',
  'uid',
];

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameOfType(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** A hint where YAML made something else of a text that was meant. */
export function notText(path: string, value: unknown): FieldError {
  const isScalar = typeof value === 'boolean' || typeof value === 'number';
  const hint = isScalar
    ? '; put quotes around it (YAML reads yes, no, on, off, 0644 and the like as booleans and numbers)'
    : '';
  return wrongType(path, `must be a string, not ${nameOfType(value)}${hint}`);
}

export function notAnObject(path: string, value: unknown): FieldError {
  return wrongType(path, `must be an object, not ${nameOfType(value)}`);
}

/** An error for each field that is not among `known`. */
export function unknownFields(fields: Fields, known: readonly string[], path = ''): FieldError[] {
  return Object.keys(fields)
    .filter(name => !known.includes(name))
    .map(name => {
      const near = nearestName(name, known);
      const hint = near === undefined ? '' : ` (did you mean "${near}"?)`;
      const at = childPath(path, name);
      return {
        path: at,
        code: 'UnknownField',
        message: `strict decoding error: unknown field "${at}"${hint}`,
      };
    });
}

function matches(grammar: Grammar, text: string): boolean {
  const fits = grammar.maxLength === undefined || text.length <= grammar.maxLength;
  return fits && new RegExp(grammar.pattern, 'u').test(text);
}

/** Labels or annotations: texts, a null being the empty one. */
function checkTexts(
  value: unknown,
  path: string,
  check: (key: string, text: string, at: string) => FieldError[],
): FieldError[] {
  if (value === undefined) return [];
  if (!isFields(value)) return [notAnObject(path, value)];
  return Object.entries(value).flatMap(([key, text]) => {
    const at = childPath(path, key);
    if (text !== null && typeof text !== 'string') return [notText(at, text)];
    return check(key, text ?? '', at);
  });
}

function checkLabel(key: string, text: string, at: string): FieldError[] {
  const { labelKey, labelValue } = GRAMMARS;
  if (!matches(labelKey, key)) return [invalid(at, key, `a label's key must be ${labelKey.must}`)];
  if (matches(labelValue, text)) return [];
  return [invalid(at, text, `a label's value must be ${labelValue.must}`)];
}

function checkAnnotations(value: unknown): FieldError[] {
  const path = 'metadata.annotations';
  let size = 0;
  const errors = checkTexts(value, path, (key, text, at) => {
    size += Buffer.byteLength(key) + Buffer.byteLength(text);
    if (matches(GRAMMARS.labelKey, key.toLowerCase())) return [];
    return [invalid(at, key, `an annotation's key must be ${GRAMMARS.labelKey.must}`)];
  });
  if (size <= MAX_ANNOTATIONS_BYTES) return errors;
  const message = `${size} bytes of annotations are more than ${MAX_ANNOTATIONS_BYTES}`;
  return [...errors, invalid(path, {}, message)];
}

/** `metadata` without its null fields. */
export function checkConfigMetadata(metadata: Fields): FieldError[] {
  const errors: FieldError[] = [];
  if ((metadata['deletionTimestamp'] ?? null) !== null) {
    const detail = 'a manifest cannot be under deletion';
    errors.push(forbidden('metadata.deletionTimestamp', detail));
  }
  const known = [...METADATA_FIELDS, 'deletionTimestamp'];
  errors.push(...unknownFields(metadata, known, 'metadata'));
  const { name, namespace } = metadata;
  if (name === undefined || name === '') errors.push(required('metadata.name'));
  else if (typeof name !== 'string') errors.push(notText('metadata.name', name));
  else if (!matches(GRAMMARS.dnsSubdomain, name)) {
    errors.push(invalid('metadata.name', name, `must be ${GRAMMARS.dnsSubdomain.must}`));
  }
  if (namespace !== undefined && typeof namespace !== 'string') {
    errors.push(notText('metadata.namespace', namespace));
  } else if (namespace !== undefined && namespace !== '') {
    const must = `must be ${GRAMMARS.dnsLabel.must}`;
    if (!matches(GRAMMARS.dnsLabel, namespace)) {
      errors.push(invalid('metadata.namespace', namespace, must));
    }
  }
  errors.push(...checkTexts(metadata['labels'], 'metadata.labels', checkLabel));
  errors.push(...checkAnnotations(metadata['annotations']));
  return errors;
}

export function checkKey(key: string, path: string): FieldError[] {
  const isKey = KEY.test(key) && key.length <= MAX_KEY_LENGTH && key !== '.';
  return isKey && !key.startsWith('..') ? [] : [invalid(path, key, `must be ${KEY_MUST}`)];
}

/** Standard base64 with padding; line ends are passed over, as in Go. Null when it is none. */
export function fromBase64(text: string): Uint8Array | null {
  const plain = text.replace(/[\r\n]/g, '');
  const body = plain.replace(/={1,2}$/, '');
  if (plain.length % 4 !== 0 || /[^A-Za-z0-9+/]/.test(body)) return null;
  return Buffer.from(plain, 'base64');
}

/** The keys that a Secret of a known type must have; one of them is enough where it says so. */
const DEMANDED: Readonly<Record<string, { readonly keys: readonly string[]; any?: boolean }>> = {
  'kubernetes.io/dockerconfigjson': { keys: ['.dockerconfigjson'] },
  'kubernetes.io/dockercfg': { keys: ['.dockercfg'] },
  'kubernetes.io/basic-auth': { keys: ['username', 'password'], any: true },
  'kubernetes.io/ssh-auth': { keys: ['ssh-privatekey'] },
  'kubernetes.io/tls': { keys: ['tls.crt', 'tls.key'] },
};

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(bytes));
    return true;
  } catch {
    return false;
  }
}

export function checkSecretType(type: string, data: ReadonlyMap<string, Uint8Array>): FieldError[] {
  const demanded = Object.hasOwn(DEMANDED, type) ? DEMANDED[type] : undefined;
  if (demanded === undefined) return [];
  const missing = demanded.keys.filter(key => !data.has(key));
  const isEnough = demanded.any === true && missing.length < demanded.keys.length;
  const errors = isEnough
    ? []
    : missing.map(key => required(childPath('data', key), `a Secret of type ${type} needs it`));
  for (const [key, bytes] of data) {
    if (!/^\.docker(cfg|configjson)$/.test(key) || !demanded.keys.includes(key)) continue;
    if (isJson(bytes)) continue;
    const path = childPath('data', key);
    errors.push({ path, code: 'Invalid', message: `${path}: Invalid value: it is no JSON` });
  }
  return errors;
}
