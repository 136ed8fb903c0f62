/**
 * Envelopes as they travel over MQTT: about a quarter of the bytes of their JSON, and the same envelope again when they are unpacked, so
 * that nothing but this file knows of it: the payload is deflated (RFC 1951) with what documents have in common, keys and signatures
 * are bytes. Never unpacks beyond the size that the caller gives: a bomb costs no more than an honest envelope (S41). Pure.
 *
 * `e1`, length and letters of the kind, number of signatures, for each 32 bytes of the key's id and 64 of the signature, deflated payload.
 */
import { deflateRawSync } from 'node:zlib';
import { inflated, PACKED_DICTIONARY } from './packed-dictionary.js';

const VERSION = 0xe1;
const KEY_ID_BYTES = 32;
const SIGNATURE_BYTES = 64;
const SIGNED_BYTES = KEY_ID_BYTES + SIGNATURE_BYTES;

export interface EnvelopeParts {
  readonly kind: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly { readonly keyid: string; readonly sig: Uint8Array }[];
}

/** JSON never begins so, nor a frame of a stream, which shares a topic with an opening. */
export function isPacked(bytes: Uint8Array): boolean {
  return bytes[0] === VERSION;
}

/** Number of signatures, then 32 bytes of the key's id and 64 of the signature for each; null where one is none of Ed25519's and SHA-256's. */
export function writtenSignatures(signatures: EnvelopeParts['signatures']): Buffer | null {
  const signed = signatures.map(({ keyid, sig }) =>
    Buffer.concat([Buffer.from(keyid, 'hex'), sig]),
  );
  if (signed.some(one => one.byteLength !== SIGNED_BYTES) || signed.length > 0xff) return null;
  return Buffer.concat([Buffer.from([signed.length]), ...signed]);
}

/** `take`: the next so many bytes, null where there are fewer. Null when they end within. */
export function readSignatures(
  take: (count: number) => Uint8Array | null,
): { keyid: string; sig: Buffer }[] | null {
  const count = take(1)?.[0];
  const signed = count === undefined ? null : take(count * SIGNED_BYTES);
  if (count === undefined || signed === null) return null;
  const bytes = Buffer.from(signed.buffer, signed.byteOffset, signed.byteLength);
  return Array.from({ length: count }, (_, index) => {
    const at = index * SIGNED_BYTES;
    const sig = bytes.subarray(at + KEY_ID_BYTES, at + SIGNED_BYTES);
    return { keyid: bytes.toString('hex', at, at + KEY_ID_BYTES), sig };
  });
}

/** Null where a signature or an id is none of Ed25519's and SHA-256's: then the JSON has to travel. */
export function packParts({ kind, payload, signatures }: EnvelopeParts): Buffer | null {
  const signed = writtenSignatures(signatures);
  if (signed === null) return null;
  const deflated = deflateRawSync(payload, { level: 9, dictionary: PACKED_DICTIONARY });
  const head = [VERSION, kind.length];
  return Buffer.concat([Buffer.from(head), Buffer.from(kind, 'ascii'), signed, deflated]);
}

/** Null for what nobody packed so, or has more behind it; `too large` where the payload has more than `payloadMax` bytes. */
export function unpackParts(
  bytes: Uint8Array,
  payloadMax: number,
): EnvelopeParts | 'too large' | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kindEnd = 2 + (buffer[1] ?? 0);
  if (!isPacked(buffer)) return null;
  let at = kindEnd;
  const signatures = readSignatures(count => {
    at += count;
    return at > buffer.byteLength ? null : buffer.subarray(at - count, at);
  });
  if (signatures === null || at === buffer.byteLength) return null;
  const payload = inflated(buffer.subarray(at), payloadMax);
  if (payload === null || payload === 'too large') return payload;
  return { kind: buffer.toString('latin1', 2, kindEnd), payload, signatures };
}
