/** What the hub's link is made from, and what it is for others: types only. */
import type { Signer } from '../../protocol/keys.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { BrokerConnection, BrokerTls } from './broker-connection.js';
import type { NodeMessage, NodeMessenger } from './messages.js';
import type { Store } from '../store/store.js';

export interface Received {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retained: boolean;
}

/** What a guest may do on the hub's connection. */
export interface GuestConnection extends Pick<BrokerConnection, 'ended' | 'publish' | 'subscribe'> {
  /** The broker has every publication of the store up to this number. */
  covered(): number;
}

/**
 * Uses the hub's connection beside the link: called for each connection before it subscribes. What
 * it returns sees every message before the link does, and says whether that was for it.
 */
export type Guest = (connection: GuestConnection) => (message: Received) => boolean;

export interface HubLinkOptions {
  /** `mqtts://host:port`, or `mqtt://host:port` without TLS. */
  readonly url: string;
  readonly tls: BrokerTls | null;
  readonly root: () => TrustedRoot;
  readonly hubSigner: Signer;
  /** Raw X25519 public key, hex. */
  readonly sealingKey: string;
  readonly store: Store;
  /** True: the broker starts with this process, empty: the first connection does not wait for a mark. */
  readonly brokerIsFresh: boolean;
  readonly onMessage: (message: NodeMessage) => void;
  /** A connection began: called before its first message is handed on. */
  readonly onUp?: () => void;
  /** It ended; called once for each `onUp`. */
  readonly onDown?: () => void;
  /** Who else uses the connection. */
  readonly guests?: readonly Guest[];
  readonly clock: Clock;
  readonly log: Log;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
}

export interface HubLink {
  /** True from the PUBACK of the birth to the end of the connection. */
  connected(): boolean;
  /** As far as was learned: the broker has every publication of the store up to this number; null: it never was connected. */
  covered(): number | null;
  readonly messenger: NodeMessenger;
  /** One frame of a stream; they go out in the order of the calls. True at the PUBACK, false when the connection ended. */
  frame(node: string, request: string, payload: Uint8Array): Promise<boolean>;
  /** Connects anew: what is announced with a connection is signed by a key, or for an epoch, that is not in force any more. */
  renew(): void;
  /** Writes the last mark, says offline and disconnects; takes two seconds at most. Twice is safe. */
  close(): Promise<void>;
}
