/** A person's word on a node: approve and revoke, as actions of Flotilla's own group. */
import { DIGEST_PATTERN } from '../../../protocol/names.js';
import { RequestError, type Enrolment } from '../../ports.js';
import { fieldsAt, refuseUnknown } from '../body-fields.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { groupPath, TOKENS } from '../resources.js';

/** Null if the body names none. Throws BadRequest. */
function keyOf(body: unknown): string | null {
  const fields = fieldsAt(body, '');
  refuseUnknown(fields, ['key'], '');
  const { key } = fields;
  if (key === undefined || key === null) return null;
  const digest = typeof key === 'string' ? key.replace(/^sha256:/, '') : '';
  if (DIGEST_PATTERN.test(digest)) return digest;
  throw new RequestError('BadRequest', 'key: use sha256: and 64 lower-case hex digits');
}

export function standingRoutes({ enrolment }: { readonly enrolment: Enrolment }): readonly Route[] {
  const { standing } = enrolment;
  const path = `${groupPath(TOKENS.group)}/nodes/:name`;
  const common = {
    method: 'POST',
    access: 'admin',
    subject: { group: '', resource: 'nodes' },
  } as const;
  const approve = async (request: ApiRequest) => {
    const name = param(request, 'name');
    await standing.approve(request.actor, { name, key: keyOf(await request.json()) });
    return json({ kind: 'NodeApproval', apiVersion: 'flotilla.dev/v1', node: name });
  };
  const revoke = async (request: ApiRequest) => {
    const name = param(request, 'name');
    refuseUnknown(fieldsAt(await request.json(), ''), [], '');
    const readable = await standing.revoke(request.actor, { name });
    return json({ kind: 'NodeRevocation', apiVersion: 'flotilla.dev/v1', node: name, readable });
  };
  return [
    { ...common, path: `${path}/approve`, handle: approve },
    { ...common, path: `${path}/revoke`, handle: revoke },
  ];
}
