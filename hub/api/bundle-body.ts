/**
 * A Bundle as a client sends it. Here its frame is read: names, labels, the selector, that manifests are objects;
 * the manifests themselves are validated where revisions are made. `status` and what the hub alone sets in `metadata`
 * are passed over, so that an object that was read can be sent back. Pure.
 */
import type { BundleManifest } from '../../protocol/bundle-manifest.js';
import { LABEL_PATTERN } from '../../protocol/names.js';
import { API_VERSION } from '../objects.js';
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
      `metadata.name: "${given}" does not match "${path.name}" in the path`,
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
      `metadata.namespace: "${given}" does not match "${namespace}" in the path`,
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
  refuseUnknown(spec, ['nodeSelector', 'manifests'], 'spec');
  const causes: Cause[] = [];
  const name = readName(metadata, path, causes);
  checkNamespace(metadata, path.namespace, causes);
  const labels = labelMap(metadata['labels'], 'metadata.labels', causes);
  const annotations = stringMap(metadata['annotations'], 'metadata.annotations', causes);
  const nodeSelector = readSelector(spec, causes);
  const manifests = readManifests(spec, causes);
  refuseCauses(`Bundle.flotilla.dev "${name}"`, causes);
  return {
    namespace: path.namespace,
    name,
    labels,
    annotations,
    spec: { nodeSelector, manifests },
    resourceVersion: optionalText(metadata, 'resourceVersion'),
    uid: optionalText(metadata, 'uid'),
  };
}
