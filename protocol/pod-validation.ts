/**
 * Strict validation of one Pod manifest: schema, rules across fields, and what this version
 * supports.
 *
 * Reports all that is wrong, not the first thing only. A null field counts as absent, as in
 * kubectl's strict decoding, and a quantity given as a number becomes the text that Kubernetes
 * stores. Kubelet behaviour rows 13 to 15, 61, 62. Pure; the argument is unchanged.
 */
import { forbidden, invalid, required, type FieldError } from './field-error.js';
import { validatePod } from './generated/validators.js';
import type { Pod, ValidPod } from './pod.js';
import { podNamespace } from './pod.js';
import { checkPodRules } from './pod-rules.js';
import { fieldErrorsOf } from './pod-schema-errors.js';
import { checkPodSupport } from './pod-support.js';

export type { FieldError, FieldErrorCode } from './field-error.js';

/** Where the manifest is met: as a person's file on a node, or as a part of a bundle. */
export type ManifestContext = 'file' | 'bundle';

export interface PodManifestOptions {
  readonly context: ManifestContext;
  /** For a bundle: its namespace, which the pod's (`default` when absent) must equal. */
  readonly namespace?: string;
}

export type PodManifestResult =
  | { readonly ok: true; readonly pod: ValidPod }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** More than this many errors help nobody. */
const MAX_ERRORS = 100;

const QUANTITY_MAPS = new Set(['limits', 'requests', 'overhead']);
const QUANTITIES = new Set(['sizeLimit', 'divisor']);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapValues(object: object, change: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}

const quantityText = (value: unknown) => (typeof value === 'number' ? String(value) : value);

/**
 * Without null fields, quantities as text. A null in a list or in a map of quantities stays: an
 * error.
 */
function normalized(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalized);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(
    kept.map(([key, member]) => {
      if (QUANTITY_MAPS.has(key) && isObject(member)) return [key, mapValues(member, quantityText)];
      return [key, QUANTITIES.has(key) ? quantityText(member) : normalized(member)];
    }),
  );
}

/** In labels and annotations a null is the empty text, as Go's decoder makes it. */
function normalizedMetadata(value: unknown): unknown {
  if (!isObject(value)) return value;
  const emptied = (map: unknown) => (isObject(map) ? mapValues(map, text => text ?? '') : map);
  const kept = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(
    kept.map(([key, member]) => [
      key,
      key === 'labels' || key === 'annotations' ? emptied(member) : member,
    ]),
  );
}

function normalizedPod(value: Record<string, unknown>): Record<string, unknown> {
  const { metadata, ...rest } = value;
  const pod = normalized(rest) as Record<string, unknown>;
  return metadata === undefined || metadata === null
    ? pod
    : { ...pod, metadata: normalizedMetadata(metadata) };
}

function kindError(value: unknown): FieldError | null {
  if (!isObject(value)) {
    return { path: '', code: 'WrongType', message: 'a manifest must be an object' };
  }
  const { apiVersion, kind } = value;
  if (typeof kind !== 'string' || kind === '') return required('kind', 'a manifest is a v1 Pod');
  if (typeof apiVersion !== 'string' || apiVersion === '') {
    return required('apiVersion', 'a manifest is a v1 Pod');
  }
  if (apiVersion === 'v1' && kind === 'Pod') return null;
  const message = `kind: ${apiVersion} ${kind} is not a v1 Pod${hintFor(value)}`.slice(0, 200);
  return { path: 'kind', code: 'UnsupportedKind', message };
}

/** A workload put into the directory by mistake: what of it would run here. */
function hintFor({ spec }: Record<string, unknown>): string {
  const hasTemplate = isObject(spec) && isObject(spec['template']);
  return hasTemplate ? '; write what its spec.template holds as one' : '';
}

function checkContext(pod: Pod, options: PodManifestOptions): FieldError[] {
  if (options.context === 'file') return [];
  const errors: FieldError[] = [];
  const uid = pod.metadata?.uid;
  if (uid !== undefined && uid !== '') {
    errors.push(forbidden('metadata.uid', 'a pod of a bundle gets its uid from its node'));
  }
  const namespace = podNamespace(pod);
  if (options.namespace !== undefined && namespace !== options.namespace) {
    const detail = `must be ${options.namespace}, the namespace of the bundle`;
    errors.push(invalid('metadata.namespace', namespace, detail));
  }
  return errors;
}

/**
 * The first error for each field and code, at most MAX_ERRORS: the rules can see what the schema
 * saw.
 */
function distinct(errors: readonly FieldError[]): FieldError[] {
  const first = new Map<string, FieldError>();
  for (const error of errors) {
    const key = `${error.code} ${error.path}`;
    if (!first.has(key)) first.set(key, error);
  }
  return [...first.values()].slice(0, MAX_ERRORS);
}

/**
 * Validates one document. The pod that it returns is normalized and not defaulted: what identity
 * and hashes are taken of. Never throws on bad input.
 */
export function validatePodManifest(
  value: unknown,
  options: PodManifestOptions,
): PodManifestResult {
  const wrongKind = kindError(value);
  if (wrongKind !== null) return { ok: false, errors: [wrongKind] };
  const candidate = normalizedPod(value as Record<string, unknown>);
  const errors = validatePod(candidate) ? [] : fieldErrorsOf(candidate, validatePod.errors ?? []);
  errors.push(...checkPodSupport(candidate));
  // The rules read fields by their types; what has a wrong type has been reported.
  if (!errors.some(({ code }) => code === 'WrongType')) {
    const pod = candidate as Pod;
    errors.push(...checkPodRules(pod), ...checkContext(pod, options));
  }
  return errors.length === 0
    ? { ok: true, pod: candidate as unknown as ValidPod }
    : { ok: false, errors: distinct(errors) };
}
