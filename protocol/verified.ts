/**
 * What every acceptance shares: the brand of verified documents, payload form, signatures of a role. Only the
 * `verify-…` files beside this one may brand a document.
 */
import { parseCanonical, sha256Hex } from './canonical.js';
import type { RootDocument } from './documents/root.js';
import {
  countSignatures,
  openEnvelope,
  type DocumentKind,
  type OpenedEnvelope,
  type ReceivedEnvelope,
} from './envelope.js';
import { accept, refuse, type Result } from './refusal.js';

declare const verified: unique symbol;

/** A document whose signatures, form and addressee were checked here. */
export interface Verified<T> {
  readonly [verified]: true;
  readonly document: T;
  /** SHA-256 of the payload bytes. */
  readonly digest: string;
  /** Of the payload, in bytes. */
  readonly size: number;
  /** The envelope as JSON: what is stored, so that it can be checked again. */
  readonly envelope: Buffer;
}

export type TrustedRoot = Verified<RootDocument>;

export function brand<T>(document: T, { payload, envelope }: ReceivedEnvelope): Verified<T> {
  return {
    document,
    digest: sha256Hex(payload),
    size: payload.byteLength,
    envelope,
  } as Verified<T>;
}

export interface Validator {
  (value: unknown): boolean;
  errors?: readonly { instancePath: string; message?: string }[] | null;
}

const PATH_SHOWN = 200;

/** Payload form: canonical JSON, then the schema of its kind. */
export function readPayload<T>(
  payload: Uint8Array,
  options: { what: string; bytesMax: number; validator: Validator },
): Result<T> {
  const parsed = parseCanonical(payload, options);
  if (!parsed.ok) return parsed;
  if (!options.validator(parsed.value)) {
    const first = options.validator.errors?.[0];
    // The path is made of the document's own keys.
    const path = first?.instancePath.slice(0, PATH_SHOWN) || '/';
    const where = first ? ` at ${path}: ${first.message ?? 'invalid'}` : '';
    return refuse('Malformed', `${options.what}${where}`);
  }
  return accept(parsed.value as T);
}

export function envelopeBytesMax(payloadBytesMax: number): number {
  return Math.ceil(payloadBytesMax / 3) * 4 + 4096;
}

export type Role = { threshold: number; keys: string[] };

export function signedBy(
  kind: DocumentKind,
  opened: OpenedEnvelope,
  root: RootDocument,
  role: Role,
): boolean {
  const keys = role.keys.map(id => ({ id, publicKey: root.keys[id] ?? '' }));
  return countSignatures(kind, opened, keys) >= role.threshold;
}

/** Envelope, signatures of one role, payload form, fleet: in this order. */
export function openSigned<T extends { fleet: string }>(
  bytes: Uint8Array,
  expected: {
    kind: DocumentKind;
    bytesMax: number;
    validator: Validator;
    root: RootDocument;
    role: Role;
  },
): Result<Verified<T>> {
  const { kind, root, role } = expected;
  const opened = openEnvelope(bytes, { kind, bytesMax: envelopeBytesMax(expected.bytesMax) });
  if (!opened.ok) return opened;
  if (!signedBy(kind, opened.value, root, role)) {
    return refuse('BadSignature', `${kind}: not signed by the role responsible for it`);
  }
  const document = readPayload<T>(opened.value.payload, { ...expected, what: kind });
  if (!document.ok) return document;
  if (document.value.fleet !== root.fleet) return refuse('WrongFleet', `${kind}: of another fleet`);
  return accept(brand(document.value, opened.value));
}
