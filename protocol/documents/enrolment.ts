/**
 * How a device becomes a node: what it asks, signed by the identity key that it brings, and what the hub answers.
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

/** POSTed once, signed by the identity key that it names: that signature is the proof of possession. */
export interface JoinDocument {
  fleet: FleetId;
  node: Label;
  /**
   * `<id>.<secret>`.
   * @maxLength 128
   */
  token: string;
  /** The hub's, asked for just before. */
  nonce: RandomId;
  /** The node's: comes back in the answer and in its first assignment. */
  nodeNonce: RandomId;
  /** Ed25519. */
  identityKey: PublicKeyHex;
  /**
   * SubjectPublicKeyInfo (P-256), base64.
   * @maxLength 512
   */
  tlsKey: string;
  /** X25519. */
  sealingKey: PublicKeyHex;
}

/**
 * Asks for a new client certificate, signed by the identity key; needs none, so that an expired one is renewed. Also how a
 * node that waits for a person's approval asks whether it has come.
 */
export interface RenewDocument {
  fleet: FleetId;
  node: Label;
  /** The hub's, asked for just before. */
  nonce: RandomId;
  /** The node's: comes back in the answer. */
  nodeNonce: RandomId;
  /**
   * SubjectPublicKeyInfo (P-256), base64.
   * @maxLength 512
   */
  tlsKey: string;
}

/** Another identity key, another sealing key, or both; signed by the identity key in force and by the one to come. */
export interface RotateDocument {
  fleet: FleetId;
  node: Label;
  /** The hub's, asked for just before. */
  nonce: RandomId;
  /** The node's: comes back in the answer and in the assignment that names the new key. */
  nodeNonce: RandomId;
  /** Ed25519: in force until now. */
  previousKey: PublicKeyHex;
  /** Ed25519: from now on. */
  identityKey: PublicKeyHex;
  /** X25519: from now on. */
  sealingKey: PublicKeyHex;
}

/** The hub's answer to a join, a renewal and a rotation; `nonce` is the node's. */
export interface JoinedDocument {
  fleet: FleetId;
  node: Label;
  nodeKey: Digest;
  nonce: RandomId;
  /** `pending`: a person has to approve the node first; until then there is neither certificate nor assignment. */
  state: 'active' | 'pending';
  certificate: CertificatePem | null;
  /** When the certificate should be replaced, long before it ends. */
  renewAfter: Timestamp | null;
  /**
   * PEM: the authorities, whose keys the root pins.
   * @maxLength 32768
   */
  authorities: string;
  /**
   * `mqtts://host:port`, or `wss://host:port/path` for MQTT over WebSocket, in order of preference.
   * @minItems 1
   * @maxItems 8
   */
  brokers: string[];
  /** Of the enrolment. A node keeps those of its first answer. */
  labels: Record<string, string>;
  /** To a join: what became of its token. Left out in answers to those who showed none. */
  token?: TokenCount;
  /** The envelope of an assignment that bears the nonce, as text, so that it is fresh even with a dead clock. */
  assignment: EnvelopeText | null;
}

export interface TokenCount {
  /** Devices that it let in, this one included. */
  used: Counter;
  /** How many it lets in. */
  uses: Counter;
}

/** @maxLength 8192 */
export type CertificatePem = string;

/** @maxLength 131072 */
export type EnvelopeText = string;
