/**
 * How a node becomes a member: what the hub serves without client authentication, and what the
 * broker asks about a node that connects. The parts are token.ts and join.ts.
 */
import { Joins, type JoinOptions } from './join.js';
import type { Enrolment } from '../ports.js';
import type { Store } from '../store/store.js';
import { createToken } from './token.js';

export function createEnrolment(options: JoinOptions): Enrolment {
  const joins = new Joins(options);
  const { store, hub } = options;
  const envelopeOf = (record: { readonly envelope: Uint8Array } | null) => record?.envelope ?? null;
  return {
    createToken: (actor, request) => createToken(options, actor, request),
    rootByDigest: async digest => envelopeOf(await store.rootByDigest(digest)),
    rootByVersion: async version => envelopeOf(await store.root(version)),
    authorities: () => hub.authority.certificate,
    nonce: () => joins.nonces.issue(),
    join: (envelope, address) => joins.join(envelope, address),
  };
}

/** What the broker asks at each connect. */
export function nodeStanding(store: Store): (node: string, tlsKey: string) => Promise<boolean> {
  return async (node, tlsKey) => {
    const identity = await store.identity(node);
    return identity?.state === 'active' && identity.tlsKey === tlsKey;
  };
}
