/**
 * Envelopes as they travel over MQTT: about a quarter of the bytes of their JSON, and the same envelope again when they are unpacked, so
 * that nothing but this file knows of it: the payload is deflated (RFC 1951) with what documents have in common, keys and signatures
 * are bytes. Never unpacks beyond the size that the caller gives: a bomb costs no more than an honest envelope (S41). Pure.
 *
 * `e1`, length and letters of the kind, number of signatures, for each 32 bytes of the key's id and 64 of the signature, deflated payload.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { PACKED_DICTIONARY } from './packed-dictionary.js';

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

/** Null where a signature or an id is none of Ed25519's and SHA-256's: then the JSON has to travel. */
export function packParts({ kind, payload, signatures }: EnvelopeParts): Buffer | null {
  const signed = signatures.map(({ keyid, sig }) =>
    Buffer.concat([Buffer.from(keyid, 'hex'), sig]),
  );
  if (signed.some(one => one.byteLength !== SIGNED_BYTES) || signed.length > 0xff) return null;
  const deflated = deflateRawSync(payload, { level: 9, dictionary: PACKED_DICTIONARY });
  const head = [VERSION, kind.length];
  return Buffer.concat([
    Buffer.from(head),
    Buffer.from(kind, 'ascii'),
    Buffer.from([signed.length]),
    ...signed,
    deflated,
  ]);
}

/** Null for what nobody packed so, or has more behind it; `too large` where the payload has more than `payloadMax` bytes. */
export function unpackParts(
  bytes: Uint8Array,
  payloadMax: number,
): EnvelopeParts | 'too large' | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kindEnd = 2 + (buffer[1] ?? 0);
  const count = buffer[kindEnd];
  if (!isPacked(buffer) || count === undefined) return null;
  const start = kindEnd + 1;
  const end = start + count * SIGNED_BYTES;
  if (end >= buffer.byteLength) return null;
  const signatures = Array.from({ length: count }, (_, index) => {
    const at = start + index * SIGNED_BYTES;
    const sig = buffer.subarray(at + KEY_ID_BYTES, at + SIGNED_BYTES);
    return { keyid: buffer.toString('hex', at, at + KEY_ID_BYTES), sig };
  });
  const deflated = buffer.subarray(end);
  try {
    const { buffer: payload, read } = inflated(deflated, Math.max(1, payloadMax));
    if (read < deflated.byteLength) return null;
    return { kind: buffer.toString('latin1', 2, kindEnd), payload, signatures };
  } catch (error) {
    return (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? 'too large' : null;
  }
}

/** `read`: how many of the bytes were of it; zlib passes over what follows. */
function inflated(bytes: Uint8Array, maxOutputLength: number): { buffer: Buffer; read: number } {
  const options = { dictionary: PACKED_DICTIONARY, maxOutputLength, info: true };
  // With `info` it is another answer than the types say (nodejs.org/api/zlib.html).
  const { buffer, engine } = inflateRawSync(bytes, options) as unknown as {
    readonly buffer: Buffer;
    readonly engine: { readonly bytesWritten: number };
  };
  return { buffer, read: engine.bytesWritten };
}
