/**
 * The rules of a Pod that span several fields: unique names, mounts that name volumes, ports,
 * resources.
 *
 * Expects a Pod whose fields have the right types; required fields may be missing, which the schema
 * has reported. As API validation does (kubelet behaviour rows 15, 61, 62), and stricter where
 * Docker would only fail later. Pure.
 */
import { invalid, required, type FieldError } from './field-error.js';
import { childPath } from './manifest-positions.js';
import { allContainers, type Container, type Pod } from './pod.js';
import { checkConnectedAnnotations } from './pod-connected.js';
import { checkEnv } from './pod-env-rules.js';
import { GRAMMARS } from './pod-grammar.js';
import { parseImageReference } from './pod-image.js';
import { checkRestarts } from './pod-restart-rules.js';
import { checkPodNetwork } from './pod-network-rules.js';
import { checkProbesAndHooks } from './pod-probe-rules.js';
import { checkPodSecurity } from './pod-security-rules.js';
import { checkPlacement } from './pod-placement-rules.js';
import { checkResources } from './pod-resource-rules.js';
import { checkTermination } from './pod-termination-rules.js';
import { checkMounts, checkVolumes } from './pod-volume-rules.js';
import { duplicates, matches } from './rule-checks.js';

/** Together, keys and values, in bytes (API validation). */
const MAX_ANNOTATIONS_BYTES = 256 * 1024;

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
  return [...errors, ...checkConnectedAnnotations(annotations)];
}

function checkContainer(container: Container, at: string, pod: Pod): FieldError[] {
  const errors: FieldError[] = [];
  const { image } = container;
  const volumes = pod.spec?.volumes ?? [];
  if (image !== undefined && image !== '' && parseImageReference(image) === null) {
    const detail = 'must be an image reference such as name:tag or registry/name@sha256:...';
    errors.push(invalid(`${at}.image`, image, detail));
  }
  errors.push(...checkEnv(container, { at, containers: allContainers(pod), volumes }));
  errors.push(...checkResources(container.resources ?? {}, `${at}.resources`));
  errors.push(...checkMounts(container, at, volumes));
  errors.push(...checkTermination(container, at));
  return errors;
}

/** All broken rules; empty when there are none. */
export function checkPodRules(pod: Pod): FieldError[] {
  const lists = [
    { at: 'spec.initContainers', containers: pod.spec?.initContainers ?? [] },
    { at: 'spec.containers', containers: pod.spec?.containers ?? [] },
  ];
  const all = lists.flatMap(({ at, containers }) =>
    containers.map((container, index) => ({ container, path: `${at}[${index}]` })),
  );
  return [
    ...checkMetadata(pod),
    ...checkVolumes(pod.spec?.volumes ?? [], allContainers(pod)),
    ...duplicates(
      all,
      ({ container }) => container.name,
      index => `${all[index]?.path ?? ''}.name`,
    ),
    ...all.flatMap(({ container, path }) => checkContainer(container, path, pod)),
    ...checkRestarts(pod),
    ...checkPodNetwork(pod),
    ...checkPodSecurity(pod),
    ...checkProbesAndHooks(pod),
    ...checkPlacement(pod),
  ];
}
