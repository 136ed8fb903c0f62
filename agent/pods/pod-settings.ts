/**
 * What a node's configuration says about every pod on it, and what is known about the node together with the engine.
 *
 * Names and defaults are those of `KubeletConfiguration` where it has them. Pure.
 */
import { DEFAULT_CLUSTER_DOMAIN } from './pod-hostname.js';
import type { PodsOptions } from './pods.js';
import type { NodeFacts } from './pod-spec.js';
import type { RuntimeInfo } from '../runtime/runtime.js';

export interface PodSettings {
  /** Name servers of a cluster; empty: `ClusterFirst` means the node's own (row 171). */
  readonly clusterDNS: readonly string[];
  readonly clusterDomain: string;
  /** The node's resolver file; empty: found by itself. */
  readonly resolvConf: string;
  /** Most processes in each container; -1: as many as the node has. */
  readonly podPidsLimit: number;
}

export const DEFAULT_POD_SETTINGS: PodSettings = {
  clusterDNS: [],
  clusterDomain: DEFAULT_CLUSTER_DOMAIN,
  resolvConf: '',
  podPidsLimit: -1,
};

/** `info` is null until the engine answered, `ephemeralStorageBytes` 0 until the disk was looked at. */
export function nodeFacts(
  options: PodsOptions,
  info: RuntimeInfo | null,
  ephemeralStorageBytes: number,
): NodeFacts {
  const { clusterDNS, clusterDomain, podPidsLimit } = options.settings ?? DEFAULT_POD_SETTINGS;
  return {
    ...options.node,
    cpus: info?.cpus ?? 0,
    memoryBytes: info?.memoryBytes ?? 0,
    ephemeralStorageBytes,
    features: info?.features ?? null,
    clusterDNS,
    clusterDomain,
    podPidsLimit,
  };
}
