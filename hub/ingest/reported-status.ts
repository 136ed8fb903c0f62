/**
 * A pod status as a node reports it, reduced to what a v1 PodStatus may hold: known fields of the
 * right type, the rest is left out. A node that reports nonsense shows nonsense about itself and
 * breaks nobody's list. Pure.
 */
import type {
  ContainerState,
  ContainerStatus,
  PodCondition,
  PodStatus,
  ResourceRequirements,
  VolumeMountStatus,
} from 'kubernetes-types/core/v1.js';

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The members that are strings. */
export function strings(value: unknown): Record<string, string> {
  if (!isFields(value)) return {};
  const kept = Object.entries(value).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  );
  return Object.fromEntries(kept);
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

type Kind = 'string' | 'number' | 'boolean';

/** Those of the named fields that have the type. */
function pick<K extends string>(from: Fields, kind: Kind, names: readonly K[]): Record<K, never> {
  const kept = names.filter(name => typeof from[name] === kind);
  return Object.fromEntries(kept.map(name => [name, from[name]])) as Record<K, never>;
}

function text(from: Fields, name: string): string {
  const value = from[name];
  return typeof value === 'string' ? value : '';
}

function condition(from: Fields): PodCondition | null {
  if (typeof from['type'] !== 'string' || typeof from['status'] !== 'string') return null;
  const names = ['reason', 'message', 'lastProbeTime', 'lastTransitionTime'] as const;
  return { type: from['type'], status: from['status'], ...pick(from, 'string', names) };
}

function containerState(value: unknown): ContainerState {
  if (!isFields(value)) return {};
  const { running, terminated, waiting } = value;
  if (isFields(running)) return { running: pick(running, 'string', ['startedAt']) };
  if (isFields(waiting)) return { waiting: pick(waiting, 'string', ['reason', 'message']) };
  if (!isFields(terminated)) return {};
  const names = ['reason', 'message', 'startedAt', 'finishedAt', 'containerID'] as const;
  const { exitCode } = terminated;
  return {
    terminated: {
      exitCode: typeof exitCode === 'number' ? exitCode : 0,
      ...pick(terminated, 'number', ['signal']),
      ...pick(terminated, 'string', names),
    },
  };
}

/** Lists of resources; those that are empty are left out, as Kubernetes prints them. */
function resources(value: unknown): ResourceRequirements {
  const from = isFields(value) ? value : {};
  const lists = (['limits', 'requests'] as const).map(name => [name, strings(from[name])] as const);
  return Object.fromEntries(lists.filter(([, list]) => Object.keys(list).length > 0));
}

function mountStatus(from: Fields): VolumeMountStatus | null {
  const { name, mountPath } = from;
  if (typeof name !== 'string' || typeof mountPath !== 'string') return null;
  const flags = pick(from, 'boolean', ['readOnly']);
  return { name, mountPath, ...flags, ...pick(from, 'string', ['recursiveReadOnly']) };
}

function containerStatus(from: Fields): ContainerStatus | null {
  const { name, restartCount } = from;
  if (typeof name !== 'string') return null;
  const allocatedResources = strings(from['allocatedResources']);
  const volumeMounts = each(from['volumeMounts'], mountStatus);
  return {
    name,
    state: containerState(from['state']),
    lastState: containerState(from['lastState']),
    ready: from['ready'] === true,
    restartCount: typeof restartCount === 'number' ? restartCount : 0,
    image: text(from, 'image'),
    imageID: text(from, 'imageID'),
    ...pick(from, 'string', ['containerID']),
    ...pick(from, 'boolean', ['started']),
    ...(Object.keys(allocatedResources).length > 0 ? { allocatedResources } : {}),
    ...(isFields(from['resources']) ? { resources: resources(from['resources']) } : {}),
    ...(volumeMounts.length > 0 ? { volumeMounts } : {}),
  };
}

function each<T>(value: unknown, read: (from: Fields) => T | null): T[] {
  return list(value).flatMap(from => read(from) ?? []);
}

function address(from: Fields): { ip: string } | null {
  return typeof from['ip'] === 'string' ? { ip: from['ip'] } : null;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** From a pod's metadata: when it will be gone. Null: it is not being ended. */
export function reportedDeletion(
  metadata: Fields,
): { readonly timestamp: string; readonly graceSeconds: number } | null {
  const { deletionTimestamp: at, deletionGracePeriodSeconds: grace } = metadata;
  if (typeof at !== 'string' || !TIME.test(at) || Number.isNaN(Date.parse(at))) return null;
  const isGrace = typeof grace === 'number' && Number.isSafeInteger(grace) && grace >= 0;
  return { timestamp: `${at.slice(0, 19)}Z`, graceSeconds: isGrace ? grace : 0 };
}

/** Anything that is not there, or not what it should be, is left out. */
export function reportedStatus(value: unknown): PodStatus {
  if (!isFields(value)) return { phase: 'Unknown' };
  const texts = ['phase', 'reason', 'message', 'hostIP', 'podIP', 'startTime', 'qosClass'] as const;
  const lists = {
    conditions: each(value['conditions'], condition),
    hostIPs: each(value['hostIPs'], address),
    podIPs: each(value['podIPs'], address),
    initContainerStatuses: each(value['initContainerStatuses'], containerStatus),
    containerStatuses: each(value['containerStatuses'], containerStatus),
  };
  const filled = Object.entries(lists).filter(([, items]) => items.length > 0);
  return { ...pick(value, 'string', texts), ...Object.fromEntries(filled) };
}
