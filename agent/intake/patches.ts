/**
 * Revisions that came with the newest assignment as patches: made here, of what the journal has, before anything is fetched. A patch is
 * tried once. What does not come to the very content that is lacking is forgotten without a word: it was never signed, and the blobs are
 * fetched then.
 */
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import {
  counterpart,
  namedBlobs,
  patchedContent,
  patchedEnvelope,
  type Patch,
} from '../../protocol/patches.js';
import type { Journal } from '../journal/journal.js';
import type { Lacking } from './lacking.js';

export interface PatchesOptions {
  readonly journal: Pick<Journal, 'content' | 'bundles'>;
  /** Checks an envelope as if it had been fetched; true when it is in the journal now. */
  readonly take: (envelope: Buffer, wanted: Lacking) => boolean;
}

export class Patches {
  readonly #options: PatchesOptions;
  /** By the digest of the revision that it makes. */
  #held = new Map<string, Patch>();

  constructor(options: PatchesOptions) {
    this.#options = options;
  }

  /** Those of the newest assignment; former ones are forgotten. */
  hold(patches: readonly Patch[], { bundles }: Pick<AssignmentDocument, 'bundles'>): void {
    this.#held = new Map(
      patches.flatMap(patch => {
        const named = bundles[patch.bundle];
        return named ? [[named.digest, patch] as const] : [];
      }),
    );
  }

  /** True when something that was lacking is here now. @throws what the disk throws */
  apply(lacking: readonly Lacking[]): boolean {
    if (this.#held.size === 0) return false;
    const held = [...this.#held];
    this.#held.clear();
    const wanted = new Map(lacking.map(item => [item.digest, item]));
    return held.map(([digest, patch]) => this.#make(digest, patch, wanted)).includes(true);
  }

  #make(digest: string, patch: Patch, wanted: ReadonlyMap<string, Lacking>): boolean {
    const { journal } = this.#options;
    const envelope = wanted.get(digest);
    const base = this.#base(patch);
    if (base === null) return false;
    const isNew = envelope?.envelopeOf ? this.#takeEnvelope(patch, base.payload, envelope) : false;
    const document = journal.content.bundleDocument(digest);
    if (!document) return false;
    let made = isNew;
    const blobs = namedBlobs(document);
    for (const { index, delta } of patch.blobs) {
      const blob = blobs[index];
      if (!blob || !(isNew || wanted.has(blob.digest)) || journal.content.hasBlob(blob.digest))
        continue;
      const former = counterpart(blob, base.document);
      const bytes = former === null ? Buffer.alloc(0) : this.#content(former);
      const content = bytes && patchedContent(bytes, delta, blob);
      if (content === null) continue;
      journal.content.storeBlob(blob.digest, content);
      made = true;
    }
    return made;
  }

  #takeEnvelope(patch: Patch, basePayload: Buffer, wanted: Lacking): boolean {
    const envelope = patchedEnvelope(patch, basePayload, wanted);
    return envelope !== null && this.#options.take(envelope, wanted);
  }

  /** What lies in the directory, or was healthy last: the rest is not kept. */
  #base({ base }: Patch): { readonly payload: Buffer; readonly document: BundleDocument } | null {
    const { journal } = this.#options;
    const kept = journal.bundles().flatMap(({ active, healthy }) => [active ?? [], healthy ?? []]);
    const digest = kept.flat().find(one => one.startsWith(base));
    const envelope = digest === undefined ? null : journal.content.bundleEnvelope(digest);
    const document = digest === undefined ? null : journal.content.bundleDocument(digest);
    if (envelope === null || document === null) return null;
    const opened = openEnvelope(envelope, { kind: 'bundle', bytesMax: 2 * MESSAGE_BYTES_MAX });
    return opened.ok ? { payload: opened.value.payload, document } : null;
  }

  #content(entry: BundleDocument['manifests'][number]): Buffer | null {
    const blobs = namedBlobs({ manifests: [entry] });
    const contents = blobs.flatMap(
      ({ digest }) => this.#options.journal.content.blob(digest) ?? [],
    );
    return contents.length === blobs.length ? Buffer.concat(contents) : null;
  }
}
