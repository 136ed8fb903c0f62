/**
 * From a Pod to what the runtime is asked to make: a sandbox and its containers.
 *
 * Takes a pod with defaults and suffixed name (`desired.ts`), the node's facts and the mounts that `volumes.ts` made. Kubelet behaviour rows 141 to 146, 149 to 153, 168, 169, 174, 212, 213. Pure.
 */
import { containerSecurity, type SecurityFacts } from './container-security.js';
import type { DesiredPod } from './desired.js';
import { endingAnnotations } from './ending-annotations.js';
import type { NodeAddresses, NodeCapacity } from './field-values.js';
import { expand } from './pod-env.js';
import { kernelHostname } from './pod-hostname.js';
import { linuxResources } from './pod-resources.js';
import { gracePeriod } from './plan-views.js';
import type {
  ContainerSpec,
  Device,
  EngineFeatures,
  Mount,
  Namespaces,
  PodIdentity,
  SandboxSpec,
} from '../runtime/runtime.js';
import { podSysctls } from './sysctls.js';
import { allContainers, type Container, type ValidPod } from '../../protocol/pod.js';
import { stopSignalOf } from '../../protocol/stop-signals.js';

export interface NodeFacts extends NodeCapacity, NodeAddresses {
  readonly name: string;
  /** 0 when it is not known yet. */
  readonly memoryBytes: number;
  /** What the engine can do; null when it is not known yet. */
  readonly features: EngineFeatures | null;
  readonly clusterDNS: readonly string[];
  readonly clusterDomain: string;
  /** Most processes in each container; -1: no limit. */
  readonly podPidsLimit: number;
}

export function podIdentity({ pod, uid }: DesiredPod): PodIdentity {
  return { name: pod.metadata.name, namespace: pod.metadata.namespace ?? '', uid };
}

/** Row 167: what the pod shares with the host, and what its containers share with each other. */
export function podNamespaces({ spec }: ValidPod): Namespaces {
  return {
    network: spec.hostNetwork === true ? 'host' : 'pod',
    ipc: spec.hostIPC === true ? 'host' : 'pod',
    pid: spec.hostPID === true ? 'host' : spec.shareProcessNamespace === true ? 'pod' : 'container',
  };
}

/**
 * Row 168, and 123 done better: those of sidecars and init containers too, for as long as the sandbox is there.
 */
function hostPorts(pod: ValidPod): SandboxSpec['ports'] {
  if (pod.spec.hostNetwork === true) return [];
  const bindings = allContainers(pod)
    .flatMap(container => container.ports ?? [])
    .filter(({ hostPort = 0 }) => hostPort !== 0)
    .map(({ containerPort, hostPort = 0, hostIP = '', protocol = 'TCP' }) => ({
      containerPort,
      hostPort,
      hostIP,
      protocol: protocol as 'TCP' | 'UDP' | 'SCTP',
    }));
  // What an init container has and an app container takes over is one binding.
  return [...new Map(bindings.map(binding => [JSON.stringify(binding), binding])).values()];
}

/** Throws `HostnameError` when the pod's full name is longer than the kernel takes. */
export function sandboxSpec(
  desired: DesiredPod,
  attempt: number,
  { clusterDomain }: Pick<NodeFacts, 'clusterDomain'>,
): SandboxSpec {
  const { pod } = desired;
  return {
    pod: podIdentity(desired),
    attempt,
    hostname: kernelHostname(pod, clusterDomain),
    namespaces: podNamespaces(pod),
    sysctls: podSysctls(pod),
    ports: hostPorts(pod),
    labels: pod.metadata.labels ?? {},
    annotations: pod.metadata.annotations ?? {},
    terminationGracePeriodSeconds: gracePeriod(pod.spec.terminationGracePeriodSeconds),
    hash: desired.sandboxHash,
  };
}

/** True when the container brings its own file in this place, which then holds (row 175). */
export function mountsItself(container: Container, path: string): boolean {
  const clean = (text: string) => `/${text.split('/').filter(Boolean).join('/')}`;
  return (container.volumeMounts ?? []).some(({ mountPath }) => clean(mountPath) === path);
}

export interface ContainerFacts extends SecurityFacts {
  readonly attempt: number;
  readonly round: number;
  readonly node: NodeFacts;
  /** What the container sees of its volumes, with the managed files. */
  readonly mounts: readonly Mount[];
  readonly devices: readonly Device[];
  /** Of an image that the pod's bundle binds to digests; left out: the reference says all. */
  readonly imageId?: string;
  readonly env: ReadonlyMap<string, string>;
}

/** Throws `ContainerConfigError` when the container would run as root and must not. */
export function containerSpec(
  desired: DesiredPod,
  container: Container,
  facts: ContainerFacts,
): ContainerSpec {
  const { pod } = desired;
  const { env } = facts;
  const expandAll = (words: readonly string[] | undefined) =>
    words === undefined || words.length === 0 ? null : words.map(word => expand(word, env));
  return {
    name: container.name,
    attempt: facts.attempt,
    image: container.image ?? '',
    ...(facts.imageId === undefined ? {} : { imageId: facts.imageId }),
    command: expandAll(container.command),
    args: expandAll(container.args),
    env: [...env].map(([name, value]) => `${name}=${value}`),
    workingDir: container.workingDir ?? '',
    mounts: facts.mounts,
    devices: facts.devices,
    security: containerSecurity(pod, container, facts),
    namespaces: podNamespaces(pod),
    stopSignal: stopSignalOf(container),
    resources: linuxResources(desired, container, facts.node),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    annotations: {
      'io.kubernetes.container.terminationMessagePath': container.terminationMessagePath ?? '',
      'io.kubernetes.container.terminationMessagePolicy':
        container.terminationMessagePolicy ?? 'File',
      ...endingAnnotations(pod, container, facts.round),
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
