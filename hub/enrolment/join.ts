/**
 * The join that uses a token up (security.md 3.2), as one transaction: token used, identity and
 * Node recorded, first assignment made. A token lets one identity key in, once; the same key gets
 * the same certificate again within ten minutes, because replies get lost.
 */
import { timingSafeEqual } from 'node:crypto';
import type { JoinDocument, JoinedDocument } from '../../protocol/documents/enrolment.js';
import { seal } from '../../protocol/envelope.js';
import { parseToken } from '../../protocol/join-line.js';
import { keyId } from '../../protocol/keys.js';
import { isNodeName } from '../../protocol/names.js';
import type { Log } from '../../protocol/ports.js';
import { claimedIdentity, openNodeDocument } from '../../protocol/verify-messages.js';
import { AttemptLimit } from './attempt-limit.js';
import { JoinNonces } from './join-nonce.js';
import { joiningKeyFault, keyOwner } from './joining-keys.js';
import { joinedNode } from './node-object.js';
import type { NodeObject, TokenObject } from '../objects.js';
import { issueCertificate, ORGANISATION } from '../setup/pki.js';
import { REQUEST_REASONS, RequestError } from '../ports.js';
import {
  StoreError,
  type Actor,
  type AssignmentRecord,
  type IdentityRecord,
  type Mutation,
} from '../store/store.js';
import { required } from './required.js';
import { tokenHash, type TokenOptions } from './token.js';

/** A join envelope is under 2 KiB. */
const ENVELOPE_BYTES_MAX = 8 * 1024;
/** How long a lost reply can be asked for again. */
const SAME_ANSWER_MS = 10 * 60_000;
/** Tries of a transaction that others got in the way of. */
const COMMIT_TRIES = 5;
/** One sentence for an unknown, an expired and a wrong token: a guess learns nothing (S81). */
const BAD_TOKEN =
  'the token is not valid: unknown, expired or mistyped; ' +
  'make a new one with `flotilla token create`';

export interface Joining {
  readonly node: string;
  /** Key id of its identity key. */
  readonly nodeKey: string;
  /** The node's own: stands in the assignment, so that it is fresh even with a dead clock. */
  readonly nonce: string;
  /** Of the Node, as it will be. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface JoinOptions extends TokenOptions {
  /**
   * The assignment of a node that joins, above every former one of that name; `mutations` record
   * and publish it, in the join's own transaction. Asked again when that transaction failed.
   */
  readonly firstAssignment: (joining: Joining) => Promise<{
    readonly record: AssignmentRecord;
    readonly mutations: readonly Mutation[];
  }>;
  readonly log: Log;
}

export class Joins {
  readonly nonces: JoinNonces;
  readonly #options: JoinOptions;
  readonly #limit: AttemptLimit;
  /** Joins go one after another: what one brings is seen by the next. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: JoinOptions) {
    this.#options = options;
    this.nonces = new JoinNonces(options.clock, options.random);
    this.#limit = new AttemptLimit(options.clock);
  }

  /** In order: rate, size, form, proof of possession, name, nonce, token, keys, the transaction. */
  async join(envelope: Uint8Array, address: string): Promise<Uint8Array> {
    if (this.#limit.isExhausted(address)) {
      throw new RequestError('TooManyRequests', 'too many failed joins: wait a minute');
    }
    try {
      const request = this.#open(envelope);
      const turn = this.#last.then(() => this.#admit(request, address));
      this.#last = turn.catch(() => undefined);
      return await turn;
    } catch (error) {
      const refused = error instanceof RequestError && REQUEST_REASONS[error.reason] < 500;
      if (refused) this.#limit.countFailure(address);
      throw error;
    }
  }

