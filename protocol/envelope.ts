/**
 * DSSE 1.0.2 envelopes: signatures over the exact payload bytes and their type, so that no parser runs before a
 * signature was checked. One form only: standard base64 that re-encodes to itself, no unknown fields.
 */
import { canonicalJson, parseCanonical } from './canonical.js';
import type { Envelope, EnvelopeSignature } from './documents/envelope.js';
import { validateEnvelope } from './generated/validators.js';
import { keyId, verifySignature, type Signer } from './keys.js';
import { isPacked, packParts, unpackParts, type EnvelopeParts } from './packed-envelope.js';
import { accept, refuse, type Result } from './refusal.js';

export const DOCUMENT_KINDS = [
  'root',
  'bundle',
  'assignment',
  'secret',
  'hub',
  'mark',
  'answer',
  'time',
  'ack',
  'command',
  'presence',
  'request',
  'status',
  'pod',
  'event',
  'reply',
  'opening',
  'join',
  'joined',
  'renew',
  'rotate',
] as const;
export type DocumentKind = (typeof DOCUMENT_KINDS)[number];

export function payloadType(kind: DocumentKind): string {
  return `application/vnd.flotilla.${kind}.v1+json`;
}

/** Pre-authentication encoding (DSSE 1.0.2): what is really signed. */
export function preAuthEncoding(type: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** The envelope of a document, canonical JSON, signed by each signer. */
export function seal(kind: DocumentKind, document: object, signers: readonly Signer[]): Buffer {
  return sealBytes(kind, Buffer.from(canonicalJson(document)), signers);
}

/** The same for payload bytes that exist already: a further signature must cover the same bytes. */
export function sealBytes(
  kind: DocumentKind,
  payload: Uint8Array,
  signers: readonly Signer[],
): Buffer {
  return envelopeOf(kind, payload, written(signaturesOf(kind, payload, signers)));
}

interface Signature {
  readonly keyid: string;
  readonly sig: Buffer;
}

function signaturesOf(
  kind: DocumentKind,
  payload: Uint8Array,
  signers: readonly Signer[],
): Signature[] {
  const message = preAuthEncoding(payloadType(kind), payload);
  return signers.map(signer => ({
    keyid: keyId(signer.publicKey),
    sig: Buffer.from(signer.sign(message)),
  }));
}

function written(signatures: readonly { keyid: string; sig: Uint8Array }[]): EnvelopeSignature[] {
  return signatures.map(({ keyid, sig }) => ({ keyid, sig: Buffer.from(sig).toString('base64') }));
}

/** Payload and signatures that were made elsewhere, one by one, put together; nothing is checked here. */
export function envelopeOf(
  kind: DocumentKind,
  payload: Uint8Array,
  signatures: readonly EnvelopeSignature[],
): Buffer {
  return Buffer.from(canonicalJson(envelopeWith(kind, payload, signatures)));
}

function envelopeWith(
  kind: DocumentKind,
  payload: Uint8Array,
  signatures: readonly EnvelopeSignature[],
): Envelope {
  return {
    payload: Buffer.from(payload).toString('base64'),
    payloadType: payloadType(kind),
    signatures: [...signatures],
  };
}

/** An envelope as it travels: packed where that is shorter. What is no envelope of that kind stays as it is. */
export function packed(kind: DocumentKind, envelope: Uint8Array): Buffer {
  const opened = openEnvelope(envelope, { kind, bytesMax: envelope.byteLength });
  return opened.ok ? shorter(envelope, { kind, ...opened.value }) : Buffer.from(envelope);
}

function shorter(envelope: Uint8Array, parts: EnvelopeParts): Buffer {
  const short = packParts(parts);
  return short !== null && short.byteLength < envelope.byteLength ? short : Buffer.from(envelope);
}

/** `seal`, as it travels. */
export function sealPacked(
  kind: DocumentKind,
  document: object,
  signers: readonly Signer[],
): Buffer {
  const payload = Buffer.from(canonicalJson(document));
  const signatures = signaturesOf(kind, payload, signers);
  const envelope = envelopeOf(kind, payload, written(signatures));
  return shorter(envelope, { kind, payload, signatures });
}

export interface OpenedEnvelope {
  readonly payload: Buffer;
  readonly signatures: readonly Signature[];
}

export interface ReceivedEnvelope extends OpenedEnvelope {
  /** As JSON, however it travelled: what is kept. */
  readonly envelope: Buffer;
}

function strictBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

interface Expected {
  readonly kind: DocumentKind;
  readonly bytesMax: number;
}

/** What was packed, as its JSON would be read: one form for all that checks. */
function unpacked(bytes: Uint8Array, { kind, bytesMax }: Expected): Result<ReceivedEnvelope> {
  const what = `${kind} envelope`;
  if (bytes.byteLength > bytesMax) return refuse('TooLarge', `${what}: ${bytes.byteLength} bytes`);
  const parts = unpackParts(bytes, Math.floor((bytesMax / 4) * 3));
  if (parts === 'too large') return refuse('TooLarge', `${what}: unpacked it is too large`);
  const known = DOCUMENT_KINDS.find(one => one === parts?.kind);
  if (parts === null || known === undefined)
    return refuse('Malformed', `${what}: not packed as envelopes are`);
  const signatures = parts.signatures.map(({ keyid, sig }) => ({ keyid, sig: Buffer.from(sig) }));
  const payload = Buffer.from(parts.payload);
  const envelope = envelopeWith(known, payload, written(signatures));
  const json = Buffer.from(canonicalJson(envelope));
  if (json.byteLength > bytesMax) {
    return refuse('TooLarge', `${what}: ${json.byteLength} bytes, the limit is ${bytesMax}`);
  }
  if (!validateEnvelope(envelope)) return refuse('Malformed', `${what}: not a DSSE envelope`);
  if (known !== kind) return refuse('WrongType', `${what}: its type says something else`);
  return accept({ envelope: json, payload, signatures });
}

function readJson(bytes: Uint8Array, { kind, bytesMax }: Expected): Result<ReceivedEnvelope> {
  const what = `${kind} envelope`;
  const parsed = parseCanonical(bytes, { bytesMax, what, depthMax: 4 });
  if (!parsed.ok) return parsed;
  if (!validateEnvelope(parsed.value)) return refuse('Malformed', `${what}: not a DSSE envelope`);
  const envelope = parsed.value;
  if (envelope.payloadType !== payloadType(kind)) {
    return refuse('WrongType', `${what}: its type says something else`);
  }
  const payload = strictBase64(envelope.payload);
  if (payload === null) return refuse('Malformed', `${what}: payload is not strict base64`);
  const signatures: Signature[] = [];
  for (const { keyid, sig } of envelope.signatures) {
    const decoded = strictBase64(sig);
    if (decoded === null) return refuse('Malformed', `${what}: a signature is not strict base64`);
    signatures.push({ keyid, sig: decoded });
  }
  return accept({ envelope: Buffer.from(bytes), payload, signatures });
}

/** Form and type of an envelope, packed or not; no signature is checked yet and the payload is not parsed. */
export function openEnvelope(bytes: Uint8Array, expected: Expected): Result<ReceivedEnvelope> {
  return isPacked(bytes) ? unpacked(bytes, expected) : readJson(bytes, expected);
}

/**
 * How many different keys of a role signed. A signature is tried with the one key that its id names (ids are hashes of
 * keys); each key counts once, and broken or foreign signatures beside good ones do no harm (DSSE 1.0.2; TUF 5.3.4).
 */
export function countSignatures(
  kind: DocumentKind,
  opened: OpenedEnvelope,
  keys: readonly { readonly id: string; readonly publicKey: string }[],
): number {
  const message = preAuthEncoding(payloadType(kind), opened.payload);
  const good = new Set<string>();
  for (const { keyid, sig } of opened.signatures) {
    const key = keys.find(k => k.id === keyid);
    if (key && !good.has(key.id) && verifySignature(key.publicKey, message, sig)) good.add(key.id);
  }
  return good.size;
}
