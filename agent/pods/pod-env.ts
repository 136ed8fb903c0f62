/**
 * The environment of a container, and `$(VAR)` in it, in command, in args and in the paths of its mounts.
 *
 * Kubelet behaviour rows 142 to 148; `third_party/forked/golang/expansion`. No value is ever in a message. Pure.
 */
import type { ConfigObject, ConfigObjects } from './config-objects.js';
import { EnvFileError, envFileValue } from './env-file.js';
import {
  hostAddresses,
  metadataValue,
  resourceValue,
  type NodeAddresses,
  type NodeCapacity,
} from './field-values.js';
import { wipe } from '../secrets/opened-bytes.js';
import { fileKeyRef, type Container, type EnvVar, type ValidPod } from '../../protocol/pod.js';

/** What the environment is made of beside the pod. */
export interface EnvFacts {
  readonly node: NodeCapacity & NodeAddresses;
  /** The first is the pod's address; none until the sandbox's network is up. */
  readonly podIPs: readonly string[];
  readonly objects: ConfigObjects;
  /** By `envFileKey`: the files that `fileKeyRef` names, as far as they are there. */
  readonly files: ReadonlyMap<string, string>;
}

export interface Environment {
  readonly values: ReadonlyMap<string, string>;
  /** Keys of an `envFrom` that cannot be variables, and what they are of. */
  readonly skipped: readonly { readonly from: string; readonly keys: readonly string[] }[];
}

/** How `EnvFacts.files` names a file. */
export function envFileKey(volume: string, path: string): string {
  return `${volume}/${path}`;
}

/** A reference that cannot be resolved: the container waits with CreateContainerConfigError. */
export class EnvError extends Error {
  override readonly name = 'EnvError';
}

/**
 * Replaces `$(NAME)` by its value; a name that is not known stays as text, `$$` stands for `$`, and what was put
 * in is not looked at again.
 */
export function expand(text: string, values: Pick<ReadonlyMap<string, string>, 'get'>): string {
  let result = '';
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    if (dollar === -1 || dollar === text.length - 1) return result + text.slice(at);
    result += text.slice(at, dollar);
    const next = text[dollar + 1];
    const close = next === '(' ? text.indexOf(')', dollar + 2) : -1;
    if (next === '$') {
      result += '$';
      at = dollar + 2;
    } else if (close !== -1) {
      const name = text.slice(dollar + 2, close);
      result += values.get(name) ?? `$(${name})`;
      at = close + 1;
    } else if (next === '(') {
      result += '$(';
      at = dollar + 2;
    } else {
      result += `$${next ?? ''}`;
      at = dollar + 2;
    }
  }
  return result;
}

/** A longer value from a file is refused (`K/kubelet_pods.go`). */
const MAX_FILE_VALUE_BYTES = 32 * 1024;

interface Context {
  readonly pod: ValidPod;
  readonly container: Container;
  readonly facts: EnvFacts;
}

function fieldValue(path: string, { pod, facts }: Context): string {
  switch (path) {
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return facts.node.hostIP;
    case 'status.hostIPs':
      return hostAddresses(facts.node).join(',');
    case 'status.podIP':
      return facts.podIPs[0] ?? '';
    case 'status.podIPs':
      return facts.podIPs.join(',');
    default: {
      const value = metadataValue(path, pod);
      if (value === null) throw new EnvError(`fieldRef ${path} is not known`);
      return value;
    }
  }
}

/** Null when the bytes are no text that a process can be given. */
function textOf(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes('\u0000') ? null : text;
  } catch {
    return null;
  }
}

interface Named {
  readonly name?: string;
  readonly optional?: boolean;
}

/** Null when it is not there and need not be. */
function objectOf(kind: ConfigObject['kind'], named: Named, of: Context): ConfigObject | null {
  const { name = '', optional = false } = named;
  const namespace = of.pod.metadata.namespace ?? '';
  const found = of.facts.objects.find({ kind, namespace, name });
  if (found !== null || optional) return found;
  throw new EnvError(`${kind.toLowerCase()} "${name}" not found`);
}

/** Null when it is not there and need not be: then there is no such variable. */
function keyValue(
  kind: ConfigObject['kind'],
  reference: Named & { readonly key: string },
  of: Context,
): string | null {
  const { key, optional = false } = reference;
  const object = objectOf(kind, reference, of);
  const bytes = object?.data.get(key);
  const where = `${kind} ${of.pod.metadata.namespace ?? ''}/${reference.name ?? ''}`;
  if (bytes === undefined) {
    if (optional) return null;
    throw new EnvError(`couldn't find key ${key} in ${where}`);
  }
  const text = textOf(bytes);
  wipe(bytes);
  if (text === null) throw new EnvError(`key ${key} in ${where} is no text`);
  return text;
}

