/**
 * What the hub says beside assignments; signed by its key.
 *
 * The JSDoc tags are rules: the build turns each exported `…Document` into a validator that refuses unknown fields.
 */
import type {
  Counter,
  Digest,
  FleetId,
  Label,
  PublicKeyHex,
  RandomId,
  Timestamp,
} from './values.js';

/** Presence of the hub: retained, and its will. A hint; nothing is decided on it alone. */
export interface HubDocument {
  fleet: FleetId;
  epoch: Counter;
  /** New with each connection: a node that sees a new one sends again what is not acknowledged. */
  session: RandomId;
  online: boolean;
  /** X25519: container output is sealed to it. */
  sealingKey: PublicKeyHex;
}

/** The last publication that the broker has for certain. */
export interface MarkDocument {
  fleet: FleetId;
  /** New at init and at restore. */
  store: RandomId;
  number: Counter;
}

/** Answer to a request for blobs: published again, or absent at the hub. */
export interface AnswerDocument {
  fleet: FleetId;
  node: Label;
  nonce: RandomId;
  /** @maxItems 256 */
  published: Digest[];
  /** @maxItems 256 */
  absent: Digest[];
}

/** Answer to a request for the time; good for that nonce alone, and for a minute after it was asked. */
export interface TimeDocument {
  fleet: FleetId;
  node: Label;
  nonce: RandomId;
  time: Timestamp;
}

/**
 * What of a node's reports lies safe in the hub's store, and which assignment is in force: a broker that holds that back alone is
 * noticed so.
 */
export interface AckDocument {
  fleet: FleetId;
  node: Label;
  journal: RandomId;
  /** Every event up to this number. */
  through: Counter;
  /** The newest status, by (boot, counter). */
  boot: Counter;
  counter: Counter;
  /** Newest row of the journal's history in that status; 0: none. The node's next status shows its hash. */
  row: Counter;
  /** `namespace/name` to the digest of the pod document. */
  pods: Record<string, Digest>;
  /** Of the node's assignment; both 0 before the first. */
  epoch: Counter;
  generation: Counter;
}
