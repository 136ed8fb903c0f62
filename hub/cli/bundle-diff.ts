/** What differs between two revisions, as unified diffs. Pure. */
import { createTwoFilesPatch } from 'diff';
import { stringify } from 'yaml';
import type { BundleManifest } from '../../protocol/bundle-manifest.js';
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import { plainStrategy, sameStrategy } from '../../protocol/strategy.js';
import { byName, changesBetween, comparable } from './manifest-changes.js';

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
