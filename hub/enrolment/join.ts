/**
 * The join that uses a token up (security.md 3.2), as one transaction: token used, identity and
 * Node recorded, first assignment made. A token lets an identity key in once; the same key gets
 * the same certificate again within ten minutes, because replies get lost. Where the token asks for
 * a person's approval the device is recorded and gets nothing yet.
 */
import type { JoinDocument, TokenCount } from '../../protocol/documents/enrolment.js';
import { keyId } from '../../protocol/keys.js';
import { isNodeName } from '../../protocol/names.js';
import type { Log } from '../../protocol/ports.js';
import { claimedIdentity, openNodeDocument } from '../../protocol/verify-messages.js';
import { nodeCertificate, sealAnswer } from './answer.js';
import type { Door } from './door.js';
import { joiningKeyFault, keyOwner } from './joining-keys.js';
import { enrolledLabels, joinedNode } from './node-object.js';
import { hubEventDraft } from '../ingest/mirror.js';
import type { NodeObject, TokenObject } from '../objects.js';
import { RequestError } from '../ports.js';
import type { Actor, AssignmentRecord, IdentityRecord, Mutation } from '../store/store.js';
import { required } from './required.js';
import type { TokenOptions } from './token.js';
import { letsIn, presentedToken, usedToken } from './token-use.js';

/** How long a lost reply can be asked for again. */
const SAME_ANSWER_MS = 10 * 60_000;
const HUB: Actor = { kind: 'hub', name: 'enrolment' };

export interface Joining {
  readonly node: string;
  /** Key id of its identity key. */
  readonly nodeKey: string;
  /** The node's own: stands in the assignment, so that it is fresh even with a dead clock. */
  readonly nonce: string;
  /** Of the Node, as it will be. */
  readonly labels: Readonly<Record<string, string>>;
  /** Of the enrolment. */
  readonly enrolled: Readonly<Record<string, string>>;
  /** The device is the same and opens what was sealed for its former key, until that is sealed anew (S92). */
  readonly keepsSecrets: boolean;
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
  readonly #options: JoinOptions;
  readonly #door: Door;

  constructor(options: JoinOptions, door: Door) {
    this.#options = options;
    this.#door = door;
  }

