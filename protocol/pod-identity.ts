/**
 * What makes a pod the same pod, and a container the same container.
 *
 * All digests are of the manifest as its author wrote it, in canonical JSON, never of the defaulted
 * form, so that an agent upgrade restarts nothing. Every digest carries a version tag: changing a
 * rule means a new tag and restarts every pod once. Pure.
 */
import { canonicalJson, sha256Hex } from './canonical.js';
import { NO_BINDINGS, type ImageBindings } from './image-binding.js';
import type { Container, Pod, PodSource, ValidPod } from './pod.js';
import { allContainers, podNamespace } from './pod.js';

const POD_UID_VERSION = 'flotilla/pod-uid/v1';
const CONTAINER_HASH_VERSION = 'flotilla/container-hash/v1';
const CONFIG_HASH_VERSION = 'flotilla/config-hash/v1';

const DIGITS = 32;

export const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';
const CHECKSUM_PREFIX = 'checksum/';

export interface PodOrigin {
  /** The node's name as configured. */
  readonly node: string;
  readonly source: PodSource;
}

function digest(value: unknown): string {
  return sha256Hex(canonicalJson(value)).slice(0, DIGITS);
}

/**
 * The host ports of the app containers, in an order that does not depend on that of the containers.
 */
function hostPorts(containers: readonly Container[]): unknown[] {
  const bindings = containers
    .flatMap(container => container.ports ?? [])
    .filter(port => (port.hostPort ?? 0) !== 0)
    .map(({ hostIP = '', hostPort, containerPort, protocol = 'TCP' }) => ({
      hostIP,
      hostPort,
      containerPort,
      protocol,
    }));
  return bindings.sort((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));
}

function restartingAnnotations(pod: Pod): Record<string, string> {
  const annotations = Object.entries(pod.metadata?.annotations ?? {});
  return Object.fromEntries(
    annotations.filter(([key]) => key === RESTARTED_AT || key.startsWith(CHECKSUM_PREFIX)),
  );
}

/**
 * `metadata.uid` if the manifest gives one, else 32 hex digits over node, source kind, namespace,
 * name, the undefaulted spec without its app containers but with their host ports, and the
 * annotations `kubectl.kubernetes.io/restartedAt` and `checksum/*`. So an edit of one app
 * container, a label, or the file's name leaves the uid alone, and an edit of a volume or a host
 * port makes a new pod.
 */
export function podUid(pod: Pod, origin: PodOrigin): string {
  const given = pod.metadata?.uid;
  if (given !== undefined && given !== '') return given;
  const { containers = [], ...spec } = pod.spec ?? { containers: [] };
  return digest({
    version: POD_UID_VERSION,
    node: origin.node,
    source: origin.source,
    namespace: podNamespace(pod),
    name: pod.metadata?.name ?? '',
    spec,
    hostPorts: hostPorts(containers),
    annotations: restartingAnnotations(pod),
  });
}

/**
 * `<name>-<node in lower case>`, the name under which a static pod is known (kubelet behaviour row
 * 46).
 */
export function podFullName(name: string, node: string): string {
  return `${name}-${node.toLowerCase()}`;
}

/**
 * 32 hex digits over the whole container as written, and the digests that a bundle binds its image to: when they differ, the
 * container is replaced.
 */
export function containerHash(container: Container, digests?: readonly string[]): string {
  const bound = digests === undefined ? {} : { digests };
  return digest({ version: CONTAINER_HASH_VERSION, container, ...bound });
}

/** 32 hex digits over the whole document as written: the value of `kubernetes.io/config.hash`. */
export function configHash(pod: Pod): string {
  return digest({ version: CONFIG_HASH_VERSION, pod });
}

/** Over all of the manifest but the app containers and what leaves the uid alone, a given uid aside: another one is another sandbox. */
export function sandboxHash(pod: ValidPod, origin: PodOrigin): string {
  const { uid: _uid, ...metadata } = pod.metadata;
  return podUid({ ...pod, metadata }, origin);
}

/** By name, init containers too. */
export function containerHashes(
  pod: ValidPod,
  bindings: ImageBindings = NO_BINDINGS,
): Map<string, string> {
  return new Map(
    allContainers(pod).map(container => [
      container.name,
      containerHash(container, bindings.get(container.image ?? '')),
    ]),
  );
}
