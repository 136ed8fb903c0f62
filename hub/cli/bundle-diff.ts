/** What differs between two revisions, as unified diffs. Pure. */
import { createTwoFilesPatch } from 'diff';
import { stringify } from 'yaml';
import type { BundleManifest } from '../../protocol/bundle-manifest.js';
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import { canonicalJson } from '../../protocol/canonical.js';
import { withChangeCause } from '../rollout/change-cause.js';
import type { RolloutPlan } from '../rollout/waves/plan.js';
import type { BundleApiObject } from './bundle-write.js';
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

/** What of a bundle is no part of a revision, and a DaemonSet says. */
export interface Settings {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly nodeSelector: string;
  readonly rollout: RolloutPlan | null;
}

export function settingsOf({
  metadata: { labels = {}, annotations = {} },
  spec: { nodeSelector, rollout },
}: Pick<BundleApiObject, 'metadata' | 'spec'>): Settings {
  return { labels, annotations, nodeSelector, rollout: rollout ?? null };
}

/** As a unified diff; empty where both say the same. The change cause belongs to a revision. `before`: null for a new bundle. */
export function renderSettingsDiff(
  bundle: string,
  before: Settings | null,
  after: Settings,
): string {
  const [old, now] = [before === null ? '' : settingsYaml(before), settingsYaml(after)];
  return old === now ? '' : patchOf(`bundle/${bundle}`, old, now);
}

function settingsYaml({ annotations, ...settings }: Settings): string {
  const all = { ...settings, annotations: withChangeCause(annotations, '') };
  return stringify(JSON.parse(canonicalJson(all)));
}

function patchOf(name: string, before: string, after: string): string {
  return createTwoFilesPatch(`now/${name}`, `new/${name}`, before, after, '', '', { context: 3 })
    .replace(/^=+\n/, '')
    .replace(/^((?:---|\+\+\+) .*)\t$/gm, '$1');
}

function yamlOf(manifest: BundleManifest | undefined): string {
  return manifest === undefined ? '' : stringify(JSON.parse(comparable(manifest)));
}
