/**
 * Discovery in its older form, which every kubectl reads: APIVersions, APIGroupList, APIResourceList. The newer,
 * aggregated form would save a client a few requests and must match its version exactly, so it is not served.
 * OpenAPI v2 is an empty document: kubectl's writes ask for it and fail without one.
 */
import { json, text, type Answer, type Route } from '../request.js';
import { GROUP, groupPath, groupVersion, RESOURCES, type Resource } from '../resources.js';

/** `v2.v1.0` with a dot: Go's header parser does not take the `@` of the Accept header. */
const OPENAPI_V2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

function apiVersions(): object {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

function apiGroup(): object {
  const version = { groupVersion: groupVersion(GROUP), version: 'v1' };
  return { name: GROUP, versions: [version], preferredVersion: version };
}

function apiGroupList(): object {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: [apiGroup()] };
}

function apiResource(resource: Resource): object {
  const { name, singular, namespaced, kind, verbs, shortNames, categories } = resource;
  return {
    name,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  };
}

const REVISIONS = {
  name: 'bundles/revisions',
  singularName: '',
  namespaced: true,
  kind: 'BundleRevision',
  verbs: ['get'],
};

/** Streams of a pod: kind of their options, as Kubernetes lists them. */
const POD_STREAMS = [
  ['attach', 'PodAttachOptions', ['create', 'get']],
  ['exec', 'PodExecOptions', ['create', 'get']],
  ['log', 'Pod', ['get']],
  ['portforward', 'PodPortForwardOptions', ['create', 'get']],
] as const;

function podStream([name, kind, verbs]: (typeof POD_STREAMS)[number]): object {
  return { name: `pods/${name}`, singularName: '', namespaced: true, kind, verbs };
}

function apiResourceList(group: Resource['group']): object {
  const resources = RESOURCES.filter(resource => resource.group === group).map(apiResource);
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: groupVersion(group),
    resources: [...resources, ...(group === GROUP ? [REVISIONS] : POD_STREAMS.map(podStream))],
  };
}

export function discoveryRoutes(): readonly Route[] {
  const documents: readonly (readonly [string, () => Answer])[] = [
    ['/api', () => json(apiVersions())],
    ['/apis', () => json(apiGroupList())],
    [`/apis/${GROUP}`, () => json({ kind: 'APIGroup', apiVersion: 'v1', ...apiGroup() })],
    [groupPath(''), () => json(apiResourceList(''))],
    [groupPath(GROUP), () => json(apiResourceList(GROUP))],
    ['/openapi/v2', () => text('', OPENAPI_V2)],
  ];
  return documents.map(([path, answer]) => ({
    method: 'GET',
    access: 'admin',
    path,
    handle: async () => answer(),
  }));
}
