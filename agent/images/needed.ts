/** The images that the pods of a revision name, each once, with how and as what they are to be had. Pure. */
import type { ImageBindings } from '../../protocol/image-binding.js';
import { defaultPullPolicy } from '../../protocol/pod-defaults.js';
import type { ValidPod } from '../../protocol/pod.js';

export interface NeededImage {
  readonly key: string;
  readonly image: string;
  /** What it is bound to; null: the reference is trusted. */
  readonly digests: readonly string[] | null;
  readonly policy: string;
  /** The first that names it: its pull secrets count. */
  readonly pod: ValidPod;
}

export function neededImages(of: {
  readonly pods: readonly ValidPod[];
  readonly bindings: ImageBindings;
}): NeededImage[] {
  const all = new Map<string, NeededImage>();
  for (const pod of of.pods) {
    for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
      const { image = '' } = container;
      const policy = container.imagePullPolicy ?? defaultPullPolicy(image);
      const key = `${image} ${policy}`;
      const digests = of.bindings.get(image) ?? null;
      if (image !== '' && !all.has(key)) all.set(key, { key, image, digests, policy, pod });
    }
  }
  return [...all.values()];
}
