/**
 * What travels with the assignments: for a node that runs another revision of a bundle than it is assigned now, how the new one is made
 * of that one. Made once for each two revisions in a pass, however many nodes go from one to the other. Where a revision is not recorded
 * any more, or a change is large, nothing travels, and nodes fetch the blobs, which are published in any case.
 */
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { BUNDLE_BYTES_MAX } from '../../protocol/limits.js';
import { counterpart, namedBlobs, PatchWriter, withPatches } from '../../protocol/patches.js';
import type { NodeObject } from '../objects.js';
import type { RevisionRecord, Store } from '../store/store.js';
import type { SignedAssignment } from './director.js';
import { bundleDocumentOf } from './revision-document.js';

/** With one assignment: it is read again on each connect, and lies on the broker for each node. */
const BYTES_MAX = 4096;
/** Each costs a reading of both revisions. A fleet stands at few of them. */
const PAIRS_MAX = 64;
/** Signatures, and what names the base. */
const PATCH_BYTES_MIN = 110;
/** What is larger, or was, is fetched: comparing takes a tenth of a second in which the hub does nothing else. */
const COMPARED_BYTES_MAX = 256 * 1024;
/** So many blobs of a revision that did not fit, and the rest is not compared any more. */
const MISSES_MAX = 3;

type PatchStore = Pick<Store, 'blob' | 'revisionByDigest'>;

export class PatchBook {
  readonly #store: PatchStore;
  readonly #bodies = new Map<string, Promise<Buffer | null>>();

  constructor(store: PatchStore) {
    this.#store = store;
  }

  /** The same assignment, with what its node can make instead of fetching it. `node`: as it said last; null: it never did. */
  async with(signed: SignedAssignment, node: NodeObject | null): Promise<SignedAssignment> {
    const active = new Map(
      (node?.status.flotilla.bundles ?? []).map(one => [`${one.namespace}/${one.name}`, one]),
    );
    const patches: { bundle: number; body: Buffer }[] = [];
    let room = BYTES_MAX;
    for (const [bundle, { namespace, name, digest }] of signed.document.bundles.entries()) {
      const base = active.get(`${namespace}/${name}`)?.active ?? null;
      if (room < PATCH_BYTES_MIN) break;
      if (base === null || base === digest) continue;
      const body = await this.#body(base, digest);
      if (body === null || body.byteLength > room) continue;
      room -= body.byteLength;
      patches.push({ bundle, body });
    }
    if (patches.length === 0) return signed;
    const mutations = signed.mutations.map(one =>
      one.type === 'publish' && one.payload !== null
        ? { ...one, payload: withPatches(one.payload, patches) }
        : one,
    );
    return { ...signed, mutations };
  }

  #body(base: string, digest: string): Promise<Buffer | null> {
    const key = `${base} ${digest}`;
    const known = this.#bodies.get(key);
    if (known) return known;
    if (this.#bodies.size >= PAIRS_MAX) return Promise.resolve(null);
    const body = this.#make(base, digest);
    this.#bodies.set(key, body);
    return body;
  }

  async #make(base: string, digest: string): Promise<Buffer | null> {
    const [from, to] = await Promise.all([
      this.#store.revisionByDigest(base),
      this.#store.revisionByDigest(digest),
    ]);
    const opened = to && opening(to);
    const basePayload = from && opening(from)?.payload;
    if (!from || !to || !opened || !basePayload) return null;
    const former = bundleDocumentOf(from);
    const has = new Set(namedBlobs(former).map(blob => blob.digest));
    const writer = PatchWriter.begin({ base, basePayload, target: opened }, BYTES_MAX);
    if (writer === null) return null;
    let misses = 0;
    for (const [index, blob] of namedBlobs(bundleDocumentOf(to)).entries()) {
      if (writer.isFull || misses === MISSES_MAX) break;
      const entry = counterpart(blob, former);
      const isLarge = Math.max(blob.manifest.size, entry?.size ?? 0) > COMPARED_BYTES_MAX;
      if (has.has(blob.digest) || isLarge) continue;
      const record = await this.#store.blob(blob.digest);
      const beside = entry ? await this.#content(entry) : Buffer.alloc(0);
      if (!record || !beside) continue;
      // Whoever waits for the hub comes between two comparisons.
      await new Promise(setImmediate);
      if (!writer.add({ index, content: record.content, base: beside })) misses++;
    }
    return writer.body();
  }

  async #content(entry: BundleDocument['manifests'][number]): Promise<Buffer | null> {
    const contents: Uint8Array[] = [];
    for (const { digest } of namedBlobs({ manifests: [entry] })) {
      const record = await this.#store.blob(digest);
      if (!record) return null;
      contents.push(record.content);
    }
    return Buffer.concat(contents);
  }
}

function opening({ envelope }: RevisionRecord) {
  const opened = openEnvelope(envelope, { kind: 'bundle', bytesMax: 2 * BUNDLE_BYTES_MAX });
  return opened.ok ? opened.value : null;
}
