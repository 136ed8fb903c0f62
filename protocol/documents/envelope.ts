/**
 * What every document on the wire travels in.
 *
 * The JSDoc tags are rules: the build turns each exported `…Document` into a validator that refuses unknown fields.
 */
import type { Digest } from './values.js';

/** DSSE 1.0.2. `payload` and `sig` are standard base64 that re-encodes to itself. */
export interface Envelope {
  /** @maxLength 163840 */
  payload: string;
  /** @maxLength 128 */
  payloadType: string;
  /**
   * @minItems 1
   * @maxItems 16
   */
  signatures: EnvelopeSignature[];
}

export interface EnvelopeSignature {
  /** Only a hint: SHA-256 of the raw public key. */
  keyid: Digest;
  /** @maxLength 128 */
  sig: string;
}
