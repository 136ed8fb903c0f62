/**
 * The devices of the yardstick: the same connections with the same certificates, and nothing of the protocol. Each takes what comes on its
 * assignment topic, checks one signature of it, and answers with so many signed messages of so many bytes; what comes as answer to those is
 * checked, too. No documents, no schemas, no packing.
 */
import { openBrokerSocket } from '../../../agent/membership/hub-tls.js';
import { verifySignature } from '../../../protocol/keys.js';
import { topicsOf } from '../../../protocol/topics.js';
import { eachOf } from './at-once.js';
import { noCounts, nowNs, type Counts } from './counts.js';
import type { Member } from './member.js';
import { RawClient } from './raw-client.js';

export const SIGNATURE_BYTES = 64;
const KEEP_ALIVE_S = 600;

export interface BareReplies {
  readonly fleet: string;
  /** To each assignment; 0: the yardstick of delivery alone, where nothing is checked either. */
  readonly replies: number;
  readonly replyBytes: number;
  /** Raw Ed25519 key in hex of who publishes. */
  readonly publisherKey: string;
}

/** The first 64 bytes are the signature of the rest. */
export function signedMessage(bytes: number, sign: (message: Uint8Array) => Uint8Array): Buffer {
  const body = Buffer.alloc(Math.max(1, bytes - SIGNATURE_BYTES), 0x61);
  return Buffer.concat([sign(body), body]);
}

export function isSigned(message: Buffer, publicKey: string): boolean {
  const [signature, body] = [
    message.subarray(0, SIGNATURE_BYTES),
    message.subarray(SIGNATURE_BYTES),
  ];
  return verifySignature(publicKey, body, signature);
}

export class BareFleet {
  readonly counts: Counts = noCounts();
  readonly #members: readonly Member[];
  readonly #how: BareReplies;
  readonly #clients: RawClient[] = [];

  constructor(members: readonly Member[], how: BareReplies) {
    this.#members = members;
    this.#how = how;
  }

  connect(atOnce: number): Promise<void> {
    return eachOf(this.#members, atOnce, member => this.#connect(member));
  }

  /** Public keys by node. */
  keys(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#members.map(({ node, signer }) => [node, signer.publicKey]));
  }

  cut(): void {
    for (const client of this.#clients.splice(0)) client.destroy();
  }

  async #connect(member: Member): Promise<void> {
    const topics = topicsOf(this.#how.fleet);
    const own = (kind: 'assignment' | 'ack') => topics.node(member.node, kind);
    const client = await RawClient.connect({
      socket: openBrokerSocket(member.tls)(new URL(member.broker)),
      ...{ clientId: member.node, keepAliveS: KEEP_ALIVE_S, will: null },
      onMessage: (topic, payload, isOld) => {
        if (isOld) return;
        this.#receive({ client, member, isAssignment: topic === own('assignment'), payload });
      },
      onEnd: () => void this.counts.connected--,
    });
    this.counts.connected++;
    await client.subscribe([own('assignment'), own('ack')]);
    this.#clients.push(client);
  }

  #receive(of: {
    readonly client: RawClient;
    readonly member: Member;
    readonly isAssignment: boolean;
    readonly payload: Buffer;
  }): void {
    const { counts } = this;
    const { replies, replyBytes, publisherKey, fleet } = this.#how;
    counts.received++;
    if (of.isAssignment) {
      counts.assignments++;
      counts.lastArrivalNs = nowNs();
    }
    if (replies === 0) return;
    counts.verified++;
    if (!isSigned(of.payload, publisherKey)) throw new Error('the yardstick signs badly');
    if (!of.isAssignment) return;
    const topic = topicsOf(fleet).node(of.member.node, 'event');
    for (let n = 0; n < replies; n++) {
      counts.signed++;
      const message = signedMessage(replyBytes, bytes => of.member.signer.sign(bytes));
      void of.client.publish(topic, message, false);
    }
  }
}
