/**
 * From a Pod to what the runtime is asked to make: a sandbox and its containers.
 *
 * Takes a pod with defaults and suffixed name (`desired.ts`), the node's facts and the mounts that `volumes.ts` made. Kubelet behaviour rows 141 to 146, 149 to 153, 168, 169, 174, 212, 213. Pure.
 */
import type { DesiredPod } from './desired.js';
import { environment, expand, type PodAddresses } from './pod-env.js';
import { endingAnnotations } from './ending-annotations.js';
import { linuxResources } from './pod-resources.js';
import { gracePeriod } from './plan-views.js';
import {
  PLAIN_SECURITY,
  type ContainerSpec,
  type Mount,
  type Namespaces,
  type PodIdentity,
  type SandboxSpec,
} from '../runtime/runtime.js';
import type { Container, ValidPod } from '../../protocol/pod.js';

export const ETC_HOSTS = '/etc/hosts';

const HOSTNAME_MAX = 63;

export interface NodeFacts {
  readonly name: string;
  /** The node's address; empty when it has none. */
  readonly hostIP: string;
  /** 0 when it is not known yet. */
  readonly memoryBytes: number;
}

export function podIdentity({ pod, uid }: DesiredPod): PodIdentity {
  return { name: pod.metadata.name, namespace: pod.metadata.namespace ?? '', uid };
}

/** Row 169: `spec.hostname`, else the pod's name cut to a label. */
export function podHostname(pod: ValidPod): string {
  const given = pod.spec.hostname ?? '';
  if (given !== '') return given;
  return pod.metadata.name.slice(0, HOSTNAME_MAX).replace(/[-.]+$/, '');
}

/** Row 167: what the pod shares with the host, and what its containers share with each other. */
export function podNamespaces({ spec }: ValidPod): Namespaces {
  return {
    network: spec.hostNetwork === true ? 'host' : 'pod',
    ipc: spec.hostIPC === true ? 'host' : 'pod',
    pid: spec.hostPID === true ? 'host' : spec.shareProcessNamespace === true ? 'pod' : 'container',
  };
}

export function sandboxSpec(desired: DesiredPod, attempt: number): SandboxSpec {
  const { pod } = desired;
  return {
    pod: podIdentity(desired),
    attempt,
    hostname: podHostname(pod),
    namespaces: podNamespaces(pod),
    sysctls: {},
    ports: pod.spec.containers
      .flatMap(container => container.ports ?? [])
      .filter(({ hostPort = 0 }) => hostPort !== 0)
      .map(({ containerPort, hostPort = 0, hostIP = '', protocol = 'TCP' }) => ({
        containerPort,
        hostPort,
        hostIP,
        protocol: protocol as 'TCP' | 'UDP' | 'SCTP',
      })),
    labels: pod.metadata.labels ?? {},
    annotations: pod.metadata.annotations ?? {},
    terminationGracePeriodSeconds: gracePeriod(pod.spec.terminationGracePeriodSeconds),
    hash: desired.sandboxHash,
  };
}

/** True unless the container brings its own hosts file (row 175). */
export function hasManagedHosts(container: Container): boolean {
  return !(container.volumeMounts ?? []).some(({ mountPath }) => mountPath === ETC_HOSTS);
}

export interface ContainerFacts {
  readonly attempt: number;
  readonly node: NodeFacts;
  /** What the container sees of its volumes, with the managed files. */
  readonly mounts: readonly Mount[];
  readonly podIP: string;
}

/** Throws `EnvError` when the environment names something that there is not. */
export function containerSpec(
  desired: DesiredPod,
  container: Container,
  facts: ContainerFacts,
): ContainerSpec {
  const { pod } = desired;
  const addresses: PodAddresses = { hostIP: facts.node.hostIP, podIP: facts.podIP };
  const env = environment(container, pod, addresses);
  const expandAll = (words: readonly string[] | undefined) =>
    words === undefined || words.length === 0 ? null : words.map(word => expand(word, env));
  return {
    name: container.name,
    attempt: facts.attempt,
    image: container.image ?? '',
    command: expandAll(container.command),
    args: expandAll(container.args),
    env: [...env].map(([name, value]) => `${name}=${value}`),
    workingDir: container.workingDir ?? '',
    mounts: facts.mounts,
    devices: [],
    security: PLAIN_SECURITY,
    namespaces: podNamespaces(pod),
    stopSignal: '',
    resources: linuxResources(pod, container, facts.node.memoryBytes),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    annotations: {
      'io.kubernetes.container.terminationMessagePath': container.terminationMessagePath ?? '',
      'io.kubernetes.container.terminationMessagePolicy':
        container.terminationMessagePolicy ?? 'File',
      ...endingAnnotations(pod, container),
      ...(container.ports === undefined
        ? {}
        : { 'io.kubernetes.container.ports': JSON.stringify(container.ports) }),
      'io.kubernetes.pod.terminationGracePeriod': String(
        gracePeriod(pod.spec.terminationGracePeriodSeconds),
      ),
    },
    hash: desired.containerHashes.get(container.name) ?? '',
  };
}
