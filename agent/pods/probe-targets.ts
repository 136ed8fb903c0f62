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
}

/** Every container that runs as its manifest has it; one that is to be replaced has nothing to be asked for. */
export function probeTargets({ wanted, ending, observed }: ProbeWorld): ProbeTarget[] {
  const isEnding = new Set(ending.map(({ uid }) => uid));
  const pods = new Map([...wanted, ...ending].map(pod => [pod.uid, pod]));
  const sandboxes = new Map(observed.sandboxes.map(one => [one.id, one]));
  return observed.containers.flatMap((one): ProbeTarget[] => {
    const pod = pods.get(one.pod.uid);
    const container = pod && allContainers(pod.pod).find(({ name }) => name === one.name);
    if (one.state !== 'running' || container === undefined) return [];
    if (pod?.containerHashes.get(one.name) !== one.hash) return [];
    return [
      {
        id: one.id,
        pod: one.pod,
        container,
        startedAt: one.startedAt?.getTime() ?? 0,
        host: hostOf(sandboxes.get(one.sandboxId)),
        ending: isEnding.has(one.pod.uid),
      },
    ];
  });
}
