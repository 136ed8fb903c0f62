/**
 * Resources of a container in the engine's units, and the pod's quality of service class.
 * Kubelet behaviour rows 149 to 155. Pure.
 */
import type { DesiredPod } from './desired.js';
import type { NodeFacts } from './pod-spec.js';
import type { LinuxResources } from '../runtime/runtime.js';
import { allContainers, type Container, type ValidPod } from '../../protocol/pod.js';
import { isNodeCritical } from '../../protocol/pod-priority.js';
import {
  compareQuantities,
  parseQuantityMilli,
  parseQuantityWhole,
} from '../../protocol/quantity.js';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const RESOURCES = ['cpu', 'memory'] as const;
const CPU_PERIOD_US = 100_000;
const MIN_CPU_QUOTA_US = 1_000;
const MIN_CPU_SHARES = 2;
const MAX_CPU_SHARES = 262_144;
const OOM_GUARANTEED = -997;
const OOM_BEST_EFFORT = 1000;
/** The first value that a container of a Burstable pod may have. */
const OOM_LOWEST = 3;

function amount(from: Record<string, string> | undefined, name: string): string | null {
  const value = from?.[name];
  return value === undefined || compareQuantities(value, '0') === 0 ? null : value;
}

/** Row 152: over cpu and memory of all containers; a zero counts as not given. */
export function qosClass(pod: ValidPod): QosClass {
  let isGuaranteed = true;
  let isBestEffort = true;
  for (const { resources } of allContainers(pod)) {
    for (const name of RESOURCES) {
      const limit = amount(resources?.limits, name);
      // A request that is given as zero is not one that was left out.
      const isGiven = resources?.requests?.[name] !== undefined;
      const request = isGiven ? amount(resources?.requests, name) : limit;
      if (limit !== null || request !== null) isBestEffort = false;
      if (limit === null || request === null || compareQuantities(limit, request) !== 0) {
        isGuaranteed = false;
      }
    }
  }
  return isBestEffort ? 'BestEffort' : isGuaranteed ? 'Guaranteed' : 'Burstable';
}

/** Row 149: from the request, else from the limit; the kernel's bounds. */
function cpuShares(milli: number | null): number {
  if (milli === null) return MIN_CPU_SHARES;
  const shares = Math.floor((milli * 1024) / 1000);
  return Math.min(MAX_CPU_SHARES, Math.max(MIN_CPU_SHARES, shares));
}

function memoryRequest({ resources }: Container): number {
  const request = amount(resources?.requests, 'memory') ?? amount(resources?.limits, 'memory');
  return request === null ? 0 : parseQuantityWhole(request);
}

/** A sidecar counts as asking for no less than the app container that asks for least. */
function countedRequest(pod: ValidPod, container: Container): number {
  const own = memoryRequest(container);
  const { initContainers = [], containers } = pod.spec;
  const isSidecar =
    container.restartPolicy === 'Always' && initContainers.some(one => one.name === container.name);
  return isSidecar ? Math.max(own, Math.min(...containers.map(memoryRequest))) : own;
}

/** Row 153: what asks for more of the node's memory is killed later. */
function oomScoreAdj(pod: ValidPod, container: Container, nodeMemoryBytes: number): number {
  if (isNodeCritical(pod)) return OOM_GUARANTEED;
  switch (qosClass(pod)) {
    case 'Guaranteed':
      return OOM_GUARANTEED;
    case 'BestEffort':
      return OOM_BEST_EFFORT;
    case 'Burstable': {
      const request = countedRequest(pod, container);
      const share = nodeMemoryBytes > 0 ? (1000 * request) / nodeMemoryBytes : 0;
      return Math.min(OOM_BEST_EFFORT - 1, Math.max(OOM_LOWEST, 1000 - Math.floor(share)));
    }
  }
}

/** A fork bomb that came over the network ends at its own container; far above what programs need. */
const BUNDLE_PIDS_LIMIT = 4096;

/** Of a kubelet's default no limit comes; a bundle's containers have one all the same. 0: none. */
function pidsLimit(podPidsLimit: number, source: DesiredPod['source']): number {
  if (podPidsLimit > 0) return podPidsLimit;
  return source === 'bundle' ? BUNDLE_PIDS_LIMIT : 0;
}

/** `memoryBytes` is the node's whole memory; 0 when it is not known. */
export function linuxResources(
  { pod, source }: Pick<DesiredPod, 'pod' | 'source'>,
  container: Container,
  node: Pick<NodeFacts, 'memoryBytes' | 'podPidsLimit'>,
): LinuxResources {
  const { limits, requests } = container.resources ?? {};
  const milli = (value: string | null) => (value === null ? null : parseQuantityMilli(value));
  const cpuLimit = milli(amount(limits, 'cpu'));
  const cpuRequest = milli(amount(requests, 'cpu'));
  const memoryLimit = amount(limits, 'memory');
  return {
    cpuShares: cpuShares(cpuRequest ?? cpuLimit),
    cpuQuota:
      cpuLimit === null
        ? 0
        : Math.max(MIN_CPU_QUOTA_US, Math.floor((cpuLimit * CPU_PERIOD_US) / 1000)),
    memoryLimit: memoryLimit === null ? 0 : parseQuantityWhole(memoryLimit),
    oomScoreAdj: oomScoreAdj(pod, container, node.memoryBytes),
    pidsLimit: pidsLimit(node.podPidsLimit, source),
  };
}
