/** Get, list and watch of every kind that the store keeps. Reading alone: no decision is taken here. */
import type { Clock } from '../../../protocol/ports.js';
import type { Store } from '../../store/store.js';
import { toApiObject, type ApiObject } from '../api-object.js';
import { listAnswer, objectAnswer } from '../list.js';
import { param, type ApiRequest, type Route } from '../request.js';
import { EVENTS, groupPath, STORED_RESOURCES, type StoredResource } from '../resources.js';
import { parseSelection, type Selection } from '../selection.js';
import { notFound } from '../status.js';
import { watchAnswer } from '../watch.js';

export interface ObjectParts {
  readonly store: Store;
  readonly clock: Clock;
}

/** Events are listed in the order in which they happened, all others by namespace and name. */
function inOrder(resource: StoredResource, items: readonly ApiObject[]): readonly ApiObject[] {
  if (resource !== EVENTS) return items;
  const at = (object: ApiObject) => String(object['lastTimestamp']);
  // Those of one second stand as they were recorded: a node's come in the order of their numbers.
  const recorded = ({ metadata }: ApiObject) => Number(metadata.resourceVersion);
  return [...items].sort((a, b) =>
    at(a) === at(b) ? recorded(a) - recorded(b) : at(a) < at(b) ? -1 : 1,
  );
}

async function list(parts: ObjectParts, resource: StoredResource, selection: Selection) {
  const { namespace } = selection;
  const options = namespace === null ? {} : { namespace };
  const { resourceVersion, items } = await parts.store.list(resource.kind, options);
  const objects = items.map(toApiObject).filter(object => selection.matches(object));
  return { resourceVersion, items: inOrder(resource, objects) };
}

function wantsWatch(query: URLSearchParams): boolean {
  const value = query.get('watch');
  return value === 'true' || value === '1';
}

function collection(parts: ObjectParts, resource: StoredResource) {
  return async (request: ApiRequest) => {
    const namespace = request.params['namespace'] ?? null;
    const selection = parseSelection(resource, namespace, request.query);
    if (wantsWatch(request.query)) {
      return watchAnswer(parts, resource, { request, selection });
    }
    const result = await list(parts, resource, selection);
    return listAnswer(resource, result, { request, nowMs: parts.clock.now() });
  };
}

function single(parts: ObjectParts, resource: StoredResource) {
  return async (request: ApiRequest) => {
    const name = param(request, 'name');
    const namespace = request.params['namespace'] ?? '';
    const stored = await parts.store.get(resource.kind, namespace, name);
    if (!stored) throw notFound({ group: resource.group, resource: resource.name, name });
    return objectAnswer(resource, toApiObject(stored), { request, nowMs: parts.clock.now() });
  };
}

export function objectRoutes(parts: ObjectParts): readonly Route[] {
  return STORED_RESOURCES.flatMap(resource => {
    const base = groupPath(resource.group);
    const place = resource.namespaced ? `${base}/namespaces/:namespace` : base;
    const common = {
      method: 'GET',
      access: 'admin',
      subject: { group: resource.group, resource: resource.name },
    } as const;
    const everywhere = {
      ...common,
      path: `${base}/${resource.name}`,
      handle: collection(parts, resource),
    };
    const inNamespace = {
      ...common,
      path: `${place}/${resource.name}`,
      handle: collection(parts, resource),
    };
    const one = {
      ...common,
      path: `${place}/${resource.name}/:name`,
      handle: single(parts, resource),
    };
    return resource.namespaced ? [everywhere, inNamespace, one] : [everywhere, one];
  });
}
