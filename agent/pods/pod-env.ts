/**
 * The environment of a container, and `$(VAR)` in it, in command and in args.
 * Kubelet behaviour rows 142 to 146; `third_party/forked/golang/expansion`. Pure.
 */
import type { Container, EnvVar, ValidPod } from '../../protocol/pod.js';

/** What is known about the pod only where it runs. */
export interface PodAddresses {
  readonly hostIP: string;
  /** Empty until the sandbox's network is up. */
  readonly podIP: string;
}

/** A reference that cannot be resolved: the container waits with CreateContainerConfigError. */
export class EnvError extends Error {
  override readonly name = 'EnvError';
}

/**
 * Replaces `$(NAME)` by its value; a name that is not known stays as text, `$$` stands for `$`, and what was put
 * in is not looked at again.
 */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
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

const SUBSCRIPT = /^metadata\.(labels|annotations)\['(.*)'\]$/;

function fieldValue(path: string, pod: ValidPod, addresses: PodAddresses): string {
  const [, map, key] = SUBSCRIPT.exec(path) ?? [];
  if (map === 'labels' || map === 'annotations') return pod.metadata[map]?.[key ?? ''] ?? '';
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid ?? '';
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
    case 'status.hostIPs':
      return addresses.hostIP;
    case 'status.podIP':
    case 'status.podIPs':
      return addresses.podIP;
    default:
      throw new EnvError(`fieldRef ${path} is not known`);
  }
}

function valueOf(
  variable: EnvVar,
  values: ReadonlyMap<string, string>,
  of: { pod: ValidPod; addresses: PodAddresses },
): string {
  const { value, valueFrom } = variable;
  if (value !== undefined && value !== '') return expand(value, values);
  const path = valueFrom?.fieldRef?.fieldPath;
  if (path !== undefined) return fieldValue(path, of.pod, of.addresses);
  if (valueFrom === undefined) return '';
  throw new EnvError(`env ${variable.name}: this kind of valueFrom is not known`);
}

/**
 * Values by name, in the order in which the names first stand in the manifest; of two with the same name the
 * last one's value. Each sees only those above it. Throws `EnvError`.
 */
export function environment(
  container: Container,
  pod: ValidPod,
  addresses: PodAddresses,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const variable of container.env ?? []) {
    values.set(variable.name, valueOf(variable, values, { pod, addresses }));
  }
  return values;
}

/** True when the environment cannot be made before the pod has its address. */
export function needsPodIP(container: Container): boolean {
  return (container.env ?? []).some(({ valueFrom }) =>
    valueFrom?.fieldRef?.fieldPath.startsWith('status.podIP'),
  );
}
