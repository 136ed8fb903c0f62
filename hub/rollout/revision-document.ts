/** Reads the hub's own revisions back: their documents, what these declare, manifests. No decisions; throws on a damaged store. */
import type { BundleManifest } from '../../protocol/bundle-manifest.js';
import { parseCanonical } from '../../protocol/canonical.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { boundImages } from '../../protocol/image-binding.js';
import { BUNDLE_BYTES_MAX } from '../../protocol/limits.js';
import { DEFAULT_STRATEGY, sameStrategy } from '../../protocol/strategy.js';
import type { BundleSpec } from '../objects.js';
import type { RevisionRecord, Store } from '../store/store.js';

export function bundleDocumentOf(record: RevisionRecord): BundleDocument {
  const opened = openEnvelope(record.envelope, { kind: 'bundle', bytesMax: 2 * BUNDLE_BYTES_MAX });
  const parsed = opened.ok
    ? parseCanonical(opened.value.payload, { bytesMax: BUNDLE_BYTES_MAX, what: 'bundle' })
    : opened;
  if (!parsed.ok) {
    throw new Error(
      `the stored bundle ${record.namespace}/${record.bundle} revision ${record.revision}: ${parsed.refusal.detail}`,
    );
  }
  return parsed.value as BundleDocument;
}

/** What a Bundle says of a revision beside its manifests: what images are bound to and how it is judged, where that is not the usual. */
export function declaredIn(
  document: Pick<BundleDocument, 'images' | 'strategy'>,
): Pick<BundleSpec, 'images' | 'strategy'> {
  const images = boundImages(document.images);
  const { strategy } = document;
  return {
    ...(images.length > 0 ? { images } : {}),
    ...(sameStrategy(strategy, DEFAULT_STRATEGY) ? {} : { strategy }),
  };
}

export function rollbackFloorOf(record: RevisionRecord): number {
  return bundleDocumentOf(record).rollbackFloor;
}

/** The digests of all blobs that a revision needs, its own envelope's included. */
export function blobsOf(record: RevisionRecord): string[] {
  const { manifests } = bundleDocumentOf(record);
  const named = manifests.flatMap(m =>
    m.parts.length > 0 ? m.parts.map(part => part.digest) : [m.digest],
  );
  return [record.digest, ...named];
}

/** Null when there is no such revision. */
export async function manifestsOf(
  store: Store,
  bundle: { readonly namespace: string; readonly name: string; readonly revision: number },
): Promise<readonly BundleManifest[] | null> {
  const record = await store.revision(bundle.namespace, bundle.name, bundle.revision);
  if (!record) return null;
  const manifests: BundleManifest[] = [];
  for (const entry of bundleDocumentOf(record).manifests) {
    const digests = entry.parts.length > 0 ? entry.parts.map(part => part.digest) : [entry.digest];
    const blobs = await Promise.all(digests.map(digest => store.blob(digest)));
    const bytes = Buffer.concat(blobs.map(blob => blob?.content ?? Buffer.alloc(0)));
    manifests.push(JSON.parse(bytes.toString('utf8')) as BundleManifest);
  }
  return manifests;
}
