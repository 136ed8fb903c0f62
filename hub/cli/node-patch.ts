/** A change of a Node at the hub, as a merge patch (RFC 7386). */
import type { ApiObject } from './client.js';
import { NODES } from './chosen-nodes.js';
import type { Connected } from './context.js';
import { pathOf } from './resources.js';

export function patchNode(
  { client }: Connected,
  of: { readonly name: string; readonly patch: object; readonly isDry?: boolean },
): Promise<ApiObject> {
  const content = Buffer.from(JSON.stringify(of.patch));
  return client.call<ApiObject>({
    method: 'PATCH',
    path: pathOf(NODES, null, of.name),
    query: of.isDry === true ? { dryRun: 'All' } : {},
    bytes: { content, type: 'application/merge-patch+json' },
  });
}
