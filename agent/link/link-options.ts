/** What the node's connection is handed, and what it offers: types only. */
import type { Socket } from 'node:net';
import type { PacketOnItsWay } from '../../protocol/packet-guard.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { Alongside } from '../journal/alongside.js';
import type { LinkMeter } from './metered.js';

/** Made for one CONNECT: the will is announced with it, the birth follows the subscriptions. */
export interface Presence {
  readonly topic: string;
  readonly will: Buffer;
  readonly birth: Buffer;
}

export interface LinkOptions {
  /**
   * `mqtts://host:port`, `wss://host:port/path` or `mqtt://host:port`, in order of preference; taken in turn, and from the first on after a
   * connection that held.
   */
  readonly brokers: readonly string[];
  /** The node's name. */
  readonly clientId: string;
  /** Subscribed on each connect, before the birth is published. */
  readonly topics: readonly string[];
  /** The connection to one broker, TLS for `wss:` too; must refuse a peer that it does not trust. */
  readonly openSocket: (broker: URL) => Socket;
  readonly presence: () => Presence;
  /** What the path to each broker holds is remembered there; absent: while the agent runs. */
  readonly keepAliveMemory?: Alongside;
  /** Seconds, the longest that is announced to a broker; absent: `DEFAULT_MOST_S`. */
  readonly keepAliveMostS?: number;
  readonly onMessage: (topic: string, payload: Buffer) => void;
  readonly onUp: () => void;
  readonly onDown: () => void;
  /** A connection ended before it was up. */
  readonly onFailure?: (reason: string) => void;
  /** A message came so slowly that the connection ends. */
  readonly onSlow?: (packet: PacketOnItsWay) => void;
  /** Told what crosses the connections. */
  readonly meter?: LinkMeter;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: Log;
}

export interface Link {
  connected(): boolean;
  /** Why there is no connection; null while there is one, and before the first try has ended. */
  fault(): string | null;
  /** Seconds, as announced to the broker: half as long again, and it says that the node is gone. */
  keepAliveS(): number;
  /** True at the PUBACK; false when there is no connection or it broke before. QoS 1. */
  publish(topic: string, payload: Buffer, options: { retain: boolean }): Promise<boolean>;
  /** Nothing happens while disconnected; `onUp` is the moment to say it again. */
  subscribe(topics: readonly string[]): void;
  unsubscribe(topics: readonly string[]): void;
  /** Says goodbye (presence `online: false`) and disconnects. Safe to call twice. */
  close(): Promise<void>;
}