function valueFromFile(variable: EnvVar, { facts }: Context): string | null {
  const reference = fileKeyRef(variable);
  if (reference === undefined) return null;
  const { volumeName, path, key, optional = false } = reference;
  const content = facts.files.get(envFileKey(volumeName, path));
  if (content === undefined) {
    if (optional) return null;
    throw new EnvError(`couldn't parse env file: there is no file ${path} in volume ${volumeName}`);
  }
  let value: string | null;
  try {
    value = envFileValue(content, key);
  } catch (error) {
    if (!(error instanceof EnvFileError)) throw error;
    throw new EnvError(`couldn't parse env file ${path} of volume ${volumeName}: ${error.message}`);
  }
  if (value !== null && Buffer.byteLength(value) > MAX_FILE_VALUE_BYTES) {
    throw new EnvError(`environment variable value for key "${key}" exceeds maximum size of 32KB`);
  }
  if (value !== null && value !== '') return value;
  if (optional) return null;
  throw new EnvError(`environment variable key "${key}" not found in file "${path}"`);
}

function valueOf(
  variable: EnvVar,
  values: ReadonlyMap<string, string>,
  of: Context,
): string | null {
  const { value, valueFrom } = variable;
  if (value !== undefined && value !== '') return expand(value, values);
  if (valueFrom === undefined) return '';
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  if (fieldRef !== undefined) return fieldValue(fieldRef.fieldPath, of);
  if (configMapKeyRef !== undefined) return keyValue('ConfigMap', configMapKeyRef, of);
  if (secretKeyRef !== undefined) return keyValue('Secret', secretKeyRef, of);
  if (resourceFieldRef !== undefined) {
    const { pod, container, facts } = of;
    const shown = resourceValue(resourceFieldRef, { pod, own: container, node: facts.node });
    if (shown !== null) return shown;
    const name = resourceFieldRef.containerName ?? '';
    throw new EnvError(`env ${variable.name}: there is no container ${name}`);
  }
  return valueFromFile(variable, of);
}

/** What `envFrom` gives; of two sources with one key the later wins. */
function fromSources(of: Context): {
  values: Map<string, string>;
  skipped: Environment['skipped'];
} {
  const values = new Map<string, string>();
  const skipped: { from: string; keys: string[] }[] = [];
  for (const { prefix = '', configMapRef, secretRef } of of.container.envFrom ?? []) {
    const kind = configMapRef === undefined ? 'Secret' : 'ConfigMap';
    const named = configMapRef ?? secretRef ?? {};
    const keys: string[] = [];
    for (const [key, bytes] of objectOf(kind, named, of)?.data ?? []) {
      const text = textOf(bytes);
      wipe(bytes);
      if (text === null) keys.push(key);
      else values.set(`${prefix}${key}`, text);
    }
    if (keys.length === 0) continue;
    const from = `${kind} ${of.pod.metadata.namespace ?? ''}/${named.name ?? ''}`;
    skipped.push({ from, keys: keys.sort() });
  }
  return { values, skipped };
}

/**
 * First what `envFrom` gives, then the variables, in the order in which the names first stand in the manifest; of two
 * with the same name the last one's value. Each sees only those above it. Throws `EnvError`.
 */
export function environment(container: Container, pod: ValidPod, facts: EnvFacts): Environment {
  const context = { container, pod, facts };
  const { values, skipped } = fromSources(context);
  for (const variable of container.env ?? []) {
    const value = valueOf(variable, values, context);
    if (value !== null) values.set(variable.name, value);
  }
  return { values, skipped };
}

/**
 * Row 138: the path with every `$(VAR)` replaced. Throws `EnvError` when one of them is not set or empty: a path must
 * not silently become another one.
 */
export function expandPath(text: string, values: ReadonlyMap<string, string>): string {
  const missing = new Set<string>();
  const asked = {
    get(name: string) {
      const value = values.get(name) ?? '';
      if (value === '') missing.add(name);
      return value;
    },
  };
  const path = expand(text, asked);
  if (missing.size === 0) return path;
  throw new EnvError(`missing value for ${[...missing].sort().join(', ')}`);
}

/** True when the environment cannot be made before the pod has its address. */
export function needsPodIP(container: Container): boolean {
  return (container.env ?? []).some(({ valueFrom }) =>
    valueFrom?.fieldRef?.fieldPath.startsWith('status.podIP'),
  );
}
