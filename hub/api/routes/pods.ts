/**
 * Deletion of a mirror pod: as in Kubernetes it is shown but not controlled from here, so nothing stops on the node
 * and the mirror comes back at once under a new uid (kubectl waits for 404 or another uid, and for ever if neither
 * comes). Both happen in one transaction; watchers see DELETED, then ADDED.
 */
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
    return json(success({ ...SUBJECT, name }, metadata.uid));
  };
}

export function podRoutes(store: Store): readonly Route[] {
  const path = `${groupPath(PODS.group)}/namespaces/:namespace/pods/:name`;
  return [{ method: 'DELETE', path, access: 'admin', subject: SUBJECT, handle: renew(store) }];
}
