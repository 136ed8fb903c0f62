/**
 * What travels with an assignment: how a bundle revision that it names is made of one that the node has, so that a change costs what
 * changed and no question. Nothing of it is signed or believed: the result has to have the digest that the signed assignment names and
 * the signatures that any bundle needs, else it is thrown away and the blobs are fetched. Pure.
 *
 * `a1`, length of the envelope, the envelope; then for each patch its bundle's place in the assignment, and length and bytes of its body:
 * 8 bytes of the base's digest, number of signatures, for each 32 bytes of the key's id and 64 of the signature, length and bytes of the
 * payload's delta (`delta.ts`), number of blobs, for each its place in the document, length and bytes of its delta. Numbers are LEB128.
 */
import { applyDelta, deltaOf, NumberReader, written } from './delta.js';
import { manifestKey } from './bundle-manifest.js';
import { sha256Hex } from './canonical.js';
import type { BundleDocument, ManifestEntry } from './documents/bundle.js';
import { envelopeOf, type OpenedEnvelope } from './envelope.js';
import { readSignatures, writtenSignatures } from './packed-envelope.js';

const VERSION = 0xa1;
const BASE_BYTES = 8;

/** One revision, made of another. */
export interface Patch {
  /** Place of the revision in the list of the assignment. */
  readonly bundle: number;
  /** 16 hex digits: how the digest of the base begins. */
  readonly base: string;
  readonly signatures: OpenedEnvelope['signatures'];
  /** Makes the payload of the base's. */
  readonly payload: Uint8Array;
  readonly blobs: readonly BlobPatch[];
}

export interface BlobPatch {
  /** In the order of `namedBlobs`. */
  readonly index: number;
  /** On the content of the base's manifest of the same kind and name; on nothing where it has none. */
  readonly delta: Uint8Array;
}

/** A blob that a revision names, and the manifest that it is, or is a part of. */
export interface NamedBlob {
  readonly digest: string;
  readonly size: number;
  readonly manifest: ManifestEntry;
}

export function namedBlobs({ manifests }: Pick<BundleDocument, 'manifests'>): NamedBlob[] {
  return manifests.flatMap(manifest => {
    const parts = manifest.parts.length > 0 ? manifest.parts : [manifest];
    return parts.map(({ digest, size }) => ({ digest, size, manifest }));
  });
}

/** The manifest of the base that a blob's delta is on. */
export function counterpart(
  { manifest }: NamedBlob,
  base: Pick<BundleDocument, 'manifests'>,
): ManifestEntry | null {
  const key = manifestKey(manifest);
  return base.manifests.find(entry => manifestKey(entry) === key) ?? null;
}

// --- writing

export interface PatchInput {
  /** Digest of the base. */
  readonly base: string;
  readonly basePayload: Uint8Array;
  readonly target: OpenedEnvelope;
}

/** Something that the base has not: its place among the blobs of the target, its content, and that of its counterpart. */
export interface PatchedBlob {
  readonly index: number;
  readonly content: Uint8Array;
  readonly base: Uint8Array;
}

/** Its place, a length, and a delta: two numbers and how the rest is told. */
const BLOB_BYTES_MIN = 5;

/** As much as fits: the document first, then blobs in their order; those that do not fit are fetched as ever. Each is compared as it comes. */
export class PatchWriter {
  readonly #head: Buffer;
  readonly #blobs: Buffer[] = [];
  #room: number;

  private constructor(head: Buffer, room: number) {
    this.#head = head;
    this.#room = room;
  }

  /** Null when the document alone does not fit, or its signatures are not Ed25519's. */
  static begin(input: PatchInput, bytesMax: number): PatchWriter | null {
    const signatures = writtenSignatures(input.target.signatures);
    if (signatures === null) return null;
    const payload = deltaOf(input.basePayload, input.target.payload);
    const base = Buffer.from(input.base, 'hex').subarray(0, BASE_BYTES);
    const head = Buffer.concat([base, signatures, sized(payload)]);
    // Room for the number of blobs.
    const room = bytesMax - head.byteLength - 2;
    return room < 0 ? null : new PatchWriter(head, room);
  }

