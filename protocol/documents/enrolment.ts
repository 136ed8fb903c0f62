/**
 * How a device becomes a node: what it asks, signed by the identity key that it brings, and what the hub answers.
 *
 * The JSDoc tags are rules: the build turns each exported `…Document` into a validator that refuses unknown fields.
 */
import type { Digest, FleetId, Label, PublicKeyHex, RandomId } from './values.js';

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

/** The hub's answer; `nonce` is the node's, so the first assignment is fresh even with a dead clock. */
export interface JoinedDocument {
  fleet: FleetId;
  node: Label;
  nodeKey: Digest;
  nonce: RandomId;
  /**
   * PEM: the client certificate.
   * @maxLength 8192
   */
  certificate: string;
  /**
   * PEM: the authorities, whose keys the root pins.
   * @maxLength 32768
   */
  authorities: string;
  /**
   * `mqtts://host:port`, in order of preference.
   * @minItems 1
   * @maxItems 8
   */
  brokers: string[];
  labels: Record<string, string>;
  /**
   * The envelope of the first assignment, as text.
   * @maxLength 131072
   */
  assignment: string;
}