  /** In order: rate, size, form, proof of possession, name, nonce, token, keys, the transaction. */
  join(envelope: Uint8Array, address: string): Promise<Uint8Array> {
    return this.#door.enter({ envelope, address, isGuess: true }, async bytes => {
      const request = this.#open(bytes);
      return () => this.#admit(request, address);
    });
  }

  #open(envelope: Uint8Array): JoinDocument {
    const claimed = required(claimedIdentity(envelope));
    const { fleet } = this.#options.hub.root.document;
    const { document } = required(openNodeDocument('join', envelope, { fleet, ...claimed }));
    if (!isNodeName(document.node)) {
      throw new RequestError('Invalid', 'the node name is reserved: choose another --node-name');
    }
    this.#door.redeem(document.nonce);
    return document;
  }

  async #admit(request: JoinDocument, address: string): Promise<Uint8Array> {
    const { store, clock } = this.#options;
    const { token, usedBefore, isUsedUp } = await presentedToken(this.#options, request);
    const identity = await store.identity(request.node);
    if (usedBefore) {
      const isSoon = clock.now() - Date.parse(usedBefore.at) <= SAME_ANSWER_MS;
      const isWaiting = identity?.state === 'pending';
      if (!identity || !isSameDevice(identity, request) || !(isSoon || isWaiting)) {
        throw new RequestError('Conflict', usedText(token));
      }
      return this.#again(request, identity, tokenCount(token));
    }
    if (isUsedUp) {
      await this.#alarm(token, { node: request.node, address });
      throw new RequestError('Conflict', usedText(token));
    }
    if (!letsIn(token.spec.nodes, request.node)) {
      throw new RequestError(
        'Forbidden',
        `the token lets in nodes named ${token.spec.nodes.join(', ')}: give --node-name, or make ` +
          `one with \`flotilla token create --node ${request.node}\``,
      );
    }
    await this.#refuseKeys(request, address);
    if (identity) refuseName(identity, request);
    return this.#enrol(request, { address, token, identity });
  }

  async #refuseKeys(request: JoinDocument, address: string): Promise<void> {
    const { store, hub, log } = this.#options;
    const fault = joiningKeyFault(request);
    if (fault) throw new RequestError('Invalid', fault);
    const owner = await keyOwner(request, { ownKeys: hub.ownKeys, store });
    if (owner === null) return;
    log.error('join: a key that is in use', { node: request.node, owner, address });
    throw new RequestError('Conflict', 'a key is in use by another: remove the identity folder');
  }

  /** The answer once more, with the certificate that is there already. */
  async #again(
    request: JoinDocument,
    identity: IdentityRecord,
    token: TokenCount,
  ): Promise<Uint8Array> {
    const { store, hub } = this.#options;
    const { node, nodeNonce: nonce } = request;
    if (identity.state !== 'active') {
      return sealAnswer(hub, identity, { nonce, assignment: null, token });
    }
    const object = (await store.get('Node', '', node)) as NodeObject | null;
    const first = await this.#first(identity, nonce, object?.metadata.labels ?? {});
    await store.commit({ kind: 'node', name: node }, first.mutations);
    return sealAnswer(hub, identity, { nonce, assignment: first.record, token });
  }

  async #enrol(
    request: JoinDocument,
    how: {
      readonly address: string;
      readonly token: TokenObject;
      readonly identity: IdentityRecord | null;
    },
  ): Promise<Uint8Array> {
    const { store, hub, clock, log } = this.#options;
    const now = new Date(clock.now()).toISOString();
    const { node, identityKey, tlsKey, sealingKey, nodeNonce: nonce } = request;
    const { spec, metadata } = how.token;
    const existing = (await store.get('Node', '', node)) as NodeObject | null;
    const isSame = how.identity?.identityKey === identityKey;
    const wasIn = isSame && how.identity?.state === 'active';
    const state = spec.approve && !wasIn ? 'pending' : 'active';
    const identity: IdentityRecord = {
      ...{ node, identityKey, tlsKey, sealingKey, state },
      certificate: state === 'active' ? await nodeCertificate(this.#options, request) : '',
      // The same device again: what it could open goes on being its own.
      joinedAt: (isSame ? how.identity?.joinedAt : undefined) ?? now,
      ...{ token: metadata.name, labels: enrolledLabels(node, spec.labels) },
      suspectedAt: isSame ? (how.identity?.suspectedAt ?? null) : null,
    };
    const object = joinedNode({ identity, now, existing });
    const first =
      state === 'active' ? await this.#first(identity, nonce, object.metadata.labels) : null;
    await store.commit({ kind: 'node', name: node, address: how.address }, [
      usedToken(how.token, { node, identityKey, at: now }),
      { type: 'identity', expect: how.identity ?? 'absent', record: identity },
      {
        type: 'put',
        object,
        expect: existing ? { resourceVersion: existing.metadata.resourceVersion } : 'absent',
      },
      ...(isSame ? [] : await this.#memoryAnew(node)),
      ...(first?.mutations ?? []),
    ]);
    const said = state === 'active' ? 'join: node admitted' : 'join: node waits for approval';
    log.info(said, { node, token: metadata.name, address: how.address, key: keyId(identityKey) });
    const { used, uses } = tokenCount(how.token);
    const token = { used: used + 1, uses };
    return sealAnswer(hub, identity, { nonce, assignment: first?.record ?? null, token });
  }

  /**
   * What was signed by former keys is heard no more: a journal that another device of this name superseded may come back with this
   * one, which is then no copy of anybody.
   */
  async #memoryAnew(node: string): Promise<Mutation[]> {
    const current = (await this.#options.store.reporters(node)).find(one => one.current);
    const kept: Mutation[] = current
      ? [{ type: 'reporter', record: { ...current, online: false } }]
      : [];
    return [{ type: 'dropReporters', node }, ...kept];
  }

  #first(identity: IdentityRecord, nonce: string, labels: Joining['labels']) {
    const { node, identityKey, labels: enrolled } = identity;
    const nodeKey = keyId(identityKey);
    return this.#options.firstAssignment({
      ...{ node, nodeKey, nonce, labels, enrolled },
      keepsSecrets: false,
    });
  }

  /** Somebody has a token that did its work: the node that used it is to be looked at (S79). */
  async #alarm(
    token: TokenObject,
    by: { readonly node: string; readonly address: string },
  ): Promise<void> {
    const { log, store, clock } = this.#options;
    const { name } = token.metadata;
    log.error('join: a token was used again', { token: name, ...by });
    const { node = '' } = token.status.usedBy.at(-1) ?? {};
    const event = hubEventDraft({
      node,
      type: 'Warning',
      reason: 'TokenReused',
      message:
        `token ${name}, which let this node in, was presented again with another key, as ` +
        `node "${by.node}" from ${by.address}: find out who has it, and whether this node is the right one`,
      now: new Date(clock.now()).toISOString(),
    });
    await store.commit(HUB, [{ type: 'put', object: event, expect: 'any' }]);
  }
}

function tokenCount({ spec, status }: TokenObject): TokenCount {
  return { used: status.usedBy.length, uses: spec.uses };
}

function usedText(token: TokenObject): string {
  const { used, uses } = tokenCount(token);
  return `the token is used: it let in ${used} of ${uses} devices; make a new one for this node`;
}

function isSameDevice(identity: IdentityRecord, request: JoinDocument): boolean {
  return (
    identity.state !== 'revoked' &&
    identity.identityKey === request.identityKey &&
    identity.tlsKey === request.tlsKey &&
    identity.sealingKey === request.sealingKey
  );
}

/** A name belongs to one device until a person takes it away from that. */
function refuseName(identity: IdentityRecord, { node, identityKey }: JoinDocument): void {
  const isSame = identity.identityKey === identityKey;
  if (identity.state === 'revoked') {
    if (!isSame) return;
    throw new RequestError(
      'Forbidden',
      `node ${node} is revoked, with this very key: remove the identity folder and join again`,
    );
  }
  if (isSame) return;
  const what = identity.state === 'pending' ? 'waits for approval' : 'exists';
  throw new RequestError(
    'AlreadyExists',
    `node ${node} ${what} and has another key: choose another --node-name, or, if this device ` +
      `replaces it, run \`flotilla node revoke ${node}\` first; if that one left the fleet, \`flotilla delete node ${node}\``,
  );
}
