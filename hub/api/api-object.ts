/**
 * Stored objects as the API serves them: `{apiVersion, kind, metadata, spec, status}`, an Event flattened to v1,
 * a Token without the hash of its secret. Pure; the result shares the stored object's parts and must not be changed.
 */
import {
  API_VERSION,
  type EventSpec,
  type PodObject,
  type SecretSpec,
  type TokenSpec,
} from '../objects.js';
import type { ObjectMeta, StoredObject } from '../store/store.js';

export interface ApiMeta {
  readonly name: string;
  /** Absent on kinds without a namespace. */
  readonly namespace?: string;
  readonly uid: string;
  readonly generation?: number;
  readonly resourceVersion: string;
  readonly creationTimestamp: string | null;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ApiMeta;
  readonly [field: string]: unknown;
}

function apiMeta(meta: ObjectMeta): ApiMeta {
  const { name, namespace, uid, generation, resourceVersion, creationTimestamp } = meta;
  return {
    name,
    ...(namespace === '' ? {} : { namespace }),
    uid,
    generation,
    resourceVersion,
    creationTimestamp,
    ...(Object.keys(meta.labels).length === 0 ? {} : { labels: meta.labels }),
    ...(Object.keys(meta.annotations).length === 0 ? {} : { annotations: meta.annotations }),
  };
}

function eventFields(spec: EventSpec): object {
  const involved = spec.involvedObject;
  return {
    ...spec,
    involvedObject: {
      apiVersion: ['Bundle', 'Root'].includes(involved.kind) ? API_VERSION.Root : API_VERSION.Pod,
      ...involved,
    },
    eventTime: null,
    reportingComponent: spec.source.component,
    reportingInstance: spec.source.host,
  };
}

type Head = Pick<ApiObject, 'apiVersion' | 'kind' | 'metadata'>;

/** One that is being ended says so where clients of Kubernetes look for it. */
function podAsServed(head: Head, { spec, status }: PodObject): ApiObject {
  const { deletion, ...flotilla } = status.flotilla;
  if (deletion === undefined) return { ...head, spec, status };
  const metadata: ApiMeta = {
    ...head.metadata,
    deletionTimestamp: deletion.timestamp,
    deletionGracePeriodSeconds: deletion.graceSeconds,
  };
  return { ...head, metadata, spec, status: { ...status, flotilla } };
}

function convert(stored: StoredObject): ApiObject {
  const head = {
    apiVersion: API_VERSION[stored.kind],
    kind: stored.kind,
    metadata: apiMeta(stored.metadata),
  };
  switch (stored.kind) {
    case 'Event':
      return { ...head, ...eventFields(stored.spec as EventSpec) };
    case 'Token': {
      const { labels, expiresAt, nodes, uses, approve } = stored.spec as TokenSpec;
      const spec = { labels, expiresAt, nodes, uses, approve };
      return { ...head, spec, status: stored.status };
    }
    case 'Secret': {
      const { fingerprint: _fingerprint, ...spec } = stored.spec as SecretSpec;
      return { ...head, spec, status: stored.status };
    }
    case 'SealedSecret':
    case 'SecretVersion':
    case 'SecretTrace':
    case 'Pod':
      return podAsServed(head, stored as PodObject);
    case 'Rollout':
    case 'Node':
    case 'Bundle':
      return { ...head, spec: stored.spec, status: stored.status };
  }
}

const converted = new WeakMap<StoredObject, ApiObject>();

/** The same stored object always gives the same result, so that its bytes can be shared. */
export function toApiObject(stored: StoredObject): ApiObject {
  let object = converted.get(stored);
  if (!object) {
    object = convert(stored);
    converted.set(stored, object);
  }
  return object;
}

const serialised = new WeakMap<object, string>();

/** JSON of an object that does not change any more; written once, however many watchers read it. */
export function toJson(object: ApiObject): string {
  let json = serialised.get(object);
  if (json === undefined) {
    json = JSON.stringify(object);
    serialised.set(object, json);
  }
  return json;
}
