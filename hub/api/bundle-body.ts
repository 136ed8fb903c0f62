/**
 * A Bundle as a client sends it. Here its frame is read: names, labels, the selector, that manifests are objects;
 * the manifests themselves are validated where revisions are made. `status` and what the hub alone sets in `metadata`
 * are passed over, so that an object that was read can be sent back. Pure.
 */
import { excerpt } from '../../protocol/excerpt.js';
import type { BundleManifest } from '../../protocol/bundle-manifest.js';
import type { BundleStrategy, ImageEntry } from '../../protocol/documents/bundle.js';
import { IMAGE_DIGESTS_MAX } from '../../protocol/limits.js';
import { LABEL_PATTERN } from '../../protocol/names.js';
import {
  DEFAULT_STRATEGY,
  plainStrategy,
  sameStrategy,
  STRATEGY_FIELDS,
  strategyFault,
} from '../../protocol/strategy.js';
import { API_VERSION } from '../objects.js';
import {
  DEFAULT_PLAN,
  PLAN_FIELDS,
  plainPlan,
  planFault,
  type RolloutPlan,
} from '../rollout/waves/plan.js';
import { RequestError, type ApplyRequest } from '../ports.js';
import { parseSelector, SelectorError } from '../selectors.js';
import {
  checkKind,
  fieldsAt,
  isFields,
  labelMap,
  refuseCauses,
  refuseUnknown,
  stringMap,
  type Cause,
  type Fields,
} from './body-fields.js';

const BODY_FIELDS = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];
const META_FIELDS = [
  'annotations',
  'creationTimestamp',
  'generation',
  'labels',
  'managedFields',
  'name',
  'namespace',
  'resourceVersion',
  'selfLink',
  'uid',
];

export interface BundleBody extends Omit<ApplyRequest, 'signed' | 'expect' | 'dryRun'> {
  readonly resourceVersion: string | null;
  readonly uid: string | null;
}

function optionalText(fields: Fields, name: string): string | null {
  const value = fields[name] ?? null;
  if (value === null || value === '') return null;
  if (typeof value === 'string') return value;
  throw new RequestError('BadRequest', `metadata.${name}: must be a string`);
}

function readName(
  metadata: Fields,
  path: { readonly name: string | null },
  causes: Cause[],
): string {
  const given = optionalText(metadata, 'name');
  if (path.name !== null && given !== null && given !== path.name) {
    throw new RequestError(
      'BadRequest',
      `metadata.name: "${excerpt(given)}" does not match "${path.name}" in the path`,
    );
  }
  const name = path.name ?? given;
  if (name === null) causes.push({ field: 'metadata.name', message: 'required' });
  else if (!LABEL_PATTERN.test(name)) {
    causes.push({ field: 'metadata.name', message: `"${name}" is not an RFC 1123 label` });
  }
  return name ?? '';
}

function checkNamespace(metadata: Fields, namespace: string, causes: Cause[]): void {
  const given = optionalText(metadata, 'namespace');
  if (given !== null && given !== namespace) {
    throw new RequestError(
      'BadRequest',
      `metadata.namespace: "${excerpt(given)}" does not match "${namespace}" in the path`,
    );
  }
  if (LABEL_PATTERN.test(namespace)) return;
  causes.push({ field: 'metadata.namespace', message: `"${namespace}" is not an RFC 1123 label` });
}

function readSelector(spec: Fields, causes: Cause[]): string {
  const field = 'spec.nodeSelector';
  const selector = spec['nodeSelector'];
  if (typeof selector !== 'string') {
    causes.push({ field, message: 'required: a label selector; "" selects every node' });
    return '';
  }
  try {
    parseSelector(selector);
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    causes.push({ field, message: error.message });
  }
  return selector;
}

