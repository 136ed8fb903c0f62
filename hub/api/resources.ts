/**
 * The table of served resources: names, verbs, Table columns and selectable fields. Discovery, routes, selectors and
 * Tables all read it. Only verbs that are served are listed: kubectl hides a resource without `list`.
 */
import type { PodSpec, PodStatus } from 'kubernetes-types/core/v1.js';
import type { EventSpec, SecretSpec } from '../objects.js';
import type { RolloutStatus } from '../rollout/waves/rollout-object.js';
import type { ObjectKind } from '../store/store.js';
import type { ApiObject } from './api-object.js';
import { EVENT_TABLE } from './tables/events.js';
import { NODE_TABLE } from './tables/nodes.js';
import { BUNDLE_TABLE, NAMESPACE_TABLE, SECRET_TABLE, TOKEN_TABLE } from './tables/own-kinds.js';
import { POD_TABLE } from './tables/pods.js';
import { ROLLOUT_TABLE } from './tables/rollouts.js';
import type { TableShape } from './tables/table.js';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

export interface Resource {
  readonly kind: ObjectKind | 'Namespace';
  /** Plural, as in paths. */
  readonly name: string;
  readonly singular: string;
  /** Empty: the core group. */
  readonly group: '' | 'flotilla.dev';
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  readonly table: TableShape;
  /** Fields for field selectors beside metadata.name and metadata.namespace. */
  fields(object: ApiObject): Readonly<Record<string, string>>;
}

export interface StoredResource extends Resource {
  readonly kind: ObjectKind;
}

export const GROUP = 'flotilla.dev';
const noFields = () => ({});

export const NODES: StoredResource = {
  kind: 'Node',
  name: 'nodes',
  singular: 'node',
  group: '',
  namespaced: false,
  shortNames: ['no'],
  categories: [],
  verbs: ['delete', 'get', 'list', 'patch', 'update', 'watch'],
  table: NODE_TABLE,
  fields: object => ({
    'spec.unschedulable': String(
      (object['spec'] as { unschedulable?: boolean }).unschedulable ?? false,
    ),
  }),
};

export const PODS: StoredResource = {
  kind: 'Pod',
  name: 'pods',
  singular: 'pod',
  group: '',
  namespaced: true,
  shortNames: ['po'],
  categories: ['all'],
  verbs: ['delete', 'get', 'list', 'watch'],
  table: POD_TABLE,
  fields: object => {
    const spec = (object['spec'] ?? {}) as Partial<PodSpec>;
    const status = (object['status'] ?? {}) as PodStatus;
    return {
      'spec.nodeName': spec.nodeName ?? '',
      'spec.restartPolicy': spec.restartPolicy ?? 'Always',
      'spec.hostNetwork': String(spec.hostNetwork ?? false),
      'status.phase': status.phase ?? '',
      'status.podIP': status.podIP ?? '',
    };
  },
};

export const EVENTS: StoredResource = {
  kind: 'Event',
  name: 'events',
  singular: 'event',
  group: '',
  namespaced: true,
  shortNames: ['ev'],
  categories: [],
  verbs: ['get', 'list', 'watch'],
  table: EVENT_TABLE,
  fields: object => {
    const event = object as unknown as EventSpec & { involvedObject: { apiVersion: string } };
    const { kind, namespace, name, uid, fieldPath, apiVersion } = event.involvedObject;
    return {
      'involvedObject.kind': kind,
      'involvedObject.namespace': namespace,
      'involvedObject.name': name,
      'involvedObject.uid': uid,
      'involvedObject.apiVersion': apiVersion,
      'involvedObject.fieldPath': fieldPath,
      reason: event.reason,
      reportingComponent: event.source.component,
      source: event.source.component,
      type: event.type,
    };
  },
};

export const NAMESPACES: Resource = {
  kind: 'Namespace',
  name: 'namespaces',
  singular: 'namespace',
  group: '',
  namespaced: false,
  shortNames: ['ns'],
  categories: [],
  verbs: ['get', 'list'],
  table: NAMESPACE_TABLE,
  fields: () => ({ 'status.phase': 'Active' }),
};

export const BUNDLES: StoredResource = {
  kind: 'Bundle',
  name: 'bundles',
  singular: 'bundle',
  group: GROUP,
  namespaced: true,
  shortNames: [],
  categories: ['all'],
  verbs: ['create', 'delete', 'get', 'list', 'update', 'watch'],
  table: BUNDLE_TABLE,
  fields: noFields,
};

/** Named like its bundle; made by an apply with a plan, changed by `rollout pause` and its like. */
export const ROLLOUTS: StoredResource = {
  kind: 'Rollout',
  name: 'rollouts',
  singular: 'rollout',
  group: GROUP,
  namespaced: true,
  shortNames: [],
  categories: [],
  verbs: ['get', 'list', 'watch'],
  table: ROLLOUT_TABLE,
  fields: object => ({ 'status.phase': (object['status'] as RolloutStatus).phase }),
};

export const TOKENS: StoredResource = {
  kind: 'Token',
  name: 'tokens',
  singular: 'token',
  group: GROUP,
  namespaced: false,
  shortNames: [],
  categories: [],
  verbs: ['create', 'delete', 'get', 'list', 'watch'],
  table: TOKEN_TABLE,
  fields: noFields,
};

export const SECRETS: StoredResource = {
  kind: 'Secret',
  name: 'secrets',
  singular: 'secret',
  group: GROUP,
  namespaced: true,
  shortNames: [],
  categories: [],
  verbs: ['delete', 'get', 'list', 'watch'],
  table: SECRET_TABLE,
  fields: object => ({ 'spec.bundle': (object['spec'] as SecretSpec).bundle }),
};

export const STORED_RESOURCES: readonly StoredResource[] = [
  NODES,
  PODS,
  EVENTS,
  BUNDLES,
  ROLLOUTS,
  TOKENS,
  SECRETS,
];
export const RESOURCES: readonly Resource[] = [...STORED_RESOURCES, NAMESPACES];

/** `/api/v1` or `/apis/flotilla.dev/v1`. */
export function groupPath(group: Resource['group']): string {
  return group === '' ? '/api/v1' : `/apis/${group}/v1`;
}

export function groupVersion(group: Resource['group']): string {
  return group === '' ? 'v1' : `${group}/v1`;
}
