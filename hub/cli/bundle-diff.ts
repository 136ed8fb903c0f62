/** What differs between the manifests of two revisions, one by one. Pure. */
import { createTwoFilesPatch } from 'diff';
import { stringify } from 'yaml';
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import { canonicalJson } from '../../protocol/canonical.js';
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import { plainStrategy, sameStrategy } from '../../protocol/strategy.js';

/** Each as `pod/<name>` or `configmap/<name>`. */
export interface ManifestChanges {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

function byName(manifests: readonly BundleManifest[]): Map<string, BundleManifest> {
  const nameOf = (manifest: BundleManifest) =>
    `${isPod(manifest) ? 'pod' : 'configmap'}/${manifest.metadata?.name ?? ''}`;
  return new Map(manifests.map(manifest => [nameOf(manifest), manifest]));
}

/** The namespace is the bundle's: a manifest that leaves it out says the same. */
function comparable(manifest: BundleManifest | undefined): string {
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

/** Unified diffs of the YAML of each manifest that differs; empty when nothing does. */
export function renderDiff(
  before: readonly BundleManifest[],
  after: readonly BundleManifest[],
): string {
  const old = byName(before);
  const now = byName(after);
  const { added, changed, removed } = changesBetween(before, after);
  return [...added, ...changed, ...removed]
    .sort()
    .map(name => patchOf(name, yamlOf(old.get(name)), yamlOf(now.get(name))))
    .join('');
}

/** How nodes judge the passage, as a unified diff; empty where both say the same. */
export function renderStrategyDiff(before: BundleStrategy, after: BundleStrategy): string {
  if (sameStrategy(before, after)) return '';
  return patchOf('strategy', stringify(plainStrategy(before)), stringify(plainStrategy(after)));
}

function patchOf(name: string, before: string, after: string): string {
  return createTwoFilesPatch(`now/${name}`, `new/${name}`, before, after, '', '', { context: 3 })
    .replace(/^=+\n/, '')
    .replace(/^((?:---|\+\+\+) .*)\t$/gm, '$1');
}

function yamlOf(manifest: BundleManifest | undefined): string {
  return manifest === undefined ? '' : stringify(JSON.parse(comparable(manifest)));
}
