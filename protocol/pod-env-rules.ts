/**
 * The rules of a container's environment: one source per variable, names, and what references name.
 *
 * As `ValidateEnv` and `ValidateEnvFrom` of the API (v1.36; kubelet behaviour rows 142 to 148). Whether the ConfigMap
 * or Secret is there is asked where the pod runs. Pure.
 */
import { forbidden, invalid, required, type FieldError } from './field-error.js';
import {
  fileKeyRef,
  type Container,
  type EnvFromSource,
  type EnvVar,
  type FileKeySelector,
  type Volume,
} from './pod.js';
import { checkConnectedVariable } from './pod-connected.js';
import { checkFieldPath, checkResourceField } from './pod-field-paths.js';
import { GRAMMARS } from './pod-grammar.js';
import { checkVolumePath } from './pod-volume-paths.js';
import { matches } from './rule-checks.js';

/** Longer keys of files are refused (`K/kubelet_pods.go`). */
const MAX_FILE_KEY_LENGTH = 128;

export interface EnvPlace {
  /** Path of the container. */
  readonly at: string;
  /** All containers of the pod. */
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
}

const CONFIG_KEY = /^[-._a-zA-Z0-9]{1,253}$/;

function checkReference(reference: { name?: string } | undefined, at: string): FieldError[] {
  if (reference === undefined) return [];
  const { name = '' } = reference;
  if (name === '') return [required(`${at}.name`)];
  const must = `must be ${GRAMMARS.dnsSubdomain.must}`;
  return matches(GRAMMARS.dnsSubdomain, name) ? [] : [invalid(`${at}.name`, name, must)];
}

function checkKeyReference(
  reference: { name?: string; key?: string } | undefined,
  at: string,
): FieldError[] {
  if (reference === undefined) return [];
  const errors = checkReference(reference, at);
  const { key = '' } = reference;
  if (key === '') return [...errors, required(`${at}.key`)];
  const isKey = CONFIG_KEY.test(key) && key !== '.' && !key.startsWith('..');
  const detail = "must be a key: at most 253 letters, digits, '-', '_' or '.'";
  return isKey ? errors : [...errors, invalid(`${at}.key`, key, detail)];
}

function checkFileKey(
  { volumeName, path, key }: Partial<FileKeySelector>,
  at: string,
  volumes: readonly Volume[],
): FieldError[] {
  const errors: FieldError[] = [];
  const volume = volumes.find(({ name }) => name === volumeName);
  if (volumeName === '') errors.push(required(`${at}.volumeName`));
  else if (volumeName !== undefined) {
    const isEmptyDir = Object.keys(volume ?? { hostPath: 0 }).every(
      source => source === 'name' || source === 'emptyDir',
    );
    const detail = 'must be the name of an emptyDir volume of this pod';
    if (!isEmptyDir) errors.push(invalid(`${at}.volumeName`, volumeName, detail));
  }
  if (path !== undefined) errors.push(...checkVolumePath(path, `${at}.path`));
  if (key === '') errors.push(required(`${at}.key`));
  else if (key !== undefined && !matches(GRAMMARS.envName, key)) {
    errors.push(invalid(`${at}.key`, key, `must be ${GRAMMARS.envName.must}`));
  } else if (key !== undefined && key.length > MAX_FILE_KEY_LENGTH) {
    errors.push(invalid(`${at}.key`, key, `must be at most ${MAX_FILE_KEY_LENGTH} characters`));
  }
  return errors;
}

function checkVariable(variable: EnvVar, at: string, place: EnvPlace): FieldError[] {
  const { value, valueFrom } = variable;
  if (valueFrom === undefined) return [];
  const path = `${at}.valueFrom`;
  const sources = Object.keys(valueFrom);
  const errors: FieldError[] = [];
  if (value !== undefined && value !== '') {
    errors.push(invalid(path, sources, 'may not be specified when `value` is not empty'));
  }
  if (sources.length !== 1) errors.push(invalid(path, sources, 'must name exactly one source'));
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  const file = fileKeyRef(variable);
  return [
    ...errors,
    ...checkFieldPath(fieldRef?.fieldPath ?? '', 'env', `${path}.fieldRef`),
    ...checkConnectedVariable(fieldRef?.fieldPath ?? '', `${path}.fieldRef`),
    ...(resourceFieldRef === undefined
      ? []
      : checkResourceField(resourceFieldRef, 'env', {
          at: `${path}.resourceFieldRef`,
          containers: place.containers,
        })),
    ...checkKeyReference(configMapKeyRef, `${path}.configMapKeyRef`),
    ...checkKeyReference(secretKeyRef, `${path}.secretKeyRef`),
    ...(file === undefined ? [] : checkFileKey(file, `${path}.fileKeyRef`, place.volumes)),
  ];
}

function checkSource(source: EnvFromSource, at: string): FieldError[] {
  const { prefix = '', configMapRef, secretRef } = source;
  const errors: FieldError[] = [];
  if (prefix !== '' && !matches(GRAMMARS.envName, prefix)) {
    errors.push(invalid(`${at}.prefix`, prefix, `must be ${GRAMMARS.envName.must}`));
  }
  if (configMapRef === undefined && secretRef === undefined) {
    errors.push(required(at, 'must specify one of: `configMapRef` or `secretRef`'));
  } else if (configMapRef !== undefined && secretRef !== undefined) {
    errors.push(forbidden(at, 'may not have more than one source'));
  }
  return [
    ...errors,
    ...checkReference(configMapRef, `${at}.configMapRef`),
    ...checkReference(secretRef, `${at}.secretRef`),
  ];
}

export function checkEnv(container: Container, place: EnvPlace): FieldError[] {
  const { env = [], envFrom = [] } = container;
  return [
    ...env.flatMap((one, index) => checkVariable(one, `${place.at}.env[${index}]`, place)),
    ...envFrom.flatMap((one, index) => checkSource(one, `${place.at}.envFrom[${index}]`)),
  ];
}
