/**
 * A Secret of a bundle, sealed for one node on the operator's machine. Signed by the secrets role, or by the hub's where the root names none.
 *
 * The JSDoc tags are rules: the build turns each exported `…Document` into a validator that refuses unknown fields.
 */
import type { Digest, FleetId, Label, Subdomain } from './values.js';

export interface SecretDocument {
  fleet: FleetId;
  node: Label;
  namespace: Label;
  bundle: Label;
  name: Subdomain;
  /**
   * Grows with each new content; sealed again for another key it stays.
   * @asType integer
   * @minimum 1
   * @maximum 9007199254740991
   */
  version: number;
  /** Key id of the node's sealing key. */
  recipient: Digest;
  /**
   * An age file (age-encryption.org/v1) of at most 32 KiB, standard base64. What it holds says `secret-content.ts`.
   * @maxLength 43692
   */
  sealed: string;
}
