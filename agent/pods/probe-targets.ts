/** Which containers are to be probed, from what runs and what is wanted. Kubelet behaviour rows 105, 106, 109. Pure. */
import type { DesiredPod } from './desired.js';
import type { ProbeTarget } from './health.js';
import { hostOf } from './stop-order.js';
import type { ObservedPods } from '../runtime/runtime.js';
import { allContainers } from '../../protocol/pod.js';

export interface ProbeWorld {
  readonly wanted: readonly DesiredPod[];
  /** Those that are no longer wanted and whose manifest is remembered, and those that have ended for good. */
  readonly ending: readonly DesiredPod[];
  readonly observed: ObservedPods;
  /** By uid: what pods were made from; a container that is being replaced is asked as before until it ends. */
  readonly versions?: ReadonlyMap<string, DesiredPod>;
}

/** Every container that runs as its manifest has it, or as the one before had it. */
export function probeTargets({ wanted, ending, observed, versions }: ProbeWorld): ProbeTarget[] {
  const isEnding = new Set(ending.map(({ uid }) => uid));
  const pods = new Map([...wanted, ...ending].map(pod => [pod.uid, pod]));
  const sandboxes = new Map(observed.sandboxes.map(one => [one.id, one]));
  return observed.containers.flatMap((one): ProbeTarget[] => {
    const { uid } = one.pod;
    if (one.state !== 'running' || !pods.has(uid)) return [];
    const version = [pods.get(uid), versions?.get(uid)].find(
      pod => pod?.containerHashes.get(one.name) === one.hash,
    );
    const container = version && allContainers(version.pod).find(({ name }) => name === one.name);
    if (container === undefined) return [];
    return [
      {
        id: one.id,
        pod: one.pod,
        container,
        startedAt: one.startedAt?.getTime() ?? 0,
        host: hostOf(sandboxes.get(one.sandboxId)),
        ending: isEnding.has(uid),
      },
    ];
  });
}
