/** The audit log, in pages: reading alone. */
import { RequestError } from '../../ports.js';
import type { Store } from '../../store/store.js';
import { json, type ApiRequest, type Route } from '../request.js';
import { groupPath } from '../resources.js';

const GROUP = 'flotilla.dev';
const PAGE_MAX = 1000;

function countIn(request: ApiRequest, name: string, most: number): number | null {
  const text = request.query.get(name);
  if (text === null) return null;
  if (/^\d{1,15}$/.test(text) && Number(text) <= most) return Number(text);
  throw new RequestError('BadRequest', `${name}: must be a whole number, 0 to ${most}`);
}

/** `after`: lines with a higher number; `limit`: at most so many; without `after` the newest. Ascending. */
function list(store: Store) {
  return async (request: ApiRequest) => {
    const limit = countIn(request, 'limit', PAGE_MAX) ?? PAGE_MAX;
    const asked = countIn(request, 'after', Number.MAX_SAFE_INTEGER);
    const after = asked ?? Math.max(0, (await store.lastAudit()) - limit);
    const items = await store.audit(after, limit);
    return json({ kind: 'AuditList', apiVersion: `${GROUP}/v1`, metadata: {}, items });
  };
}

export function auditRoutes(store: Store): readonly Route[] {
  const subject = { group: GROUP, resource: 'audit' };
  const path = `${groupPath(GROUP)}/audit`;
  return [{ method: 'GET', path, access: 'admin', subject, handle: list(store) }];
}
