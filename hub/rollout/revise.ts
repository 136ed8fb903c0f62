/**
 * From the manifests of an apply to the next revision of a bundle: documents, signature, blobs, publications. Pure: the
 * caller commits what comes out of it, in one transaction.
 */
import { gzipSync } from 'node:zlib';
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type {
  BlobPart,
  BundleDocument,
  BundleStrategy,
  ImageEntry,
  ManifestEntry,
} from '../../protocol/documents/bundle.js';
import { packed, sealBytes } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import {
  BLOB_BYTES_MAX,
  BUNDLE_BYTES_MAX,
  BUNDLE_CONTENT_BYTES_MAX,
  MANIFEST_BYTES_MAX,
} from '../../protocol/limits.js';
import { declaredParameters } from '../../protocol/node-parameters.js';
import { secretNames } from '../../protocol/pod-secrets.js';
import type { Topics } from '../../protocol/topics.js';
import type { Mutation } from '../store/store.js';

/** Revisions below the newest that an undo may still reach (design: ten). */
const ROLLBACK_WINDOW = 10;
/** Limit of the document's schema; the root sets a lower one. */
const MANIFESTS_MAX = 512;
/** As above. */
const SECRETS_MAX = 64;
/** Raw bytes of one part: fits into a message even when it cannot be compressed. */
const PART_BYTES = 100 * 1024;

/** The same bindings; absent means none. */
export function sameImages(
  a: readonly ImageEntry[] | undefined,
  b: readonly ImageEntry[] | undefined,
): boolean {
  return canonicalJson(a ?? []) === canonicalJson(b ?? []);
}

/** What a revision of a bundle is made of. */
export interface BundleContent {
  readonly namespace: string;
  readonly name: string;
  /** Valid Pods and ConfigMaps, each in the bundle's namespace. */
  readonly manifests: readonly BundleManifest[];
  /** What their images are bound to. */
  readonly images: readonly ImageEntry[];
  readonly strategy: BundleStrategy;
}

export interface ReviseInput extends BundleContent {
  readonly fleet: string;
  readonly topics: Topics;
  /** Of the newest revision ever made under this name; 0 for none. */
  readonly lastRevision: number;
  /** Those that are recorded; all up to `lastRevision` if absent. */
  readonly formerRevisions?: readonly number[];
  readonly lastRollbackFloor: number;
  /** RFC 3339. */
  readonly issued: string;
  readonly createdBy: string;
  readonly signer: Signer;
}

export interface Revised {
  readonly revision: number;
  readonly digest: string;
  readonly rollbackFloor: number;
  readonly mutations: readonly Mutation[];
}

/** What is wrong with the size of a bundle, in a sentence. */
export class BundleTooLarge extends Error {
  override readonly name = 'BundleTooLarge';
}

/** By name, a Pod before a ConfigMap of the same name. */
export function sortedManifests(manifests: readonly BundleManifest[]): BundleManifest[] {
  const nameOf = ({ metadata }: BundleManifest) => metadata?.name ?? '';
  return [...manifests].sort((a, b) => {
    if (nameOf(a) !== nameOf(b)) return nameOf(a) < nameOf(b) ? -1 : 1;
    return Number(isPod(b)) - Number(isPod(a));
  });
}

/** The same content, whatever the order: no new revision. */
export function sameManifests(a: readonly BundleManifest[], b: readonly BundleManifest[]): boolean {
  return canonicalJson(sortedManifests(a)) === canonicalJson(sortedManifests(b));
}

/** Counted in revisions, not in numbers: some may have been left out. */
function oldestInReach({ formerRevisions, lastRevision }: ReviseInput): number {
  if (!formerRevisions) return defaultRollbackFloor(lastRevision + 1, 0);
  return [...formerRevisions].sort((a, b) => b - a)[ROLLBACK_WINDOW - 1] ?? 0;
}

export interface DraftInput extends BundleContent {
  readonly fleet: string;
  readonly revision: number;
  /** At most `revision`. */
  readonly rollbackFloor: number;
  /** RFC 3339. */
  readonly issued: string;
  readonly requires: BundleDocument['requires'];
}

/** A revision that nobody signed yet. */
export interface Draft {
  readonly document: BundleDocument;
  readonly payload: Buffer;
  /** SHA-256 of the payload. */
  readonly digest: string;
  /** What the document names by digest. */
  readonly blobs: readonly Buffer[];
}

/** Nothing in particular: any node may run it. */
export const REQUIRES_NOTHING: BundleDocument['requires'] = {
  arch: [],
  hardware: [],
  minAgent: null,
};

/** What an undo may still reach unless the operator says otherwise: ten revisions back, and never more than before. */
export function defaultRollbackFloor(revision: number, lastRollbackFloor: number): number {
  return Math.max(lastRollbackFloor, revision - ROLLBACK_WINDOW, 0);
}

