/**
 * The lease of a node (coordination.k8s.io/v1), as far as `kubectl describe node` asks for it: its renewal is the
 * node's newest status that the hub recorded. Read only, not in discovery.
 */
import type { NodeObject } from '../../objects.js';
import type { Store } from '../../store/store.js';
import { json, param, type ApiRequest, type Route } from '../request.js';
import { notFound } from '../status.js';

const GROUP = 'coordination.k8s.io';
const NAMESPACE = 'kube-node-lease';
const SUBJECT = { group: GROUP, resource: 'leases' };

/** MicroTime: clients parse six digits. */
function microTime(timestamp: string): string {
  return new Date(timestamp).toISOString().replace(/Z$/, '000Z');
}

function get(store: Store) {
  return async (request: ApiRequest) => {
    const name = param(request, 'name');
    const node = (await store.get('Node', '', name)) as NodeObject | null;
    const renewed = node?.status.flotilla.reportedAt ?? null;
    if (!node || renewed === null) throw notFound({ ...SUBJECT, name });
    const { uid, resourceVersion, creationTimestamp } = node.metadata;
    return json({
      apiVersion: `${GROUP}/v1`,
      kind: 'Lease',
      metadata: { name, namespace: NAMESPACE, uid, resourceVersion, creationTimestamp },
      spec: { holderIdentity: name, renewTime: microTime(renewed) },
    });
  };
}

export function leaseRoutes(store: Store): readonly Route[] {
  const path = `/apis/${GROUP}/v1/namespaces/${NAMESPACE}/leases/:name`;
  return [{ method: 'GET', path, access: 'admin', subject: SUBJECT, handle: get(store) }];
}
