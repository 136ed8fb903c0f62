/**
 * What is acted on while a new version of a pod may not begin: the version that runs goes on with all that it had, its
 * restarts and its probes among it, as if the edit had not been made. Known as long as this agent runs. Pure.
 */
import type { Desired, DesiredPod } from './desired.js';
import { hasBegun } from './plan-views.js';
import { instancesOf, type EndingPod } from './pod-reports.js';
import type { ObservedPods } from '../runtime/runtime.js';

/** `ending`: by uid, what no source wants any more and is still there. */
export function actingWishes(
  desired: Desired,
  ending: ReadonlyMap<string, EndingPod>,
  observed: ObservedPods,
): Desired {
  if (desired.pods.every(({ rejection }) => rejection === null)) return desired;
  const isUp = (uid: string) => hasBegun(instancesOf(observed, uid));
  const former = new Map<string, DesiredPod>();
  for (const { desired: pod } of ending.values()) {
    if (pod !== null) former.set(pod.key, { ...pod, rejection: null });
  }
  const pods = desired.pods.map(pod =>
    pod.rejection === null || isUp(pod.uid) ? pod : (former.get(pod.key) ?? pod),
  );
  return { ...desired, pods };
}
