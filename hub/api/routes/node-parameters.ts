/** Values of a node for pods, as an action of Flotilla's own group: read whole, set and taken away (null) one by one. */
import type { NodeParametersDesk, ParametersWish } from '../../rollout/node-parameters.js';
import { RequestError } from '../../ports.js';
import { fieldsAt, refuseUnknown } from '../body-fields.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { groupPath, TOKENS } from '../resources.js';

function wishOf(body: unknown): ParametersWish {
  const fields = fieldsAt(body ?? {}, '');
  refuseUnknown(fields, ['set', 'overwrite'], '');
  const { set, overwrite = false } = fields;
  if (typeof overwrite !== 'boolean') {
    throw new RequestError('BadRequest', 'overwrite: must be true or false');
  }
  const entries = Object.entries(fieldsAt(set, 'set'));
  for (const [key, value] of entries) {
    if (value === null || typeof value === 'string') continue;
    throw new RequestError('BadRequest', `set[${key.slice(0, 64)}]: must be a string, or null`);
  }
  return { set: Object.fromEntries(entries as [string, string | null][]), overwrite };
}

const HEAD = { kind: 'NodeParameters', apiVersion: 'flotilla.dev/v1' } as const;

export function nodeParameterRoutes(parts: {
  readonly nodeParameters: NodeParametersDesk;
}): readonly Route[] {
  const desk = parts.nodeParameters;
  const read = async (request: ApiRequest) =>
    json({ ...HEAD, ...(await desk.read(param(request, 'name'))) });
  const set = async (request: ApiRequest) => {
    const wish = wishOf(await request.json());
    return json({
      ...HEAD,
      ...(await desk.set(request.actor, { node: param(request, 'name'), wish })),
    });
  };
  const path = `${groupPath(TOKENS.group)}/nodes/:name/parameters`;
  const common = { access: 'admin', subject: { group: '', resource: 'nodes' }, path } as const;
  return [
    { ...common, method: 'GET', handle: read },
    { ...common, method: 'POST', handle: set },
  ];
}
