/**
 * Whether images could be had at a start without any registry: by the calls and rules by which a pod is started, so that the answer is
 * what would happen (`pods/execute.ts`); and whether the engine's disk has room for containers.
 */
import { findBoundImage } from '../images/bound-image.js';
import type { NeededImage } from '../images/needed.js';
import type { ImageStore } from '../runtime/images.js';
import { RuntimeError } from '../runtime/runtime.js';
import type { Fault } from './faults.js';

type Lookup = Pick<ImageStore, 'imageStatus'>;

/** Of the engine's file system: what containers need to begin. */
const ENGINE_BYTES = 8 * 1024 * 1024;

/** Null: it could. Throws `RuntimeError` `EngineUnavailable`. */
async function imageFault(
  store: Lookup,
  { image, digests, policy }: Pick<NeededImage, 'image' | 'digests' | 'policy'>,
): Promise<Fault | null> {
  try {
    const found =
      digests === null
        ? await store.imageStatus(image)
        : await findBoundImage(store, image, digests);
    if (found === null) {
      const bound = digests === null ? '' : ' in the content that the bundle binds it to';
      return { reason: 'ImageMissing', message: `it is not on the engine${bound}` };
    }
  } catch (error) {
    if (!(error instanceof RuntimeError) || error.code === 'EngineUnavailable') throw error;
    return { reason: 'ImageMissing', message: error.message };
  }
  // What is bound cannot have changed at the registry: then Always has nothing to ask there.
  if (policy !== 'Always' || digests !== null) return null;
  const message =
    'imagePullPolicy Always asks the registry at each start; IfNotPresent, or apply --pin, does not';
  return { reason: 'PullPolicyAlways', message };
}

/** Each image is asked for once, however many pods name it. What it gives throws as the engine does. */
export function imageLookup(
  store: Lookup,
): (images: readonly NeededImage[]) => Promise<readonly Fault[]> {
  const answers = new Map<string, Fault | null>();
  return async images => {
    const faults: Fault[] = [];
    for (const needed of images) {
      const key = `${needed.key} ${(needed.digests ?? []).join()}`;
      const known = answers.get(key);
      const fault = known === undefined ? await imageFault(store, needed) : known;
      answers.set(key, fault);
      if (fault === null) continue;
      const { namespace = 'default', name } = needed.pod.metadata;
      const message = `pod ${namespace}/${name}, image "${needed.image}": ${fault.message}`;
      faults.push({ reason: fault.reason, message });
    }
    return faults;
  };
}

/** Throws `RuntimeError` `EngineUnavailable`. */
export async function roomFaults(
  store: Pick<ImageStore, 'imageFilesystem'>,
): Promise<readonly Fault[]> {
  try {
    const { path, availableBytes } = await store.imageFilesystem();
    if (availableBytes >= ENGINE_BYTES) return [];
    const left = Math.floor(availableBytes / 1024);
    const message = `the engine's file system (${path}) has ${left} KiB left; containers need more to begin`;
    return [{ reason: 'NoSpace', message }];
  } catch (error) {
    // An engine whose directory the agent does not see.
    if (error instanceof RuntimeError && error.code !== 'EngineUnavailable') return [];
    throw error;
  }
}
