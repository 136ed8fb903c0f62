/**
 * How a node becomes a member and stays one: what the hub serves without client authentication,
 * a person's word on it, and what the broker asks about a node that connects. The parts are
 * token.ts, join.ts, renewal.ts and standing.ts.
 */
import { Door } from './door.js';
import { Joins } from './join.js';
import { Renewals } from './renewal.js';
import { standingOf, type StandingOptions } from './standing.js';
import type { Enrolment } from '../ports.js';
import type { Store } from '../store/store.js';
import { createToken } from './token.js';

export function createEnrolment(options: StandingOptions): Enrolment {
  const door = new Door(options);
  const joins = new Joins(options, door);
  const renewals = new Renewals(options, door);
  const { store, hub } = options;
  const envelopeOf = (record: { readonly envelope: Uint8Array } | null) => record?.envelope ?? null;
  return {
    createToken: (actor, request) => createToken(options, actor, request),
    rootByDigest: async digest => envelopeOf(await store.rootByDigest(digest)),
    rootByVersion: async version => envelopeOf(await store.root(version)),
    authorities: () => hub.authorities,
    nonce: () => door.nonces.issue(),
    join: (envelope, address) => joins.join(envelope, address),
    renew: (envelope, address) => renewals.renew(envelope, address),
    rotate: (envelope, address) => renewals.rotate(envelope, address),
    standing: standingOf(options, door),
  };
}

/** What the broker asks at each connect. */
export function nodeStanding(store: Store): (node: string, tlsKey: string) => Promise<boolean> {
  return async (node, tlsKey) => {
    const identity = await store.identity(node);
    return identity?.state === 'active' && identity.tlsKey === tlsKey;
  };
}
