/**
 * Whether the images of a new version are there, before anything of the version that runs is ended for it: a node on a bad
 * network goes on with what it has. Pure.
 */
import { crashKey, failureKey, type Memory } from './back-off.js';
import type { DesiredPod, Rejection } from './desired.js';
import type { Instances } from './plan-views.js';
import type { Container } from '../../protocol/pod.js';

/** Until it is known whether an image can be had. */
export const PULLING = 'PullingImage';

/** A container that the new version begins, and whose image is not known to be there. */
export interface MissingImage {
  readonly container: Container;
  /** The field that names it. */
  readonly path: string;
}

function isToBegin(name: string, next: DesiredPod, former: DesiredPod): boolean {
  if (next.uid !== former.uid || next.sandboxHash !== former.sandboxHash) return true;
  return next.containerHashes.get(name) !== former.containerHashes.get(name);
}

/** `there`: what there is of the former version. */
export function missingImages(
  next: DesiredPod,
  former: DesiredPod,
  { there, memory }: { readonly there: Instances; readonly memory: Memory },
): readonly MissingImage[] {
  const used = new Set(there.containers.map(({ image }) => image));
  return (['initContainers', 'containers'] as const).flatMap(list =>
    (next.pod.spec[list] ?? []).flatMap((container, index): MissingImage[] => {
      const { name, image = '', imagePullPolicy } = container;
      if (!isToBegin(name, next, former)) return [];
      const missing = { container, path: `spec.${list}[${index}].image` };
      if (memory.failures.has(failureKey('image', next.uid, image))) return [missing];
      const hash = next.containerHashes.get(name) ?? '';
      if (memory.fetched.has(crashKey(next.uid, name, hash))) return [];
      // What ran under this name may have been other content.
      if (next.bindings.has(image)) return [missing];
      return imagePullPolicy !== 'Always' && used.has(image) ? [] : [missing];
    }),
  );
}

/** Null when nothing is missing; else what cannot be had is named before what is on its way. */
export function imageHold(
  { uid }: DesiredPod,
  missing: readonly MissingImage[],
  { failures }: Memory,
): Rejection | null {
  const holds = missing.map(({ container: { image = '' }, path }): Rejection => {
    const failure = failures.get(failureKey('image', uid, image));
    const { reason, message } = failure ?? { reason: PULLING, message: 'it is being fetched' };
    const sentence = `${path}: image "${image}": ${message}`;
    return { phase: 'Pending', reason, message: sentence, againAt: null };
  });
  return holds.find(({ reason }) => reason !== PULLING) ?? holds[0] ?? null;
}