function readManifests(spec: Fields, causes: Cause[]): readonly BundleManifest[] {
  const manifests = spec['manifests'];
  if (!Array.isArray(manifests)) {
    causes.push({ field: 'spec.manifests', message: 'required: a list of v1 Pods and ConfigMaps' });
    return [];
  }
  const wrong = manifests.findIndex(manifest => !isFields(manifest));
  if (wrong !== -1) {
    causes.push({ field: `spec.manifests[${wrong}]`, message: 'must be an object' });
  }
  return manifests as BundleManifest[];
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Sorted by image, so that the order in which they are sent says nothing. */
function readImages(spec: Fields, causes: Cause[]): readonly ImageEntry[] {
  const field = 'spec.images';
  const images = spec['images'] ?? [];
  if (!Array.isArray(images)) {
    causes.push({ field, message: 'must be a list of images with their digests' });
    return [];
  }
  const entries = images.map((value, index): ImageEntry => {
    const at = `${field}[${index}]`;
    const entry = fieldsAt(value, at);
    refuseUnknown(entry, ['image', 'digests'], at);
    const { image, digests } = entry;
    if (typeof image !== 'string' || image === '' || image.length > 512) {
      causes.push({ field: `${at}.image`, message: 'required: an image as the manifests name it' });
    }
    const list: readonly unknown[] = Array.isArray(digests) ? digests : [];
    const areDigests = list.every(one => typeof one === 'string' && DIGEST.test(one));
    if (list.length === 0 || list.length > IMAGE_DIGESTS_MAX || !areDigests) {
      const message = `required: 1 to ${IMAGE_DIGESTS_MAX} digests, each sha256:… of 64 hex digits`;
      causes.push({ field: `${at}.digests`, message });
    }
    return { image: String(image), digests: list.map(String) };
  });
  const names = entries.map(({ image }) => image);
  const twice = names.findIndex((image, index) => names.indexOf(image) !== index);
  if (twice !== -1) {
    causes.push({ field: `${field}[${twice}].image`, message: `"${names[twice]}" stands twice` });
  }
  return entries.sort((a, b) => (a.image < b.image ? -1 : 1));
}

/** What is left out is the default; all of it the default is the same as none. */
function readStrategy(spec: Fields, causes: Cause[]): { readonly strategy?: BundleStrategy } {
  const field = 'spec.strategy';
  const given = fieldsAt(spec['strategy'] ?? {}, field);
  refuseUnknown(given, STRATEGY_FIELDS, field);
  const strategy = { ...DEFAULT_STRATEGY, ...given };
  const fault = strategyFault(strategy);
  if (fault) {
    causes.push({ field: `${field}.${fault.field}${fault.at ?? ''}`, message: fault.message });
    return {};
  }
  return sameStrategy(strategy, DEFAULT_STRATEGY) ? {} : { strategy: plainStrategy(strategy) };
}

/** What is left out is the default; without a plan a revision goes to all nodes at once. Faults are added to `causes`. */
export function readPlan(value: unknown, causes: Cause[]): { readonly rollout?: RolloutPlan } {
  if (value === undefined || value === null) return {};
  const field = 'spec.rollout';
  const given = fieldsAt(value, field);
  refuseUnknown(given, PLAN_FIELDS, field);
  const plan = { ...DEFAULT_PLAN, ...given };
  const fault = planFault(plan);
  if (fault === null) return { rollout: plainPlan(plan) };
  causes.push({ field: `${field}.${fault.field}${fault.at}`, message: fault.message });
  return {};
}

/** Throws BadRequest (unknown fields, names that do not match the path) and Invalid (with all causes). */
export function parseBundle(
  value: unknown,
  path: { readonly namespace: string; readonly name: string | null },
): BundleBody {
  const body = fieldsAt(value, '');
  checkKind(body, API_VERSION.Bundle, 'Bundle');
  const metadata = fieldsAt(body['metadata'], 'metadata');
  const spec = fieldsAt(body['spec'], 'spec');
  refuseUnknown(body, BODY_FIELDS, '');
  refuseUnknown(metadata, META_FIELDS, 'metadata');
  refuseUnknown(spec, ['nodeSelector', 'manifests', 'images', 'strategy', 'rollout'], 'spec');
  const causes: Cause[] = [];
  const name = readName(metadata, path, causes);
  checkNamespace(metadata, path.namespace, causes);
  const labels = labelMap(metadata['labels'], 'metadata.labels', causes);
  const annotations = stringMap(metadata['annotations'], 'metadata.annotations', causes);
  const nodeSelector = readSelector(spec, causes);
  const manifests = readManifests(spec, causes);
  const images = readImages(spec, causes);
  const strategy = readStrategy(spec, causes);
  const rollout = readPlan(spec['rollout'], causes);
  refuseCauses(`Bundle.flotilla.dev "${name}"`, causes);
  return {
    namespace: path.namespace,
    name,
    labels,
    annotations,
    spec: {
      nodeSelector,
      manifests,
      ...(images.length > 0 ? { images } : {}),
      ...strategy,
      ...rollout,
    },
    resourceVersion: optionalText(metadata, 'resourceVersion'),
    uid: optionalText(metadata, 'uid'),
  };
}
