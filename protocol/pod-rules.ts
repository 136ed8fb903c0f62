/**
 * The rules of a Pod that span several fields: unique names, mounts that name volumes, ports,
 * resources.
 *
 * Expects a Pod whose fields have the right types; required fields may be missing, which the schema
 * has reported. As API validation does (kubelet behaviour rows 15, 61, 62), and stricter where
 * Docker would only fail later. Pure.
 */
import { duplicate, forbidden, invalid, required, type FieldError } from './field-error.js';
import { childPath } from './manifest-positions.js';
import type { Container, EnvVar, Pod, Volume } from './pod.js';
import { GRAMMARS, type Grammar } from './pod-grammar.js';
import { parseImageReference } from './pod-image.js';
import { checkRestarts } from './pod-restart-rules.js';
import { checkPodNetwork } from './pod-network-rules.js';
import { checkProbesAndHooks } from './pod-probe-rules.js';
import { checkPodSecurity } from './pod-security-rules.js';
import { checkPlacement } from './pod-placement-rules.js';
import { checkResources } from './pod-resource-rules.js';
import { checkTermination } from './pod-termination-rules.js';

/** Together, keys and values, in bytes (API validation). */
const MAX_ANNOTATIONS_BYTES = 256 * 1024;

/** What `fieldRef` can name for an environment variable (kubelet behaviour row 145). */
const FIELD_PATHS = new Set([
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]);
const KEYED_FIELD_PATH = /^metadata\.(?:labels|annotations)\['([^']+)'\]$/;

function matches(grammar: Grammar, text: string): boolean {
  const fits = grammar.maxLength === undefined || text.length <= grammar.maxLength;
  return fits && new RegExp(grammar.pattern, 'u').test(text);
}

/** An error for each item whose key an earlier item has; items without a key are left out. */
function duplicates<T>(
  items: readonly T[],
  keyOf: (item: T) => string | undefined,
  pathOf: (index: number) => string,
): FieldError[] {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const key = keyOf(item);
    if (key === undefined) return [];
    if (seen.has(key)) return [duplicate(pathOf(index), key)];
    seen.add(key);
    return [];
  });
}

function checkMetadata(pod: Pod): FieldError[] {
  const { name, labels = {}, annotations = {} } = pod.metadata ?? {};
  const errors: FieldError[] = [];
  if (pod.metadata !== undefined && name === undefined) {
    errors.push(required('metadata.name', 'a static pod needs a name of its own'));
  }
  for (const [key, value] of Object.entries(labels)) {
    const path = childPath('metadata.labels', key);
    if (!matches(GRAMMARS.labelKey, key)) {
      errors.push(invalid(path, key, `a label's key must be ${GRAMMARS.labelKey.must}`));
    }
    if (!matches(GRAMMARS.labelValue, value)) {
      errors.push(invalid(path, value, `a label's value must be ${GRAMMARS.labelValue.must}`));
    }
  }
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) {
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
    if (!matches(GRAMMARS.labelKey, key.toLowerCase())) {
      const path = childPath('metadata.annotations', key);
      errors.push(invalid(path, key, `an annotation's key must be ${GRAMMARS.labelKey.must}`));
    }
  }
  if (size > MAX_ANNOTATIONS_BYTES) {
    const message = `${size} bytes of annotations are more than ${MAX_ANNOTATIONS_BYTES}`;
    errors.push(invalid('metadata.annotations', {}, message));
  }
  return errors;
}

function checkVolumes(volumes: readonly Volume[]): FieldError[] {
  const pathOf = (index: number) => `spec.volumes[${index}]`;
  const errors = duplicates(
    volumes,
    volume => volume.name,
    index => `${pathOf(index)}.name`,
  );
  volumes.forEach((volume, index) => {
    const sources = Object.keys(volume).filter(key => key !== 'name');
    if (sources.length > 1) {
      const list = sources.join(', ');
      errors.push(forbidden(pathOf(index), `a volume has one source, this one has ${list}`));
    }
    const hostPath = volume.hostPath?.path;
    if (hostPath?.split('/').includes('..')) {
      errors.push(invalid(`${pathOf(index)}.hostPath.path`, hostPath, "must not contain '..'"));
    }
  });
  return errors;
}

/**
 * One spelling for one place: without repeated or trailing slashes, absolute as the kubelet makes
 * it.
 */
