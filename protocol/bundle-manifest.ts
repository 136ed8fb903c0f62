/**
 * What a bundle is made of: Pods, and the ConfigMaps that they use. Validation of one, and the key by which it is known
 * within its bundle.
 *
 * A Secret is no part of a bundle: blobs can be read at the broker. Pure.
 */
import type { ConfigMap } from 'kubernetes-types/core/v1.js';
import { isConfigObject, validateConfigObject } from './config-object.js';
import { forbidden, tooMany, type FieldError } from './field-error.js';
import { BUNDLE_CONTAINERS_MAX, BUNDLE_ENV_MAX } from './limits.js';
import { checkNodeParameters, NODE_CONFIG_MAP } from './node-parameters.js';
import { locatedContainers, type Pod, type ValidPod } from './pod.js';
import { validatePodManifest } from './pod-validation.js';

export type BundleManifest = Pod | ConfigMap;
export type BundleManifestKind = 'Pod' | 'ConfigMap';

export type BundleManifestResult =
  | { readonly ok: true; readonly kind: 'Pod'; readonly name: string; readonly manifest: ValidPod }
  | {
      readonly ok: true;
      readonly kind: 'ConfigMap';
      readonly name: string;
      readonly manifest: ConfigMap;
    }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** A manifest without a kind counts as a Pod, as in what former versions wrote. */
export function isConfigMap(manifest: BundleManifest): manifest is ConfigMap {
  return manifest.kind === 'ConfigMap';
}

export function isPod(manifest: BundleManifest): manifest is ValidPod {
  return !isConfigMap(manifest);
}

/** Unique in a bundle: the bare name of a Pod, `ConfigMap/<name>` (no Pod's name has a slash). */
export function manifestKey({ kind, name }: { kind: BundleManifestKind; name: string }): string {
  return kind === 'Pod' ? name : `${kind}/${name}`;
}

export function keyOfManifest(manifest: BundleManifest): string {
  const kind = isConfigMap(manifest) ? 'ConfigMap' : 'Pod';
  return manifestKey({ kind, name: manifest.metadata?.name ?? '' });
}

/** True for the key of a Pod. */
export function isPodKey(key: string): boolean {
  return !key.includes('/');
}

/** One document of a bundle in `namespace` (absent: any). Never throws on bad input. */
export function validateBundleManifest(value: unknown, namespace?: string): BundleManifestResult {
  const options = {
    context: 'bundle' as const,
    ...(namespace === undefined ? {} : { namespace }),
  };
  if (typeof value === 'object' && value !== null && isConfigObject({ ...value })) {
    const result = validateConfigObject({ ...value }, options);
    if (!result.ok) return result;
    const { name, manifest } = result.object;
    if (name === NODE_CONFIG_MAP) return { ok: false, errors: [OF_THE_NODE] };
    return { ok: true, kind: 'ConfigMap', name, manifest: manifest as ConfigMap };
  }
  const result = validatePodManifest(value, options);
  if (!result.ok) return result;
  const errors = [...crowds(result.pod), ...checkNodeParameters(result.pod)];
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, kind: 'Pod', name: result.pod.metadata.name, manifest: result.pod };
}

const OF_THE_NODE = forbidden(
  'metadata.name',
  `each node makes the ConfigMap "${NODE_CONFIG_MAP}" of its own parameters (flotilla node parameters); give this one another name`,
);

/** Kubernetes bounds these by the size of an object alone; what comes over the network has to fit a small machine. */
function crowds(pod: ValidPod): FieldError[] {
  const containers = locatedContainers(pod);
  const errors = containers.flatMap(({ container, at }) => {
    const count = container.env?.length ?? 0;
    return count > BUNDLE_ENV_MAX ? [tooMany(`${at}.env`, count, BUNDLE_ENV_MAX)] : [];
  });
  return containers.length > BUNDLE_CONTAINERS_MAX
    ? [tooMany('spec.containers', containers.length, BUNDLE_CONTAINERS_MAX), ...errors]
    : errors;
}