/** Throws `BundleTooLarge`. Equal input gives equal bytes. */
export function draftRevision(input: DraftInput): Draft {
  const { length } = input.manifests;
  if (length > MANIFESTS_MAX) {
    throw new BundleTooLarge(`${length} manifests, the limit is ${MANIFESTS_MAX}`);
  }
  const contents = sortedManifests(input.manifests).map(manifest => contentOf(manifest));
  const total = contents.reduce((sum, content) => sum + content.entry.size, 0);
  if (total > BUNDLE_CONTENT_BYTES_MAX) {
    throw new BundleTooLarge(
      `all manifests together are ${total} bytes, the limit is ${BUNDLE_CONTENT_BYTES_MAX}`,
    );
  }
  const document: BundleDocument = {
    fleet: input.fleet,
    namespace: input.namespace,
    name: input.name,
    revision: input.revision,
    rollbackFloor: input.rollbackFloor,
    issued: input.issued,
    requires: input.requires,
    strategy: input.strategy,
    manifests: contents.map(content => content.entry),
    images: imagesOf(input.manifests, input.images),
    secrets: secretsOf(input.manifests),
    ...parametersOf(input.manifests),
  };
  const payload = Buffer.from(canonicalJson(document));
  if (payload.byteLength > BUNDLE_BYTES_MAX) {
    throw new BundleTooLarge(
      `the bundle's list of manifests is ${payload.byteLength} bytes, the limit is ${BUNDLE_BYTES_MAX}`,
    );
  }
  const blobs = contents.flatMap(content => content.blobs);
  return { document, payload, digest: sha256Hex(payload), blobs };
}

/** What makes a signed revision the hub's: its record, its envelope and blobs on the broker. */
export function revisionMutations(
  { document, payload, digest, blobs }: Draft,
  signed: {
    readonly topics: Topics;
    readonly envelope: Buffer;
    readonly createdBy: string;
    readonly createdAt: string;
  },
): Mutation[] {
  const { topics, envelope, createdBy, createdAt } = signed;
  const { namespace, name: bundle, revision } = document;
  const size = payload.byteLength;
  return [
    {
      type: 'revision',
      record: { namespace, bundle, revision, digest, size, envelope, createdBy, createdAt },
    },
    { type: 'publish', topic: topics.blob(digest), payload: packed('bundle', envelope) },
    ...blobs.flatMap(blob => blobMutations(topics, blob)),
  ];
}

/** Throws `BundleTooLarge`. Equal input gives equal bytes. */
export function revise(input: ReviseInput): Revised {
  const { fleet, namespace, name, manifests, images, strategy, issued } = input;
  const revision = input.lastRevision + 1;
  const rollbackFloor = Math.max(input.lastRollbackFloor, oldestInReach(input));
  const requires = REQUIRES_NOTHING;
  const draft = draftRevision({
    ...{ fleet, namespace, name, manifests, images, revision, rollbackFloor, issued, requires },
    strategy,
  });
  const envelope = sealBytes('bundle', draft.payload, [input.signer]);
  const { topics, createdBy } = input;
  return {
    revision,
    digest: draft.digest,
    rollbackFloor,
    mutations: revisionMutations(draft, { topics, envelope, createdBy, createdAt: issued }),
  };
}

interface Content {
  readonly entry: ManifestEntry;
  readonly blobs: readonly Buffer[];
}

function contentOf(manifest: BundleManifest): Content {
  const name = manifest.metadata?.name ?? '';
  const kind = isPod(manifest) ? 'Pod' : 'ConfigMap';
  const bytes = Buffer.from(canonicalJson(manifest));
  if (bytes.byteLength > MANIFEST_BYTES_MAX) {
    throw new BundleTooLarge(
      `${kind === 'Pod' ? 'pod' : kind} ${name} is ${bytes.byteLength} bytes, the limit is ${MANIFEST_BYTES_MAX}`,
    );
  }
  const blobs = asBlob(bytes).byteLength <= BLOB_BYTES_MAX ? [bytes] : chunksOf(bytes);
  const parts: BlobPart[] =
    blobs.length === 1
      ? []
      : blobs.map(blob => ({ digest: sha256Hex(blob), size: blob.byteLength }));
  const entry: ManifestEntry = {
    kind,
    name,
    digest: sha256Hex(bytes),
    size: bytes.byteLength,
    parts,
  };
  return { entry, blobs };
}

function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.byteLength; at += PART_BYTES)
    chunks.push(bytes.subarray(at, at + PART_BYTES));
  return chunks;
}

/** As it travels: compressed when that is shorter. */
export function asBlob(bytes: Buffer): Buffer {
  const compressed = gzipSync(bytes, { level: 9 });
  return compressed.byteLength < bytes.byteLength ? compressed : bytes;
}

function blobMutations(topics: Topics, content: Buffer): Mutation[] {
  const digest = sha256Hex(content);
  return [
    { type: 'blob', record: { digest, content } },
    { type: 'publish', topic: topics.blob(digest), payload: asBlob(content) },
  ];
}

/** Throws `BundleTooLarge`. */
function secretsOf(manifests: readonly BundleManifest[]): string[] {
  const names = secretNames(manifests.filter(isPod));
  if (names.length <= SECRETS_MAX) return names;
  throw new BundleTooLarge(`its pods name ${names.length} secrets, the limit is ${SECRETS_MAX}`);
}

/** Left out where no pod asks for any: such a bundle is the same as ever. */
function parametersOf(manifests: readonly BundleManifest[]): Pick<BundleDocument, 'parameters'> {
  const parameters = declaredParameters(manifests.filter(isPod));
  return parameters.length === 0 ? {} : { parameters };
}

/** Each image once, with what it is bound to, or the digest that its reference pins, if it does. */
function imagesOf(
  manifests: readonly BundleManifest[],
  bound: readonly ImageEntry[],
): ImageEntry[] {
  const digestsOf = new Map(bound.map(({ image, digests }) => [image, digests]));
  const images = manifests
    .filter(isPod)
    .flatMap(({ spec }) => [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])])
    .flatMap(({ image = '' }) => image || []);
  return [...new Set(images)].sort().map(image => {
    const digest = /@(sha256:[0-9a-f]{64})$/.exec(image)?.[1];
    return { image, digests: digestsOf.get(image) ?? (digest === undefined ? [] : [digest]) };
  });
}
