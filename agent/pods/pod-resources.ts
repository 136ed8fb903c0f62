/**
 * Resources of a container in the engine's units, and the pod's quality of service class.
 * Kubelet behaviour rows 149 to 153. Pure.
 */
import type { LinuxResources } from '../runtime/runtime.js';
import { allContainers, type Container, type ValidPod } from '../../protocol/pod.js';
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
      const request = amount(resources?.requests, name) ?? limit;
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

/** Row 153: what asks for more of the node's memory is killed later. */
function oomScoreAdj(pod: ValidPod, requestBytes: number, nodeMemoryBytes: number): number {
  switch (qosClass(pod)) {
    case 'Guaranteed':
      return OOM_GUARANTEED;
    case 'BestEffort':
      return OOM_BEST_EFFORT;
    case 'Burstable': {
      const share = nodeMemoryBytes > 0 ? (1000 * requestBytes) / nodeMemoryBytes : 0;
      return Math.min(OOM_BEST_EFFORT - 1, Math.max(3, 1000 - Math.floor(share)));
    }
  }
}

/** `nodeMemoryBytes` is the node's whole memory; 0 when it is not known. */
export function linuxResources(
  pod: ValidPod,
  container: Container,
  nodeMemoryBytes: number,
): LinuxResources {
  const { limits, requests } = container.resources ?? {};
  const milli = (value: string | null) => (value === null ? null : parseQuantityMilli(value));
  const cpuLimit = milli(amount(limits, 'cpu'));
  const cpuRequest = milli(amount(requests, 'cpu'));
  const memoryLimit = amount(limits, 'memory');
  const memoryRequest = amount(requests, 'memory');
  return {
    cpuShares: cpuShares(cpuRequest ?? cpuLimit),
    cpuQuota:
      cpuLimit === null
        ? 0
        : Math.max(MIN_CPU_QUOTA_US, Math.floor((cpuLimit * CPU_PERIOD_US) / 1000)),
    memoryLimit: memoryLimit === null ? 0 : parseQuantityWhole(memoryLimit),
    oomScoreAdj: oomScoreAdj(
      pod,
      memoryRequest === null ? 0 : parseQuantityWhole(memoryRequest),
      nodeMemoryBytes,
    ),
  };
}
