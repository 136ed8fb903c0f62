/** Which manifests of two revisions differ. Pure. */
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import { canonicalJson } from '../../protocol/canonical.js';

/** Each as `pod/<name>` or `configmap/<name>`. */
export interface ManifestChanges {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** By the names that `ManifestChanges` has. */
export function byName(manifests: readonly BundleManifest[]): Map<string, BundleManifest> {
  const nameOf = (manifest: BundleManifest) =>
    `${isPod(manifest) ? 'pod' : 'configmap'}/${manifest.metadata?.name ?? ''}`;
  return new Map(manifests.map(manifest => [nameOf(manifest), manifest]));
}

/** The namespace is the bundle's: a manifest that leaves it out says the same. */
export function comparable(manifest: BundleManifest | undefined): string {
  if (manifest === undefined) return '';
  const { namespace: _namespace, ...metadata } = manifest.metadata ?? {};
  return canonicalJson({ ...manifest, metadata });
}

export function changesBetween(
  before: readonly BundleManifest[],
  after: readonly BundleManifest[],
): ManifestChanges {
  const old = byName(before);
  const now = byName(after);
  const names = [...now.keys()].sort();
  return {
    added: names.filter(name => !old.has(name)),
    changed: names.filter(
      name => old.has(name) && comparable(old.get(name)) !== comparable(now.get(name)),
    ),
    removed: [...old.keys()].filter(name => !now.has(name)).sort(),
  };
}
