/**
 * Names and labels on the Docker Engine, as the kubelet and cri-dockerd give them (rows 209–213), so that tools which
 * know a kubelet's containers know ours; and our own owner label, which alone decides what we may touch. Pure.
 */
import { podLogPath } from './log-paths.js';
import type { ContainerSpec, PodIdentity, SandboxSpec } from './runtime.js';

export const LABEL = {
  owner: 'flotilla.dev/owner',
  sandboxHash: 'flotilla.dev/sandbox-hash',
  sandboxAttempt: 'flotilla.dev/sandbox-attempt',
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
  type: 'io.kubernetes.docker.type',
  sandboxId: 'io.kubernetes.sandbox.id',
  logPath: 'io.kubernetes.container.logpath',
  containerHash: 'annotation.io.kubernetes.container.hash',
  restartCount: 'annotation.io.kubernetes.container.restartCount',
  podSource: 'annotation.kubernetes.io/config.source',
  image: 'flotilla.dev/image',
  podGrace: 'annotation.io.kubernetes.pod.terminationGracePeriod',
} as const;

const ANNOTATION = 'annotation.';

export type Labels = Readonly<Record<string, string>>;

export function sandboxName({ pod, attempt }: { pod: PodIdentity; attempt: number }): string {
  return ['k8s_POD', pod.name, pod.namespace, pod.uid, attempt].join('_');
}

export function containerName(pod: PodIdentity, spec: { name: string; attempt: number }): string {
  return [`k8s_${spec.name}`, pod.name, pod.namespace, pod.uid, spec.attempt].join('_');
}

/** The annotations among the labels, without their prefix. */
export function annotationsOf(labels: Labels): Record<string, string> {
  const annotations = Object.entries(labels).filter(([key]) => key.startsWith(ANNOTATION));
  return Object.fromEntries(annotations.map(([k, v]) => [k.slice(ANNOTATION.length), v]));
}

function annotationLabels(annotations: Labels): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).map(([k, v]) => [ANNOTATION + k, v]));
}

function podLabels(pod: PodIdentity, owner: string): Record<string, string> {
  return {
    [LABEL.owner]: owner,
    [LABEL.podName]: pod.name,
    [LABEL.podNamespace]: pod.namespace,
    [LABEL.podUid]: pod.uid,
  };
}

/** The pod's own labels come first, so that none of them can pass for one of ours. */
export function sandboxLabels(spec: SandboxSpec, owner: string): Record<string, string> {
  return {
    ...spec.labels,
    ...annotationLabels(spec.annotations),
    ...podLabels(spec.pod, owner),
    [LABEL.containerName]: 'POD',
    [LABEL.type]: 'podsandbox',
    [LABEL.podGrace]: String(spec.terminationGracePeriodSeconds),
    [LABEL.sandboxHash]: spec.hash,
    [LABEL.sandboxAttempt]: String(spec.attempt),
  };
}

export function containerLabels(
  pod: PodIdentity,
  spec: ContainerSpec,
  where: { owner: string; sandboxId: string; podLogs: string },
): Record<string, string> {
  return {
    ...annotationLabels(spec.annotations),
    ...podLabels(pod, where.owner),
    [LABEL.containerName]: spec.name,
    [LABEL.type]: 'container',
    [LABEL.sandboxId]: where.sandboxId,
    [LABEL.logPath]: podLogPath(where.podLogs, pod, spec),
    [LABEL.containerHash]: spec.hash,
    [LABEL.restartCount]: String(spec.attempt),
    ...(spec.imageId === undefined ? {} : { [LABEL.image]: spec.image }),
  };
}

export function podOfLabels(labels: Labels): PodIdentity {
  return {
    name: labels[LABEL.podName] ?? '',
    namespace: labels[LABEL.podNamespace] ?? '',
    uid: labels[LABEL.podUid] ?? '',
  };
}

/** A label that holds a count; 0 when it is missing or was tampered with. */
export function countOf(labels: Labels, label: string): number {
  const text = labels[label] ?? '';
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}
