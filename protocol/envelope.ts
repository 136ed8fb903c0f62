/**
 * DSSE 1.0.2 envelopes: signatures over the exact payload bytes and their type, so that no parser runs before a
 * signature was checked. One form only: standard base64 that re-encodes to itself, no unknown fields.
 */
import { canonicalJson, parseCanonical } from './canonical.js';
import type { Envelope, EnvelopeSignature } from './documents/envelope.js';
import { validateEnvelope } from './generated/validators.js';
import { keyId, verifySignature, type Signer } from './keys.js';
import { isPacked, packParts, unpackParts } from './packed-envelope.js';
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
  const message = preAuthEncoding(payloadType(kind), payload);
  const signatures = signers.map(signer => ({
    keyid: keyId(signer.publicKey),
    sig: Buffer.from(signer.sign(message)).toString('base64'),
  }));
  return envelopeOf(kind, payload, signatures);
}

/** Payload and signatures that were made elsewhere, one by one, put together; nothing is checked here. */
export function envelopeOf(
  kind: DocumentKind,
  payload: Uint8Array,
  signatures: readonly EnvelopeSignature[],
): Buffer {
  const envelope: Envelope = {
    payload: Buffer.from(payload).toString('base64'),
    payloadType: payloadType(kind),
    signatures: [...signatures],
  };
  return Buffer.from(canonicalJson(envelope));
}

/** An envelope as it travels: packed where that is shorter. What is no envelope of that kind stays as it is. */
export function packed(kind: DocumentKind, envelope: Uint8Array): Buffer {
  const opened = openEnvelope(envelope, { kind, bytesMax: envelope.byteLength });
  const short = opened.ok ? packParts({ kind, ...opened.value }) : null;
  return short !== null && short.byteLength < envelope.byteLength ? short : Buffer.from(envelope);
}

/** `seal`, as it travels. */
export function sealPacked(
  kind: DocumentKind,
  document: object,
  signers: readonly Signer[],
): Buffer {
  return packed(kind, seal(kind, document, signers));
}

export interface OpenedEnvelope {
  readonly payload: Buffer;
  readonly signatures: readonly { readonly keyid: string; readonly sig: Buffer }[];
}

export interface ReceivedEnvelope extends OpenedEnvelope {
  /** As JSON, however it travelled: what is kept. */
  readonly envelope: Buffer;
}

function strictBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

/** What was packed as JSON again: one form for all that checks. */
function unpacked(
  bytes: Uint8Array,
  { kind, bytesMax }: { kind: DocumentKind; bytesMax: number },
): Result<Uint8Array> {
  if (!isPacked(bytes)) return accept(bytes);
  const what = `${kind} envelope`;
  if (bytes.byteLength > bytesMax) return refuse('TooLarge', `${what}: ${bytes.byteLength} bytes`);
  const parts = unpackParts(bytes, Math.floor((bytesMax / 4) * 3));
  if (parts === 'too large') return refuse('TooLarge', `${what}: unpacked it is too large`);
  const known = DOCUMENT_KINDS.find(one => one === parts?.kind);
  if (parts === null || known === undefined)
    return refuse('Malformed', `${what}: not packed as envelopes are`);
  const signatures = parts.signatures.map(({ keyid, sig }) => ({
    keyid,
    sig: Buffer.from(sig).toString('base64'),
  }));
  return accept(envelopeOf(known, parts.payload, signatures));
}

/** Form and type of an envelope, packed or not; no signature is checked yet and the payload is not parsed. */
export function openEnvelope(
  bytes: Uint8Array,
  expected: { kind: DocumentKind; bytesMax: number },
): Result<ReceivedEnvelope> {
  const what = `${expected.kind} envelope`;
  const plain = unpacked(bytes, expected);
  if (!plain.ok) return plain;
  const parsed = parseCanonical(plain.value, { bytesMax: expected.bytesMax, what, depthMax: 4 });
  if (!parsed.ok) return parsed;
  if (!validateEnvelope(parsed.value)) return refuse('Malformed', `${what}: not a DSSE envelope`);
  const envelope = parsed.value;
  if (envelope.payloadType !== payloadType(expected.kind)) {
    return refuse('WrongType', `${what}: its type says something else`);
  }
  const payload = strictBase64(envelope.payload);
  if (payload === null) return refuse('Malformed', `${what}: payload is not strict base64`);
  const signatures: { keyid: string; sig: Buffer }[] = [];
  for (const { keyid, sig } of envelope.signatures) {
    const decoded = strictBase64(sig);
    if (decoded === null) return refuse('Malformed', `${what}: a signature is not strict base64`);
    signatures.push({ keyid, sig: decoded });
  }
  return accept({ envelope: Buffer.from(plain.value), payload, signatures });
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
