/** The hub's words to its nodes that no topic keeps: signed when their turn comes, and gone with the connection. */
import { sealPacked } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import type { Log } from '../../protocol/ports.js';
import type { Topics } from '../../protocol/topics.js';
import type { BrokerConnection } from './broker-connection.js';
import type { NodeMessenger } from './messages.js';
import type { SendWindow } from './send-window.js';
import type { WaitingAcks } from './waiting-acks.js';

/** Of all kinds but confirmations; what is above is left out, and asked for again. */
const MESSAGES_MAX = 1_000;

export interface MessengerParts {
  /** The connection that stands; null: none. */
  readonly session: () => {
    readonly connection: BrokerConnection;
    readonly window: SendWindow;
    readonly acks: WaitingAcks;
  } | null;
  readonly topics: Topics;
  readonly hubSigner: Signer;
  readonly log: Log;
}

export function nodeMessenger({ session, topics, hubSigner, log }: MessengerParts): NodeMessenger {
  let waiting = 0;
  type Next = () => { readonly node: string; readonly document: object } | null;
  const send = async (kind: keyof NodeMessenger, next: Next): Promise<void> => {
    const now = session();
    if (!now || !(await now.window.take('message'))) return;
    const found = next();
    const payload = found && sealPacked(kind, found.document, [hubSigner]);
    if (found && payload && payload.byteLength > MESSAGE_BYTES_MAX) {
      log.error('message too large: not sent', { kind, node: found.node });
    } else if (found && payload) {
      await now.connection.publish(topics.node(found.node, kind), payload, { retain: false });
    }
    now.window.release();
  };
  const say = (kind: keyof NodeMessenger) => (node: string, document: object) => {
    if (session() === null || waiting >= MESSAGES_MAX) return;
    waiting++;
    void send(kind, () => ({ node, document })).finally(() => waiting--);
  };
  return {
    ...{ answer: say('answer'), time: say('time'), command: say('command') },
    ack: (_node, document) => {
      const acks = session()?.acks;
      if (!acks?.put(document)) return;
      void send('ack', () => {
        const next = acks.take();
        return next && { node: next.node, document: next };
      });
    },
  };
}
