/**
 * Whether manifests can be the content of one bundle: each valid and in its namespace, no two of one name, not too many. The
 * same for a bundle that is signed here and for one that is built to be signed elsewhere. Pure.
 */
import {
  isPod,
  isPodKey,
  manifestKey,
  validateBundleManifest,
  type BundleManifest,
} from '../../protocol/bundle-manifest.js';
import { declarationFaults } from '../../protocol/node-parameters.js';
import type { ImageEntry } from '../../protocol/documents/bundle.js';
import { tagsOf } from '../registry/pin.js';
import { sortedManifests } from './revise.js';

export interface Cause {
  /** `spec.manifests[0].spec.containers[0].image`. */
  readonly field: string;
  readonly message: string;
}

/** The valid ones, each with the bundle's namespace, sorted; and all that is wrong with the rest. */
export function checkManifests(
  given: readonly unknown[],
  { namespace, podsMax }: { readonly namespace: string; readonly podsMax: number },
): { readonly manifests: readonly BundleManifest[]; readonly causes: readonly Cause[] } {
  const causes: Cause[] = [];
  const manifests: BundleManifest[] = [];
  const seen = new Set<string>();
  for (const [index, manifest] of given.entries()) {
    const at = `spec.manifests[${index}]`;
    const result = validateBundleManifest(inNamespace(manifest, namespace), namespace);
    if (!result.ok) {
      causes.push(
        ...result.errors.map(e => ({ field: e.path ? `${at}.${e.path}` : at, message: e.message })),
      );
      continue;
    }
    const key = manifestKey(result);
    if (seen.has(key)) {
      const what = `${result.kind === 'Pod' ? 'pod' : result.kind} "${result.name}"`;
      const message = `${what} stands twice in the bundle`;
      causes.push({ field: `${at}.metadata.name`, message });
    }
    seen.add(key);
    manifests.push(result.manifest);
  }
  if ([...seen].filter(isPodKey).length > podsMax) {
    causes.push({
      field: 'spec.manifests',
      message: `more than the ${podsMax} pods that the fleet's root allows`,
    });
  }
  for (const { pod, path, message } of declarationFaults(manifests.filter(isPod))) {
    const index = given.findIndex(one => nameOf(one) === pod);
    causes.push({ field: `spec.manifests[${index}].${path}`, message: `pod "${pod}": ${message}` });
  }
  return { manifests: sortedManifests(manifests), causes };
}

/** Bindings that are of no image of these manifests, or of one that names a digest itself. */
export function imageCauses(
  images: readonly ImageEntry[],
  manifests: readonly BundleManifest[],
): readonly Cause[] {
  const tagged = new Set(tagsOf(manifests));
  return images.flatMap(({ image }, index) => {
    if (tagged.has(image)) return [];
    const message = `no Pod of the bundle has the image "${image}", or it names a digest itself`;
    return [{ field: `spec.images[${index}].image`, message }];
  });
}

function nameOf(manifest: unknown): unknown {
  return (manifest as { metadata?: { name?: unknown } } | null)?.metadata?.name;
}

/** An object that leaves its namespace out takes the bundle's; anything else is for the validation to judge. */
function inNamespace(manifest: unknown, namespace: string): unknown {
  if (manifest === null || typeof manifest !== 'object') return manifest;
  const { metadata } = manifest as { metadata?: unknown };
  if (metadata === null || typeof metadata !== 'object') return manifest;
  const given = (metadata as { namespace?: unknown }).namespace ?? '';
  return given === '' ? { ...manifest, metadata: { ...metadata, namespace } } : manifest;
}
