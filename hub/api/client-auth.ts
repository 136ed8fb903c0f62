/**
 * Who is calling. A client certificate that chains to the hub's authority names the user (subject CN) and the groups
 * (subject O), as in Kubernetes; the administrators' group may use the API, another may read the hub's figures alone. Nodes have certificates of the same
 * authority for the broker: they are known here and refused.
 */
import type { PeerCertificate } from 'node:tls';
import { RequestError } from '../ports.js';
import type { Access } from './request.js';

export const ADMIN_GROUP = 'flotilla:admins';
/** As Kubernetes' `system:monitoring`. */
export const MONITORING_GROUP = 'flotilla:monitoring';

export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** What TLS found out about the peer; `authorized` is OpenSSL's verdict on chain, dates and purpose. */
export interface PeerEvidence {
  readonly authorized: boolean;
  readonly authorizationError: string | null;
  readonly subject: PeerCertificate['subject'] | null;
}

/** Node's types say string; a subject with several values of one attribute gives an array. */
function values(field: string | string[] | undefined): readonly string[] {
  return field === undefined ? [] : typeof field === 'string' ? [field] : field;
}

/** Throws Unauthorized, with what to do. */
export function authenticate(peer: PeerEvidence): User {
  if (peer.subject === null) {
    throw new RequestError(
      'Unauthorized',
      'no client certificate: use the kubeconfig that "flotilla hub init" wrote',
    );
  }
  if (!peer.authorized) {
    throw new RequestError(
      'Unauthorized',
      `the client certificate is not accepted (${peer.authorizationError ?? 'unknown reason'})`,
    );
  }
  const [name, second] = values(peer.subject.CN);
  if (name === undefined || name === '' || second !== undefined) {
    throw new RequestError('Unauthorized', 'the client certificate names no single user (CN)');
  }
  return { name, groups: values(peer.subject.O) };
}

/** Throws Forbidden. */
export function authorise(user: User, access: Access): void {
  if (user.groups.includes(ADMIN_GROUP)) return;
  if (access === 'monitor' && user.groups.includes(MONITORING_GROUP)) return;
  const what = access === 'monitor' ? `${ADMIN_GROUP} or ${MONITORING_GROUP}` : ADMIN_GROUP;
  const which = access === 'monitor' ? 'which alone may read this' : 'which alone may use this API';
  throw new RequestError('Forbidden', `user "${user.name}" is not in the group ${what}, ${which}`);
}
