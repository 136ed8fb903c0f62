/**
 * Envelopes told by what a former one of the same kind said: where both sides have that, what is told hourly costs what changed since.
 * Made whole it is the envelope that was signed, byte for byte, and is checked as if it had travelled whole; whether it is the right one,
 * its signature tells. Pure.
 *
 * `e2`, 8 bytes of the SHA-256 of the former payload, number of signatures, for each 32 bytes of the key's id and 64 of the signature,
 * the payload's delta (`delta.ts`).
 */
import { createHash } from 'node:crypto';
import { applyDelta, deltaOf, NumberReader } from './delta.js';
import { envelopeOf, openEnvelope, type DocumentKind } from './envelope.js';
import { readSignatures, writtenSignatures } from './packed-envelope.js';

const VERSION = 0xe2;
const NAME_BYTES = 8;

/** How a former payload is named, 16 hex digits. */
export function baseName(payload: Uint8Array): string {
  return createHash('sha256')
    .update(payload)
    .digest('hex')
    .slice(0, 2 * NAME_BYTES);
}

export function isRebased(bytes: Uint8Array): boolean {
  return bytes[0] === VERSION;
}

/** Null for what is no envelope of that kind, or has signatures of another form: then it travels whole. */
export function rebased(kind: DocumentKind, envelope: Uint8Array, base: Uint8Array): Buffer | null {
  const opened = openEnvelope(envelope, { kind, bytesMax: envelope.byteLength * 64 });
  const signatures = opened.ok ? writtenSignatures(opened.value.signatures) : null;
  if (!opened.ok || signatures === null) return null;
  const name = Buffer.from(baseName(base), 'hex');
  const delta = deltaOf(base, opened.value.payload);
  return Buffer.concat([Buffer.from([VERSION]), name, signatures, delta]);
}

/** The envelope as JSON; null when the former payload is not known, when this is no delta on it, or gives more than `payloadMax` bytes. */
export function madeWhole(
  kind: DocumentKind,
  bytes: Uint8Array,
  known: { readonly base: (name: string) => Uint8Array | null; readonly payloadMax: number },
): Buffer | null {
  if (!isRebased(bytes)) return null;
  const reader = new NumberReader(bytes.subarray(1));
  const name = reader.take(NAME_BYTES);
  const signatures = readSignatures(count => reader.take(count));
  const base = name && known.base(Buffer.from(name).toString('hex'));
  if (!base || signatures === null) return null;
  const payload = applyDelta(base, reader.rest(), known.payloadMax);
  if (payload === null) return null;
  const strict = signatures.map(({ keyid, sig }) => ({ keyid, sig: sig.toString('base64') }));
  return envelopeOf(kind, payload, strict);
}
