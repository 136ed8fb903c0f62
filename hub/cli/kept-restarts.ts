/**
 * What `rollout restart` wrote into pods stays when the same manifests are applied again, as kubectl's apply leaves it: else each apply
 * after a restart would restart them once more. Pure.
 */
import { isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import type { ValidPod } from '../../protocol/pod.js';
import { RESTARTED_AT } from '../../protocol/pod-identity.js';
import type { BundleSource } from './bundle-source.js';

/** A manifest that has the annotation says itself when. What was signed elsewhere is as it is. */
export function withRestarts(
  source: BundleSource,
  current: readonly BundleManifest[],
): BundleSource {
  if (source.built !== null) return source;
  const known = new Map(
    current.filter(isPod).map(({ metadata }) => [metadata.name, metadata.annotations]),
  );
  const kept = (pod: ValidPod): ValidPod => {
    const { metadata } = pod;
    const at = known.get(metadata.name)?.[RESTARTED_AT];
    if (at === undefined || Object.hasOwn(metadata.annotations ?? {}, RESTARTED_AT)) return pod;
    const annotations = { ...metadata.annotations, [RESTARTED_AT]: at };
    return { ...pod, metadata: { ...metadata, annotations } };
  };
  const manifests = source.manifests.map(one => (isPod(one) ? kept(one) : one));
  return { ...source, manifests, pods: source.pods.map(kept) };
}