function cleanMountPath(path: string): string {
  const steps = path.split('/').filter(step => step !== '' && step !== '.');
  return `/${steps.join('/')}`;
}

function checkMounts(container: Container, at: string, volumes: ReadonlySet<string>): FieldError[] {
  const mounts = container.volumeMounts ?? [];
  const pathOf = (index: number) => `${at}.volumeMounts[${index}]`;
  const errors: FieldError[] = [];
  mounts.forEach(({ name, mountPath }, index) => {
    if (name !== undefined && name !== '' && !volumes.has(name)) {
      errors.push(invalid(`${pathOf(index)}.name`, name, 'there is no volume of this name'));
    }
    if (mountPath === undefined || mountPath === '') return;
    const path = `${pathOf(index)}.mountPath`;
    if (/[:\u0000]/.test(mountPath)) errors.push(invalid(path, mountPath, "must not contain ':'"));
    if (mountPath.split('/').includes('..')) {
      errors.push(invalid(path, mountPath, "must not contain '..'"));
    } else if (cleanMountPath(mountPath) === '/') {
      errors.push(invalid(path, mountPath, 'the root directory cannot be a mount point'));
    }
  });
  const keyOf = (mount: { mountPath?: string }) =>
    mount.mountPath === undefined ? undefined : cleanMountPath(mount.mountPath);
  return [...errors, ...duplicates(mounts, keyOf, index => `${pathOf(index)}.mountPath`)];
}

function checkVariable(variable: EnvVar, at: string): FieldError[] {
  const { value, valueFrom } = variable;
  if (valueFrom === undefined) return [];
  const path = `${at}.valueFrom`;
  const sources = Object.keys(valueFrom);
  const errors: FieldError[] = [];
  if (value !== undefined && value !== '') {
    errors.push(invalid(path, sources, 'may not be specified when `value` is not empty'));
  }
  if (sources.length !== 1) errors.push(invalid(path, sources, 'must name exactly one source'));
  const fieldPath = valueFrom.fieldRef?.fieldPath;
  if (fieldPath === undefined || fieldPath === '' || FIELD_PATHS.has(fieldPath)) return errors;
  const key = KEYED_FIELD_PATH.exec(fieldPath)?.[1];
  if (key !== undefined && matches(GRAMMARS.labelKey, key)) return errors;
  const names = [...FIELD_PATHS].join(', ');
  const detail = `must be one of ${names}, metadata.labels['<key>'], metadata.annotations['<key>']`;
  return [...errors, invalid(`${path}.fieldRef.fieldPath`, fieldPath, detail)];
}

function checkContainer(
  container: Container,
  at: string,
  volumes: ReadonlySet<string>,
): FieldError[] {
  const errors: FieldError[] = [];
  const { image, env = [] } = container;
  if (image !== undefined && image !== '' && parseImageReference(image) === null) {
    const detail = 'must be an image reference such as name:tag or registry/name@sha256:...';
    errors.push(invalid(`${at}.image`, image, detail));
  }
  env.forEach((variable, index) => errors.push(...checkVariable(variable, `${at}.env[${index}]`)));
  errors.push(...checkResources(container.resources ?? {}, `${at}.resources`));
  errors.push(...checkMounts(container, at, volumes));
  errors.push(...checkTermination(container, at));
  return errors;
}

/** All broken rules; empty when there are none. */
export function checkPodRules(pod: Pod): FieldError[] {
  const volumes = pod.spec?.volumes ?? [];
  const volumeNames = new Set(volumes.map(volume => volume.name));
  const lists = [
    { at: 'spec.initContainers', containers: pod.spec?.initContainers ?? [] },
    { at: 'spec.containers', containers: pod.spec?.containers ?? [] },
  ];
  const all = lists.flatMap(({ at, containers }) =>
    containers.map((container, index) => ({ container, path: `${at}[${index}]` })),
  );
  return [
    ...checkMetadata(pod),
    ...checkVolumes(volumes),
    ...duplicates(
      all,
      ({ container }) => container.name,
      index => `${all[index]?.path ?? ''}.name`,
    ),
    ...all.flatMap(({ container, path }) => checkContainer(container, path, volumeNames)),
    ...checkRestarts(pod),
    ...checkPodNetwork(pod),
    ...checkPodSecurity(pod),
    ...checkProbesAndHooks(pod),
    ...checkPlacement(pod),
  ];
}
