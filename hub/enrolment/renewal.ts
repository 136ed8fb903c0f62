/**
 * What a member asks by its identity key alone (security.md 3.2): a new client certificate, even
 * when the old one has expired, and other identity and sealing keys. A device that waits is told
 * so; one that is revoked, unknown or somebody else gets nothing (S84, S35).
 */
import { keyId } from '../../protocol/keys.js';
import type { RotateDocument } from '../../protocol/documents/enrolment.js';
import { claimedNode, openNodeDocument } from '../../protocol/verify-messages.js';
import { nodeCertificate, sealAnswer } from './answer.js';
import type { Door } from './door.js';
import type { JoinOptions } from './join.js';
import { joiningKeyFault, keyOwner } from './joining-keys.js';
import { withIdentity } from './node-object.js';
import { required } from './required.js';
import { hubEventDraft } from '../ingest/mirror.js';
import type { NodeObject } from '../objects.js';
import { RequestError } from '../ports.js';
import type { Actor, IdentityRecord } from '../store/store.js';

/** The same for a name that nobody has and for a wrong key: names are not to be guessed. */
const NOT_A_MEMBER = 'not signed by the identity key of a node of this fleet';

export class Renewals {
  readonly #options: JoinOptions;
  readonly #door: Door;

  constructor(options: JoinOptions, door: Door) {
    this.#options = options;
    this.#door = door;
  }

  renew(envelope: Uint8Array, address: string): Promise<Uint8Array> {
    return this.#door.enter({ envelope, address, isGuess: false }, async bytes => {
      const { fleet } = this.#options.hub.root.document;
      const node = required(claimedNode('renew', bytes));
      const { identityKey } = await this.#member(node);
      const opened = openNodeDocument('renew', bytes, { fleet, node, identityKey });
      if (!opened.ok) throw new RequestError('Forbidden', NOT_A_MEMBER);
      const { document } = opened.value;
      this.#door.redeem(document.nonce);
      return async () => {
        const identity = await this.#standing(node, identityKey);
        const { nodeNonce: nonce, tlsKey } = document;
        if (identity.state === 'pending') {
          return sealAnswer(this.#options.hub, identity, { nonce, assignment: null });
        }
        return this.#certify(identity, { tlsKey, nonce, address });
      };
    });
  }

  rotate(envelope: Uint8Array, address: string): Promise<Uint8Array> {
    return this.#door.enter({ envelope, address, isGuess: false }, async bytes => {
      const { fleet } = this.#options.hub.root.document;
      const node = required(claimedNode('rotate', bytes));
      const { identityKey: current } = await this.#member(node);
      const opened = openNodeDocument('rotate', bytes, { fleet, node, identityKey: current });
      if (!opened.ok) throw new RequestError('Forbidden', NOT_A_MEMBER);
      const { document } = opened.value;
      // Whoever brings a key proves that he has it, and whoever gives one up that it was his.
      for (const identityKey of [document.previousKey, document.identityKey]) {
        required(openNodeDocument('rotate', bytes, { fleet, node, identityKey }));
      }
      this.#door.redeem(document.nonce);
      return async () => this.#exchange(await this.#standing(node, current), document, address);
    });
  }

  async #member(node: string): Promise<IdentityRecord> {
    const identity = await this.#options.store.identity(node);
    if (identity) return identity;
    throw new RequestError('Forbidden', NOT_A_MEMBER);
  }

  /** Read again in its turn. */
  async #standing(node: string, identityKey: string): Promise<IdentityRecord> {
    const identity = await this.#member(node);
    if (identity.identityKey !== identityKey) throw new RequestError('Forbidden', NOT_A_MEMBER);
    if (identity.state !== 'revoked') return identity;
    throw new RequestError(
      'Forbidden',
      `node ${node} is revoked: to bring it back, remove its identity folder and join with a new token`,
    );
  }

  async #certify(
    identity: IdentityRecord,
    asked: { readonly tlsKey: string; readonly nonce: string; readonly address: string },
  ): Promise<Uint8Array> {
    const { store, hub, log } = this.#options;
    const { tlsKey, nonce, address } = asked;
    const { node } = identity;
    await this.#refuseKeys({ ...identity, tlsKey });
    const certificate = await nodeCertificate(this.#options, { node, tlsKey });
    const record = { ...identity, tlsKey, certificate };
    const actor: Actor = { kind: 'node', name: node, address };
    await store.commit(actor, [{ type: 'identity', expect: identity, record }]);
    log.info('renewal: a node has a new certificate', { node, address });
    return sealAnswer(hub, record, { nonce, assignment: null });
  }

  async #refuseKeys(keys: IdentityRecord): Promise<void> {
    const { store, hub } = this.#options;
    const fault = joiningKeyFault(keys);
    if (fault) throw new RequestError('Invalid', fault);
    if ((await keyOwner(keys, { ownKeys: hub.ownKeys, store })) === null) return;
    throw new RequestError('Conflict', 'a key is in use by another');
  }

  /**
   * The same request again gets its answer again, for replies get lost: then the new keys are in
   * force already.
   */
  async #exchange(
    identity: IdentityRecord,
    document: RotateDocument,
    address: string,
  ): Promise<Uint8Array> {
    const { store, hub, clock, log, firstAssignment } = this.#options;
    const { node } = identity;
    const { identityKey, sealingKey, previousKey, nodeNonce: nonce } = document;
    if (identity.state === 'pending') {
      throw new RequestError('Forbidden', `node ${node} waits for approval: rotate afterwards`);
    }
    if (identity.suspectedAt !== null) {
      throw new RequestError(
        'Forbidden',
        `node ${node} seems to be cloned: its keys do not change until \`flotilla node approve\``,
      );
    }
    const isDone = identity.identityKey === identityKey && identity.sealingKey === sealingKey;
    if (!isDone && identity.identityKey !== previousKey) {
      throw new RequestError('Forbidden', NOT_A_MEMBER);
    }
    const record = { ...identity, identityKey, sealingKey };
    if (!isDone) await this.#refuseKeys(record);
    const object = (await store.get('Node', '', node)) as NodeObject | null;
    if (!object) throw new RequestError('NotFound', `there is no node ${node}`);
    const { labels, resourceVersion } = object.metadata;
    const first = await firstAssignment({
      ...{ node, nodeKey: keyId(identityKey), nonce, labels, enrolled: identity.labels },
      keepsSecrets: true,
    });
    const now = new Date(clock.now()).toISOString();
    const what = identityKey === previousKey ? 'sealing key' : 'identity';
    const message = `this node has another ${what}: sha256:${keyId(identityKey)}`;
    const event = { node, type: 'Normal', reason: 'IdentityRotated', message, now } as const;
    await store.commit({ kind: 'node', name: node, address }, [
      { type: 'identity', expect: identity, record },
      { type: 'put', object: withIdentity(object, record, now), expect: { resourceVersion } },
      ...(isDone ? [] : [{ type: 'put', object: hubEventDraft(event), expect: 'any' } as const]),
      ...first.mutations,
    ]);
    if (!isDone) log.info('rotation: a node has other keys', { node, address });
    return sealAnswer(hub, record, { nonce, assignment: first.record });
  }
}