  #open(envelope: Uint8Array): JoinDocument {
    if (envelope.byteLength > ENVELOPE_BYTES_MAX) {
      throw new RequestError('RequestEntityTooLarge', `over ${ENVELOPE_BYTES_MAX} bytes`);
    }
    const claimed = required(claimedIdentity(envelope));
    const { fleet } = this.#options.hub.root.document;
    const { document } = required(openNodeDocument('join', envelope, { fleet, ...claimed }));
    if (!isNodeName(document.node)) {
      throw new RequestError('Invalid', 'the node name is reserved: choose another --node-name');
    }
    if (!this.nonces.redeem(document.nonce)) {
      throw new RequestError('BadRequest', 'the nonce is foreign, old or used: ask for a new one');
    }
    return document;
  }

  async #admit(request: JoinDocument, address: string): Promise<Uint8Array> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(request, address);
      } catch (error) {
        const isRace =
          error instanceof StoreError && ['Conflict', 'AlreadyExists'].includes(error.code);
        if (!isRace) throw error;
        if (attempt < COMMIT_TRIES) continue;
        throw new RequestError('ServiceUnavailable', 'the hub is busy: try again');
      }
    }
  }

  async #attempt(request: JoinDocument, address: string): Promise<Uint8Array> {
    const { store, clock } = this.#options;
    const token = await this.#token(request.token);
    const { usedBy } = token.status;
    const identity = await store.identity(request.node);
    if (usedBy) {
      const isSame =
        usedBy.node === request.node &&
        usedBy.identityKey === request.identityKey &&
        clock.now() - Date.parse(usedBy.at) <= SAME_ANSWER_MS;
      if (!isSame || !identity || !isSameDevice(identity, request)) {
        if (usedBy.identityKey !== request.identityKey) {
          this.#alarm('join: a token was used again', { token: token.metadata.name, address });
        }
        throw new RequestError('Conflict', 'the token is used: make a new one for this node');
      }
      return this.#enrol(request, { address, token: null, identity });
    }
    const fault = joiningKeyFault(request);
    if (fault) throw new RequestError('Invalid', fault);
    const owner = keyOwner(request, {
      ownKeys: this.#options.hub.ownKeys,
      identities: await store.identities(),
    });
    if (owner !== null) {
      this.#alarm('join: a key that is in use', { node: request.node, owner, address });
      throw new RequestError('Conflict', 'a key is in use by another: remove the identity folder');
    }
    if (identity && identity.identityKey !== request.identityKey) {
      throw new RequestError(
        'AlreadyExists',
        `node ${request.node} exists and has another key: choose another --node-name, ` +
          `or, if this device replaces it, run \`flotilla delete node ${request.node}\` first`,
      );
    }
    if (identity && identity.state === 'revoked') {
      throw new RequestError('Forbidden', `node ${request.node} is revoked`);
    }
    return this.#enrol(request, { address, token, identity });
  }

  /**
   * The token, if its secret is right and its time is not over. Takes as long for every wrong one.
   */
  async #token(text: string): Promise<TokenObject> {
    const parsed = parseToken(text);
    const found = parsed ? await this.#options.store.get('Token', '', parsed.id) : null;
    const token = found as TokenObject | null;
    const expected = Buffer.from(token?.spec.secretHash ?? '0'.repeat(64), 'hex');
    const isRight = timingSafeEqual(tokenHash(parsed?.secret ?? ''), expected);
    const expiresMs = Date.parse(token?.spec.expiresAt ?? new Date(0).toISOString());
    const isOver = this.#options.clock.now() > expiresMs;
    // A used token has to answer the same key again, even if its own time ended in between.
    if (!token || !isRight || (isOver && !token.status.usedBy)) {
      throw new RequestError('Unauthorized', BAD_TOKEN);
    }
    return token;
  }

  /** `token` null: the answer once more, with the certificate that is there already. */
  async #enrol(
    request: JoinDocument,
    how: {
      readonly address: string;
      readonly token: TokenObject | null;
      readonly identity: IdentityRecord | null;
    },
  ): Promise<Uint8Array> {
    const { store, hub, clock, firstAssignment, log } = this.#options;
    const now = new Date(clock.now()).toISOString();
    const existing = (await store.get('Node', '', request.node)) as NodeObject | null;
    const tokenId = how.token?.metadata.name ?? how.identity?.token ?? '';
    const node = joinedNode({
      name: request.node,
      labels: how.token?.spec.labels ?? {},
      token: tokenId,
      now,
      existing,
    });
    const nodeKey = keyId(request.identityKey);
    const again = how.token ? null : how.identity;
    const certificate = again?.certificate ?? (await this.#certificate(request));
    const { node: name, nodeNonce: nonce } = request;
    const labels = node.metadata.labels;
    const first = await firstAssignment({ node: name, nodeKey, nonce, labels });
    const admission: Mutation[] = [];
    if (how.token) {
      const { identityKey, tlsKey, sealingKey } = request;
      admission.push(
        usedToken(how.token, { node: name, identityKey, at: now }),
        {
          type: 'identity',
          expect: how.identity ? 'any' : 'absent',
          record: {
            ...{ node: name, identityKey, tlsKey, sealingKey, certificate },
            ...{ state: 'active', joinedAt: now, token: tokenId },
          },
        },
        {
          type: 'put',
          object: node,
          expect: existing ? { resourceVersion: existing.metadata.resourceVersion } : 'absent',
        },
      );
    }
    const actor: Actor = { kind: 'node', name, address: how.address };
    await store.commit(actor, [...admission, ...first.mutations]);
    log.info('join: node admitted', { node: name, token: tokenId, address: how.address });
    const joined: JoinedDocument = {
      fleet: hub.root.document.fleet,
      node: name,
      nodeKey,
      nonce,
      certificate,
      authorities: hub.authority.certificate,
      brokers: [...hub.config.advertise.brokers],
      labels: { ...labels },
      assignment: Buffer.from(first.record.envelope).toString(),
    };
    return seal('joined', joined, [hub.hubSigner]);
  }

  /** One year by the hub's clock; only the broker judges it. */
  #certificate(request: JoinDocument): Promise<string> {
    const notAfter = new Date(this.#options.clock.now());
    notAfter.setUTCFullYear(notAfter.getUTCFullYear() + 1);
    return issueCertificate(
      this.#options.hub.authority,
      {
        commonName: request.node,
        organisation: ORGANISATION.nodes,
        publicKey: Buffer.from(request.tlsKey, 'base64'),
        use: 'client',
        notAfter,
      },
      this.#options.random,
    );
  }

  #alarm(message: string, fields: Readonly<Record<string, string>>): void {
    this.#options.log.error(message, fields);
  }
}

function isSameDevice(identity: IdentityRecord, request: JoinDocument): boolean {
  return (
    identity.state === 'active' &&
    identity.identityKey === request.identityKey &&
    identity.tlsKey === request.tlsKey &&
    identity.sealingKey === request.sealingKey
  );
}

function usedToken(
  token: TokenObject,
  usedBy: NonNullable<TokenObject['status']['usedBy']>,
): Mutation {
  const { namespace, name, labels, annotations, resourceVersion } = token.metadata;
  return {
    type: 'put',
    object: {
      kind: 'Token',
      metadata: { namespace, name, labels, annotations },
      spec: token.spec,
      status: { usedBy },
    },
    expect: { resourceVersion },
  };
}
