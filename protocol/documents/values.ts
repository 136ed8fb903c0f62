/**
 * The simple values that documents consist of: names, digests, times, counters, keys, with their grammar and limits.
 *
 * The JSDoc tags are rules: the build turns each exported `…Document` into a validator that refuses unknown fields.
 */

/** @pattern ^[0-9a-f]{32}$ */
export type FleetId = string;
/**
 * SHA-256, lower-case hex.
 * @pattern ^[0-9a-f]{64}$
 */
export type Digest = string;
/**
 * RFC 1123 label.
 * @pattern ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$
 */
export type Label = string;
/**
 * RFC 1123 subdomain.
 * @pattern ^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$
 * @maxLength 253
 */
export type Subdomain = string;
/**
 * RFC 3339, UTC, with milliseconds.
 * @pattern ^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$
 */
export type Timestamp = string;
/**
 * A counter that only grows.
 * @asType integer
 * @minimum 0
 * @maximum 9007199254740991
 */
export type Counter = number;
/**
 * @asType integer
 * @minimum 0
 * @maximum 9007199254740991
 */
export type Bytes = number;
/**
 * 16 random bytes, lower-case hex: journals, sessions, nonces, stores.
 * @pattern ^[0-9a-f]{32}$
 */
export type RandomId = string;

/**
 * Raw Ed25519 or X25519 public key, hex.
 * @pattern ^[0-9a-f]{64}$
 */
export type PublicKeyHex = string;

/** @pattern ^\d{1,5}\.\d{1,5}\.\d{1,5}$ */
export type Version = string;
