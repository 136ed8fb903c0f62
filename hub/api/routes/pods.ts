/**
 * Mirror pods are not made here. Deletion of one: as in Kubernetes it is shown but not controlled from here, so nothing stops on the node
 * and the mirror comes back at once under a new uid (kubectl waits for 404 or another uid, and for ever if neither
 * comes). Both happen in one transaction; watchers see DELETED, then ADDED.
 */
import { RequestError } from '../../ports.js';
import type { Store } from '../../store/store.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { groupPath, PODS } from '../resources.js';
import { notFound, success } from '../status.js';
import { checkPreconditions, parseDeleteOptions } from '../write-options.js';

const SUBJECT = { group: PODS.group, resource: PODS.name };

function renew(store: Store) {
  return async (request: ApiRequest) => {
    const name = param(request, 'name');
    const namespace = param(request, 'namespace');
    const options = parseDeleteOptions(await request.json(), request.query);
    const stored = await store.get('Pod', namespace, name);
    if (!stored) throw notFound({ ...SUBJECT, name });
    const { kind, metadata, spec, status } = stored;
    checkPreconditions(options, metadata);
    if (!options.dryRun) {
      const { labels, annotations, resourceVersion } = metadata;
      const draft = { kind, metadata: { namespace, name, labels, annotations }, spec, status };
      await store.commit(request.actor, [
        { type: 'delete', kind, namespace, name, expect: { resourceVersion } },
        { type: 'put', object: draft, expect: 'absent' },
      ]);
    }
    const warnings = [goesOn(name, spec)];
    return { ...json(success({ ...SUBJECT, name }, metadata.uid)), warnings };
  };
}

/** What kubectl prints before its own "deleted". */
function goesOn(name: string, spec: unknown): string {
  const { nodeName = 'its node' } = spec as { nodeName?: string };
  return (
    `pod "${name}" is a mirror of what runs on ${nodeName}: it goes on there, and is shown here anew. ` +
    'flotilla delete bundle takes pods away, flotilla rollout restart begins them anew'
  );
}

/** Its mirror would be found under another name, so that kubectl could never apply it twice. */
async function refuseCreate(request: ApiRequest): Promise<never> {
  await request.json();
  const message =
    'pods come to nodes in bundles: flotilla apply -f FILE --nodes SELECTOR makes a bundle of it and rolls it out';
  throw new RequestError('Invalid', message, [{ field: 'kind', message }]);
}

export function podRoutes(store: Store): readonly Route[] {
  const all = `${groupPath(PODS.group)}/namespaces/:namespace/pods`;
  const path = `${all}/:name`;
  return [
    { method: 'POST', path: all, access: 'admin', subject: SUBJECT, handle: refuseCreate },
    { method: 'DELETE', path, access: 'admin', subject: SUBJECT, handle: renew(store) },
  ];
}
