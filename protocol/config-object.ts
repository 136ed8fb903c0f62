/**
 * ConfigMap and Secret documents: strict validation, and the bytes that they hold by key.
 *
 * As strict as for Pods: an unknown field, a value that is no text, a key that could not be a file's name are errors,
 * all reported, each with its path. No value of either kind is ever in an error. To hold to
 * `immutable` is its reader's. A null field counts as absent. Pure; the argument is unchanged.
 */
import type { ConfigMap, Secret } from 'kubernetes-types/core/v1.js';
import { forbidden, invalid, required, type FieldError } from './field-error.js';
import { childPath } from './manifest-positions.js';
import {
  checkConfigMetadata,
  checkKey,
  checkSecretType,
  fromBase64,
  isFields,
  MAX_CONFIG_BYTES,
  notAnObject,
  notText,
  unknownFields,
  type Fields,
} from './config-object-rules.js';
import { DEFAULT_NAMESPACE } from './pod.js';
import type { PodManifestOptions } from './pod-validation.js';

export type { ConfigMap, Secret };

export interface ValidConfigObject {
  readonly kind: 'ConfigMap' | 'Secret';
  /** `default` when the document says nothing. */
  readonly namespace: string;
  readonly name: string;
  /** Empty for a ConfigMap; `Opaque` for a Secret that says nothing. */
  readonly type: string;
  readonly data: ReadonlyMap<string, Uint8Array>;
  /** Without null fields, null values as empty texts; else as its author wrote it. */
  readonly manifest: (ConfigMap | Secret) & { readonly kind: 'ConfigMap' | 'Secret' };
}

export type ConfigObjectResult =
  | { readonly ok: true; readonly object: ValidConfigObject }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** Why a bundle may not hold one, and what to do instead. */
export const NO_SECRET_IN_BUNDLE =
  'a bundle can be read at the hub and the broker; flotilla apply and flotilla secret seal seal a Secret ' +
  'for each node before it leaves your machine';

const FIELDS = {
  ConfigMap: ['apiVersion', 'kind', 'metadata', 'immutable', 'data', 'binaryData'],
  Secret: ['apiVersion', 'kind', 'metadata', 'immutable', 'type', 'data', 'stringData'],
} as const;

/** True for what `validateConfigObject` judges; anything else is a Pod or refused as none. */
export function isConfigObject(document: Fields): boolean {
  const { apiVersion, kind } = document;
  return apiVersion === 'v1' && (kind === 'ConfigMap' || kind === 'Secret');
}

function withoutNulls(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

function emptied(map: Fields): Fields {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, value ?? '']));
}

interface Reading {
  readonly bytes: Map<string, Uint8Array>;
  readonly errors: FieldError[];
}

/** One map of texts. A null value is the empty text, as Go's decoder makes it. */
function readMap(fields: Fields, field: string, isEncoded: boolean): Reading {
  const given = fields[field];
  const reading: Reading = { bytes: new Map(), errors: [] };
  if (given === undefined) return reading;
  if (!isFields(given)) {
    reading.errors.push(notAnObject(field, given));
    return reading;
  }
  for (const [key, value] of Object.entries(given)) {
    const path = childPath(field, key);
    reading.errors.push(...checkKey(key, path));
    const text = value ?? '';
    if (typeof text !== 'string') {
      reading.errors.push(notText(path, text));
      continue;
    }
    const bytes = isEncoded ? fromBase64(text) : Buffer.from(text);
    if (bytes !== null) reading.bytes.set(key, bytes);
    else {
      const message = `${path}: Invalid value: it is no base64`;
      const hint = fields['kind'] === 'Secret' ? '; plain text goes into stringData' : '';
      reading.errors.push({ path, code: 'Invalid', message: `${message}${hint}` });
    }
  }
  return reading;
}

/** `stringData` wins over `data`, as at an API server; a ConfigMap may give a key once only. */
function readData(fields: Fields): Reading {
  const isSecret = fields['kind'] === 'Secret';
  const data = readMap(fields, 'data', isSecret);
  const other = readMap(fields, isSecret ? 'stringData' : 'binaryData', !isSecret);
  const errors = [...data.errors, ...other.errors];
  if (!isSecret) {
    for (const key of other.bytes.keys()) {
      if (!data.bytes.has(key)) continue;
      errors.push(invalid(childPath('binaryData', key), key, 'data has the same key'));
    }
  }
  const bytes = new Map([...data.bytes, ...other.bytes]);
  const size = [...bytes.values()].reduce((sum, one) => sum + one.byteLength, 0);
  if (size > MAX_CONFIG_BYTES) {
    const message = `data: Too long: ${size} bytes, the limit is ${MAX_CONFIG_BYTES}`;
    errors.push({ path: 'data', code: 'Invalid', message });
  }
  return { bytes, errors };
}

function checkContext(namespace: string, options: PodManifestOptions): FieldError[] {
  if (options.context === 'file') return [];
  if (options.namespace === undefined || namespace === options.namespace) return [];
  const detail = `must be ${options.namespace}, the namespace of the bundle`;
  return [invalid('metadata.namespace', namespace, detail)];
}

/** Validates one document of which `isConfigObject` is true. Never throws on bad input. */
export function validateConfigObject(
  document: Fields,
  options: PodManifestOptions,
): ConfigObjectResult {
  const fields = withoutNulls(document);
  const kind = fields['kind'] === 'Secret' ? 'Secret' : 'ConfigMap';
  if (kind === 'Secret' && options.context === 'bundle') {
    return { ok: false, errors: [forbidden('kind', NO_SECRET_IN_BUNDLE)] };
  }
  const errors = unknownFields(fields, FIELDS[kind]);
  const { metadata, immutable, type = kind === 'Secret' ? 'Opaque' : '' } = fields;
  if (isFields(metadata)) fields['metadata'] = withoutNulls(metadata);
  else if (metadata !== undefined) errors.push(notAnObject('metadata', metadata));
  else errors.push(required('metadata.name'));
  const meta = isFields(fields['metadata']) ? fields['metadata'] : {};
  if (isFields(metadata)) errors.push(...checkConfigMetadata(meta));
  if (immutable !== undefined && typeof immutable !== 'boolean') {
    errors.push({
      path: 'immutable',
      code: 'WrongType',
      message: 'immutable: must be a boolean (true or false)',
    });
  }
  if (kind === 'Secret' && typeof type !== 'string') errors.push(notText('type', type));
  const { bytes, errors: inData } = readData(fields);
  errors.push(...inData);
  if (kind === 'Secret' && typeof type === 'string' && inData.length === 0) {
    errors.push(...checkSecretType(type, bytes));
  }
  for (const field of ['data', 'binaryData', 'stringData']) {
    const map = fields[field];
    if (isFields(map)) fields[field] = emptied(map);
  }
  const { name, namespace: given = '' } = meta;
  // What is no text is an error already, and may have a `toString` of its own.
  const namespace = typeof given === 'string' && given !== '' ? given : DEFAULT_NAMESPACE;
  errors.push(...checkContext(namespace, options));
  if (errors.length > 0 || typeof name !== 'string') return { ok: false, errors };
  const manifest = fields as unknown as ValidConfigObject['manifest'];
  const secretType = typeof type === 'string' && type !== '' ? type : 'Opaque';
  return {
    ok: true,
    object: {
      kind,
      namespace,
      name,
      type: kind === 'Secret' ? secretType : '',
      data: bytes,
      manifest,
    },
  };
}
