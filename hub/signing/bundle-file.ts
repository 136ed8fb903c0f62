/**
 * A bundle revision in one file, on its way past those who sign it: `bundle/<digest>.json` is its DSSE envelope (with no
 * signature yet: `signatures: []`), `blob/<sha256>` each blob that its document names. What is read is whole and fits
 * together: every byte is named by the document, every manifest is valid in this bundle. Who signed is another question.
 */
import { validateBundleManifest, type BundleManifest } from '../../protocol/bundle-manifest.js';
import { canonicalJson, parseCanonical, sha256Hex } from '../../protocol/canonical.js';
import type { BundleDocument, ManifestEntry } from '../../protocol/documents/bundle.js';
import type { Envelope, EnvelopeSignature } from '../../protocol/documents/envelope.js';
import { openEnvelope, payloadType } from '../../protocol/envelope.js';
import { validateBundleDocument } from '../../protocol/generated/validators.js';
import { BUNDLE_BYTES_MAX, MANIFEST_BYTES_MAX } from '../../protocol/limits.js';
import { accept, refuse, type Result } from '../../protocol/refusal.js';
import { envelopeBytesMax, readPayload } from '../../protocol/verified.js';
import { packArchive, readArchive, type Entries } from './archive.js';

/** Limit of the envelope's schema. */
export const SIGNATURES_MAX = 16;
/** An envelope on the wire has a signature at least; with this one the same rules read a draft. */
const PLACEHOLDER: EnvelopeSignature = { keyid: '0'.repeat(64), sig: '' };

export interface BundleFile {
  readonly document: BundleDocument;
  /** The bytes that are signed. */
  readonly payload: Buffer;
  /** SHA-256 of the payload. */
  readonly digest: string;
  readonly signatures: readonly EnvelopeSignature[];
  /** In the order in which the document names them. */
  readonly manifests: readonly BundleManifest[];
  /** Each once. */
  readonly blobs: readonly Buffer[];
}

/** Equal content gives equal bytes. */
export function packBundleFile(
  file: Pick<BundleFile, 'payload' | 'digest' | 'signatures' | 'blobs'>,
): Promise<Buffer> {
  const entries = new Map([[`bundle/${file.digest}.json`, envelopeOfFile(file)]]);
  for (const blob of file.blobs) entries.set(`blob/${sha256Hex(blob)}`, blob);
  return packArchive(entries);
}

/** The envelope; a draft's is not one that anybody would accept. */
export function envelopeOfFile({
  payload,
  signatures,
}: Pick<BundleFile, 'payload' | 'signatures'>): Buffer {
  const envelope: Envelope = {
    payload: payload.toString('base64'),
    payloadType: payloadType('bundle'),
    signatures: [...signatures].sort((a, b) => (a.keyid < b.keyid ? -1 : 1)),
  };
  return Buffer.from(canonicalJson(envelope));
}

export async function readBundleFile(bytes: Buffer): Promise<Result<BundleFile>> {
  const read = await readArchive(bytes);
  if (!read.ok) return read;
  const entries = read.value;
  const [name, ...more] = [...entries.keys()].filter(entry => entry.startsWith('bundle/'));
  if (name === undefined || more.length > 0) {
    return refuse('Malformed', 'archive: not the file of one bundle');
  }
  const envelope = readEnvelope(entries.get(name) ?? Buffer.alloc(0));
  if (!envelope.ok) return envelope;
  const { payload, signatures } = envelope.value;
  const digest = sha256Hex(payload);
  if (name !== `bundle/${digest}.json`) {
    return refuse('MixMatch', 'archive: the bundle is not the one that its entry is named for');
  }
  const document = readPayload<BundleDocument>(payload, {
    what: 'bundle',
    bytesMax: BUNDLE_BYTES_MAX,
    validator: validateBundleDocument,
  });
  if (!document.ok) return document;
  const content = readContent(document.value, entries);
  if (!content.ok) return content;
  return accept({ document: document.value, payload, digest, signatures, ...content.value });
}

function readEnvelope(
  bytes: Buffer,
): Result<{ payload: Buffer; signatures: readonly EnvelopeSignature[] }> {
  const bytesMax = envelopeBytesMax(BUNDLE_BYTES_MAX);
  const what = 'bundle envelope';
  const parsed = parseCanonical(bytes, { bytesMax, what, depthMax: 4 });
  if (!parsed.ok) return parsed;
  const given = (parsed.value as Partial<Envelope> | null)?.signatures;
  const isDraft = Array.isArray(given) && given.length === 0;
  const whole = isDraft
    ? Buffer.from(canonicalJson({ ...(parsed.value as Envelope), signatures: [PLACEHOLDER] }))
    : bytes;
  const opened = openEnvelope(whole, { kind: 'bundle', bytesMax: bytesMax + 256 });
  if (!opened.ok) return opened;
  const { payload } = opened.value;
  const signatures = isDraft ? [] : (given as EnvelopeSignature[]);
  if (new Set(signatures.map(({ keyid }) => keyid)).size < signatures.length) {
    return refuse('Malformed', `${what}: two signatures by one key`);
  }
  if (!envelopeOfFile({ payload, signatures }).equals(bytes)) {
    return refuse('Malformed', `${what}: the signatures are not in the order of their keys`);
  }
  return accept({ payload, signatures });
}

function readContent(
  document: BundleDocument,
  entries: Entries,
): Result<Pick<BundleFile, 'manifests' | 'blobs'>> {
  const used = new Map<string, Buffer>();
  const manifests: BundleManifest[] = [];
  for (const entry of document.manifests) {
    const manifest = readManifest(document, entry, digest => {
      const blob = entries.get(`blob/${digest}`);
      if (blob) used.set(digest, blob);
      return blob;
    });
    if (!manifest.ok) return manifest;
    manifests.push(manifest.value);
  }
  if (used.size + 1 !== entries.size) {
    return refuse('Malformed', 'archive: holds what the bundle does not name');
  }
  return accept({ manifests, blobs: [...used.values()] });
}

function readManifest(
  { namespace }: BundleDocument,
  entry: ManifestEntry,
  blobOf: (digest: string) => Buffer | undefined,
): Result<BundleManifest> {
  const what = `${entry.kind === 'Pod' ? 'pod' : entry.kind} ${entry.name}`;
  const parts = entry.parts.length > 0 ? entry.parts : [entry];
  const pieces: Buffer[] = [];
  for (const { digest, size } of parts) {
    const blob = blobOf(digest);
    if (!blob) return refuse('MixMatch', `${what}: blob ${digest} is missing`);
    if (blob.byteLength !== size || sha256Hex(blob) !== digest) {
      return refuse('MixMatch', `${what}: blob ${digest} has other content than its name says`);
    }
    pieces.push(blob);
  }
  const bytes = Buffer.concat(pieces);
  if (bytes.byteLength !== entry.size || sha256Hex(bytes) !== entry.digest) {
    return refuse('MixMatch', `${what}: its parts do not make what the bundle names`);
  }
  const parsed = parseCanonical(bytes, { bytesMax: MANIFEST_BYTES_MAX, what });
  if (!parsed.ok) return parsed;
  const valid = validateBundleManifest(parsed.value, namespace);
  if (!valid.ok) {
    const errors = valid.errors.map(({ path, message }) => `${path}: ${message}`);
    return refuse('Malformed', `${what}: ${errors.join('; ')}`);
  }
  if (valid.kind !== entry.kind || valid.name !== entry.name) {
    return refuse('MixMatch', `${what}: the manifest is ${valid.kind} ${valid.name}`);
  }
  return accept(valid.manifest);
}
