/**
 * A root as a file that goes from person to person: a DSSE envelope that gathers signatures one by one, `signatures: []`
 * to begin with. Signatures cover the payload bytes as they are, so nothing here ever writes those anew. Pure.
 */
import { canonicalJson, parseCanonical, sha256Hex } from '../../protocol/canonical.js';
import type { EnvelopeSignature } from '../../protocol/documents/envelope.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import {
  countSignatures,
  envelopeOf,
  openEnvelope,
  type OpenedEnvelope,
} from '../../protocol/envelope.js';
import { ROOT_BYTES_MAX } from '../../protocol/limits.js';
import { accept, refuse, type Result } from '../../protocol/refusal.js';
import { envelopeBytesMax } from '../../protocol/verified.js';
import { readRootPayload, rootSignatures, rootStepRefusal } from '../../protocol/verify-root.js';

const BYTES_MAX = envelopeBytesMax(ROOT_BYTES_MAX);
/** Limit of the envelope's schema. */
export const SIGNATURES_MAX = 16;

export interface RootFile {
  readonly document: RootDocument;
  readonly payload: Buffer;
  /** SHA-256 of the payload. */
  readonly digest: string;
  readonly signatures: readonly EnvelopeSignature[];
}

export function draftOf(document: RootDocument): Result<RootFile> {
  const payload = Buffer.from(canonicalJson(document));
  const read = readRootPayload(payload);
  if (!read.ok) return read;
  return accept({ document, payload, digest: sha256Hex(payload), signatures: [] });
}

/** Schema, keys and roles are checked; who signed it is not. A line end that an editor added is no harm. */
export function readRootFile(text: string): Result<RootFile> {
  const bytes = Buffer.from(text.trim());
  const unsigned = parseCanonical(bytes, { bytesMax: BYTES_MAX, what: 'root', depthMax: 4 });
  if (!unsigned.ok) return unsigned;
  const { signatures } = (unsigned.value ?? {}) as { signatures?: unknown };
  const isUnsigned = Array.isArray(signatures) && signatures.length === 0;
  // An envelope on the wire has a signature at least: a placeholder lets the same rules read the rest.
  const whole = isUnsigned
    ? canonicalJson({ ...(unsigned.value as object), signatures: [PLACEHOLDER] })
    : bytes;
  const opened = openEnvelope(Buffer.from(whole), { kind: 'root', bytesMax: BYTES_MAX + 256 });
  if (!opened.ok) return opened;
  const { payload } = opened.value;
  const document = readRootPayload(payload);
  if (!document.ok) return document;
  return accept({
    document: document.value,
    payload,
    digest: sha256Hex(payload),
    signatures: isUnsigned ? [] : (signatures as EnvelopeSignature[]),
  });
}

const PLACEHOLDER: EnvelopeSignature = { keyid: '0'.repeat(64), sig: '' };

/** As it is kept in a file and published; one line. */
export function rootFileText(file: RootFile): string {
  return `${envelopeText(file)}\n`;
}

/** The envelope as nodes read it. */
export function envelopeText({ payload, signatures }: RootFile): string {
  return envelopeOf('root', payload, signatures).toString();
}

/** With one more signature; one by the same key takes the place of the former. */
export function withSignature(file: RootFile, signature: EnvelopeSignature): Result<RootFile> {
  const others = file.signatures.filter(({ keyid }) => keyid !== signature.keyid);
  if (others.length >= SIGNATURES_MAX) {
    return refuse('TooLarge', `root: more than ${SIGNATURES_MAX} signatures`);
  }
  return accept({ ...file, signatures: [...others, signature] });
}

function openedOf({ payload, signatures }: RootFile): OpenedEnvelope {
  const decoded = signatures.map(({ keyid, sig }) => ({ keyid, sig: Buffer.from(sig, 'base64') }));
  return { payload, signatures: decoded };
}

/** Key ids of a root whose good signatures the file bears, among those given. */
export function signersIn(
  file: RootFile,
  { keys }: Pick<RootDocument, 'keys'>,
  ids: readonly string[],
): string[] {
  const opened = openedOf(file);
  return ids.filter(
    id => countSignatures('root', opened, [{ id, publicKey: keys[id] ?? '' }]) === 1,
  );
}

export interface SignatureCount {
  readonly have: number;
  readonly need: number;
}

/** What is still wanted before nodes take this root. */
export interface RootVerdict {
  readonly own: SignatureCount;
  /** By the root keys of the version before; null for version 1, which is pinned by its hash. */
  readonly former: SignatureCount | null;
  /** Why it cannot follow the former one whoever signs it; null: it can. */
  readonly refusal: string | null;
  readonly complete: boolean;
}

export function judgeRoot(file: RootFile, former: RootDocument | null): RootVerdict {
  const opened = openedOf(file);
  const own = rootSignatures(opened, file.document);
  const before = former && rootSignatures(opened, former);
  const refused = former && rootStepRefusal(file.document, former);
  const enough = ({ have, need }: SignatureCount) => have >= need;
  return {
    own,
    former: before,
    refusal: refused && `${refused.code}: ${refused.detail}`,
    complete: refused === null && enough(own) && (before === null || enough(before)),
  };
}
