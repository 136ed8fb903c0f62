/** Deletion of nodes: what it takes along is the node writer's. */
import type { NodeWriter } from '../../ports.js';
import type { Store } from '../../store/store.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { groupPath, NODES } from '../resources.js';
import { notFound, success } from '../status.js';
import { checkPreconditions, parseDeleteOptions } from '../write-options.js';

export interface NodeParts {
  readonly store: Store;
  readonly nodes: NodeWriter;
}

const SUBJECT = { group: NODES.group, resource: NODES.name };

function remove(parts: NodeParts) {
  return async (request: ApiRequest) => {
    const name = param(request, 'name');
    const options = parseDeleteOptions(await request.json(), request.query);
    const stored = await parts.store.get('Node', '', name);
    if (!stored) throw notFound({ ...SUBJECT, name });
    checkPreconditions(options, stored.metadata);
    await parts.nodes.remove(request.actor, { name, dryRun: options.dryRun });
    return json(success({ ...SUBJECT, name }, stored.metadata.uid));
  };
}

export function nodeRoutes(parts: NodeParts): readonly Route[] {
  const path = `${groupPath(NODES.group)}/nodes/:name`;
  return [{ method: 'DELETE', path, access: 'admin', subject: SUBJECT, handle: remove(parts) }];
}
