/** What differs between the manifests of two revisions, pod by pod. Pure. */
import { createTwoFilesPatch } from 'diff';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { stringify } from 'yaml';
import { canonicalJson } from '../../protocol/canonical.js';

export interface ManifestChanges {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

function byName(pods: readonly Pod[]): Map<string, Pod> {
  return new Map(pods.map(pod => [pod.metadata?.name ?? '', pod]));
}

/** The namespace is the bundle's: a manifest that leaves it out says the same. */
function comparable(pod: Pod | undefined): string {
  if (pod === undefined) return '';
  const { namespace: _namespace, ...metadata } = pod.metadata ?? {};
  return canonicalJson({ ...pod, metadata });
}

export function changesBetween(before: readonly Pod[], after: readonly Pod[]): ManifestChanges {
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

/** Unified diffs of the YAML of each pod that differs; empty when nothing does. */
export function renderDiff(before: readonly Pod[], after: readonly Pod[]): string {
  const old = byName(before);
  const now = byName(after);
  const { added, changed, removed } = changesBetween(before, after);
  return [...added, ...changed, ...removed]
    .sort()
    .map(name =>
      createTwoFilesPatch(
        `now/${name}`,
        `new/${name}`,
        yamlOf(old.get(name)),
        yamlOf(now.get(name)),
        '',
        '',
        {
          context: 3,
        },
      )
        .replace(/^=+\n/, '')
        .replace(/^((?:---|\+\+\+) .*)\t$/gm, '$1'),
    )
    .join('');
}

function yamlOf(pod: Pod | undefined): string {
  return pod === undefined ? '' : stringify(JSON.parse(comparable(pod)));
}
