/**
 * Namespaces, which the hub does not keep: `default` and every one that a bundle or a pod is in. They come and go
 * with what is in them, so they cannot be made, deleted or watched.
 */
import { sha256Hex } from '../../../protocol/canonical.js';
import type { Clock } from '../../../protocol/ports.js';
import { RequestError } from '../../ports.js';
import type { Store, StoredObject } from '../../store/store.js';
import type { ApiObject } from '../api-object.js';
import { listAnswer, objectAnswer } from '../list.js';
import { param, type ApiRequest, type Route } from '../request.js';
import { groupPath, NAMESPACES } from '../resources.js';
import { parseSelection } from '../selection.js';
import { notFound } from '../status.js';

export interface NamespaceParts {
  readonly store: Store;
  readonly clock: Clock;
}

const SUBJECT = { group: NAMESPACES.group, resource: NAMESPACES.name };

/** The same name gives the same uid, as nobody keeps it. */
function uidOf(name: string): string {
  const hex = sha256Hex(`namespace/${name}`);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

function toNamespace(name: string, since: string | null, resourceVersion: string): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      uid: uidOf(name),
      resourceVersion,
      creationTimestamp: since,
      labels: { 'kubernetes.io/metadata.name': name },
    },
    spec: {},
    status: { phase: 'Active' },
  };
}

async function inUse(store: Store) {
  const bundles = await store.list('Bundle');
  const pods = await store.list('Pod');
  const since = new Map<string, string | null>([['default', null]]);
  const note = ({ metadata }: StoredObject) => {
    const known = since.get(metadata.namespace) ?? metadata.creationTimestamp;
    const earlier = known < metadata.creationTimestamp ? known : metadata.creationTimestamp;
    since.set(metadata.namespace, earlier);
  };
  bundles.items.forEach(note);
  pods.items.forEach(note);
  const { resourceVersion } = pods;
  const items = [...since]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, at]) => toNamespace(name, at, resourceVersion));
  return { resourceVersion, items };
}

function list(parts: NamespaceParts) {
  return async (request: ApiRequest) => {
    if (request.query.has('watch') && request.query.get('watch') !== 'false') {
      throw new RequestError('MethodNotAllowed', 'namespaces cannot be watched: list them');
    }
    const selection = parseSelection(NAMESPACES, null, request.query);
    const { resourceVersion, items } = await inUse(parts.store);
    const chosen = items.filter(item => selection.matches(item));
    const result = { resourceVersion, items: chosen };
    return listAnswer(NAMESPACES, result, { request, nowMs: parts.clock.now() });
  };
}

function get(parts: NamespaceParts) {
  return async (request: ApiRequest) => {
    const name = param(request, 'namespace');
    const { items } = await inUse(parts.store);
    const object = items.find(item => item.metadata.name === name);
    if (!object) throw notFound({ ...SUBJECT, name });
    return objectAnswer(NAMESPACES, object, { request, nowMs: parts.clock.now() });
  };
}

export function namespaceRoutes(parts: NamespaceParts): readonly Route[] {
  const path = `${groupPath(NAMESPACES.group)}/namespaces`;
  const common = { method: 'GET', access: 'admin', subject: SUBJECT } as const;
  return [
    { ...common, path, handle: list(parts) },
    { ...common, path: `${path}/:namespace`, handle: get(parts) },
  ];
}
