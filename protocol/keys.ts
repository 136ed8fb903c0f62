/**
 * Ed25519 keys as raw 32 bytes in hex, and the signatures made with them. The key id is the SHA-256 of the raw key,
 * recomputed wherever a key is read, so that one key cannot stand under two ids (TAP 12).
 */
import { createPublicKey, sign as edSign, verify as edVerify, type KeyObject } from 'node:crypto';
import { sha256Hex } from './canonical.js';

/** SubjectPublicKeyInfo of Ed25519 up to the key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * Points of small order: with one of these as "key", signatures verify that nobody made. Compared with the sign bit
 * masked.
 */
const LOW_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/** SHA-256 of the raw public key, hex. */
export function keyId(publicKeyHex: string): string {
  return sha256Hex(Buffer.from(publicKeyHex, 'hex'));
}

/** False for anything but 32 bytes of lower-case hex, and for the points of small order. */
export function isSoundPublicKey(publicKeyHex: string): boolean {
  if (!/^[0-9a-f]{64}$/.test(publicKeyHex)) return false;
  const raw = Buffer.from(publicKeyHex, 'hex');
  raw[31] = (raw[31] ?? 0) & 0x7f;
  return !LOW_ORDER.has(raw.toString('hex'));
}

/** The raw public key, hex, of a private or public Ed25519 or X25519 key. */
export function rawPublicKey(key: KeyObject): string {
  const spki = (key.type === 'private' ? createPublicKey(key) : key).export({
    type: 'spki',
    format: 'der',
  });
  return spki.subarray(spki.length - 32).toString('hex');
}

/** Something that can sign: the key never leaves it. */
export interface Signer {
  readonly publicKey: string;
  sign(message: Uint8Array): Uint8Array;
}

export function signerOf(privateKey: KeyObject): Signer {
  return {
    publicKey: rawPublicKey(privateKey),
    sign: message => edSign(null, message, privateKey),
  };
}

export function verifySignature(
  publicKeyHex: string,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.byteLength !== 64) return false;
  const key = readKeys.get(publicKeyHex) ?? readKey(publicKeyHex);
  return key !== null && edVerify(null, message, key, signature);
}

/** OpenSSL takes longer to read a key than to verify with it: those that were read last are kept, about 2 KiB each. */
const KEYS_KEPT = 16_384;
const readKeys = new Map<string, KeyObject>();

/** Null for what is no sound key. */
function readKey(publicKeyHex: string): KeyObject | null {
  if (!isSoundPublicKey(publicKeyHex)) return null;
  const key = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, Buffer.from(publicKeyHex, 'hex')]),
    format: 'der',
    type: 'spki',
  });
  const [oldest] = readKeys.keys();
  if (readKeys.size >= KEYS_KEPT && oldest !== undefined) readKeys.delete(oldest);
  readKeys.set(publicKeyHex, key);
  return key;
}
