/**
 * The types of a Pod: those of Kubernetes under one roof, and the few of our own that speak about
 * them.
 *
 * Types and small readings of them only. Standard: the v1 API of Kubernetes.
 */
import type { Container, EnvVar, Pod, PodSpec } from 'kubernetes-types/core/v1.js';

export type {
  AppArmorProfile,
  Container,
  ContainerPort,
  ContainerState,
  ContainerStatus,
  DownwardAPIVolumeFile,
  EmptyDirVolumeSource,
  EnvFromSource,
  EnvVar,
  HostPathVolumeSource,
  HTTPGetAction,
  KeyToPath,
  Lifecycle,
  LifecycleHandler,
  Pod,
  PodCondition,
  PodDNSConfig,
  PodSecurityContext,
  PodSpec,
  PodStatus,
  Probe,
  ProjectedVolumeSource,
  ResourceFieldSelector,
  ResourceRequirements,
  SeccompProfile,
  SecurityContext,
  Toleration,
  Volume,
  VolumeMount,
} from 'kubernetes-types/core/v1.js';
export type { ObjectMeta } from 'kubernetes-types/meta/v1.js';

/** Where a pod's manifest comes from; the kubelet's words for `kubernetes.io/config.source`. */
export type PodSource = 'file' | 'http';

export const DEFAULT_NAMESPACE = 'default';

/** A Pod that passed `validatePodManifest`: what validation demands is there. */
export interface ValidPod extends Pod {
  readonly metadata: NonNullable<Pod['metadata']> & { readonly name: string };
  readonly spec: PodSpec;
}

/** The namespace of a pod; an empty one counts as absent (kubelet behaviour row 47). */
export function podNamespace(pod: Pod): string {
  const namespace = pod.metadata?.namespace;
  return namespace === undefined || namespace === '' ? DEFAULT_NAMESPACE : namespace;
}

/** `<namespace>/<name>`, the key of a manifest's pod; the name has no node suffix. */
export function podKey(pod: Pod): string {
  return `${podNamespace(pod)}/${pod.metadata?.name ?? ''}`;
}

/** Init containers, then app containers, in the order of the manifest. */
export function allContainers(pod: Pod): readonly Container[] {
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
}

/** A field of Kubernetes 1.34 that the declarations do not have yet; empty when it is not given. */
export function hostnameOverride(spec: PodSpec): string {
  return (spec as { hostnameOverride?: string }).hostnameOverride ?? '';
}

/** `valueFrom.fileKeyRef` of Kubernetes 1.35. */
export interface FileKeySelector {
  readonly volumeName: string;
  readonly path: string;
  readonly key: string;
  readonly optional?: boolean;
}

/** A field that the declarations do not have yet. */
export function fileKeyRef({ valueFrom }: EnvVar): FileKeySelector | undefined {
  return (valueFrom as { fileKeyRef?: FileKeySelector } | undefined)?.fileKeyRef;
}

export interface LocatedContainer {
  readonly container: Container;
  /** `spec.initContainers[0]`. */
  readonly at: string;
}

/** All containers in the same order, each with its path. */
export function locatedContainers(pod: Pod): readonly LocatedContainer[] {
  return (['initContainers', 'containers'] as const).flatMap(list =>
    (pod.spec?.[list] ?? []).map((container, index) => ({
      container,
      at: `spec.${list}[${index}]`,
    })),
  );
}