  /** No blob fits any more. */
  get isFull(): boolean {
    return this.#room < BLOB_BYTES_MIN;
  }

  /** False: it does not fit. */
  add(blob: PatchedBlob): boolean {
    const delta = deltaOf(blob.base, blob.content);
    const one = Buffer.concat([Buffer.from(written(blob.index)), sized(delta)]);
    if (one.byteLength > this.#room) return false;
    this.#room -= one.byteLength;
    this.#blobs.push(one);
    return true;
  }

  body(): Buffer {
    return Buffer.concat([this.#head, Buffer.from(written(this.#blobs.length)), ...this.#blobs]);
  }
}

/** As it travels. Without patches it is the envelope alone. */
export function withPatches(
  envelope: Uint8Array,
  patches: readonly { readonly bundle: number; readonly body: Uint8Array }[],
): Buffer {
  if (patches.length === 0) return Buffer.from(envelope);
  const bodies = patches.flatMap(({ bundle, body }) => [Buffer.from(written(bundle)), sized(body)]);
  return Buffer.concat([Buffer.from([VERSION]), sized(envelope), ...bodies]);
}

function sized(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(written(bytes.byteLength)), bytes]);
}

// --- reading

/** Twice what a hub puts behind an assignment. */
const READ_MAX = 8192;

/** Never throws: what is no envelope is refused by whoever opens it, and what is no patch is left out, with all behind it. */
export function unwrapped(bytes: Uint8Array): {
  readonly envelope: Uint8Array;
  readonly patches: readonly Patch[];
} {
  const reader = new NumberReader(bytes.subarray(1));
  const envelope = bytes[0] === VERSION ? reader.take(reader.next()) : null;
  if (envelope === null) return { envelope: bytes, patches: [] };
  const patches: Patch[] = [];
  const behind = reader.rest().byteLength;
  while (reader.rest().byteLength > 0 && behind <= READ_MAX) {
    const bundle = reader.next();
    const body = reader.take(reader.next());
    const patch = body && readBody(body);
    if (patch === null) break;
    patches.push({ bundle, ...patch });
  }
  return { envelope, patches };
}

function readBody(body: Uint8Array): Omit<Patch, 'bundle'> | null {
  const reader = new NumberReader(body);
  const base = reader.take(BASE_BYTES);
  const signatures = readSignatures(count => reader.take(count));
  const payload = reader.take(reader.next());
  if (base === null || signatures === null || payload === null) return null;
  const count = reader.next();
  const blobs: BlobPatch[] = [];
  while (blobs.length < count && reader.rest().byteLength > 0) {
    const index = reader.next();
    const delta = reader.take(reader.next());
    // Each once, in their order: what nobody signed is to cost little.
    if (delta === null || index <= (blobs.at(-1)?.index ?? -1)) return null;
    blobs.push({ index, delta });
  }
  if (blobs.length !== count || reader.rest().byteLength > 0) return null;
  return { base: Buffer.from(base).toString('hex'), signatures, payload, blobs };
}

/** The envelope that a patch makes, with whatever signatures it brought; null when the payload is not the one that is named. */
export function patchedEnvelope(
  patch: Patch,
  basePayload: Uint8Array,
  named: { readonly digest: string; readonly size: number },
): Buffer | null {
  const payload = patchedContent(basePayload, patch.payload, named);
  if (payload === null) return null;
  const signatures = patch.signatures.map(({ keyid, sig }) => ({
    keyid,
    sig: sig.toString('base64'),
  }));
  return envelopeOf('bundle', payload, signatures);
}

/** Null when it is not the content that is named. */
export function patchedContent(
  base: Uint8Array,
  delta: Uint8Array,
  { digest, size }: { readonly digest: string; readonly size: number },
): Buffer | null {
  const content = applyDelta(base, delta, size);
  return content !== null && sha256Hex(content) === digest ? content : null;
}
