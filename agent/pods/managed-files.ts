/**
 * Writes the files that the agent itself keeps for a pod's containers: `/etc/hosts` and `/etc/resolv.conf`.
 *
 * Both are written in place, so that running containers see them; what stands in them is `hosts-file.ts`'s and
 * `resolv-conf.ts`'s to say. Kubelet behaviour rows 171 to 175.
 */
import type { DesiredPod } from './desired.js';
import { hostNetworkHostsFile, hostsFile } from './hosts-file.js';
import type { NodeFiles } from './node-files.js';
import { podNames } from './pod-hostname.js';
import type { NodeFacts } from './pod-spec.js';
import { podResolvConf, type ResolvConf } from './resolv-conf.js';
import type { PodVolumes } from '../volumes/volumes.js';

export interface ManagedFileTools {
  readonly volumes: PodVolumes;
  readonly files: NodeFiles;
  readonly node: NodeFacts;
}

/** `podIPs` are none as long as the pod has none. */
export async function writeHosts(
  { uid, pod }: DesiredPod,
  podIPs: readonly string[],
  { volumes, files, node }: ManagedFileTools,
): Promise<void> {
  const aliases = pod.spec.hostAliases ?? [];
  const content =
    pod.spec.hostNetwork === true
      ? hostNetworkHostsFile(await files.hosts(), aliases)
      : hostsFile(podIPs, podNames(pod, node.clusterDomain), aliases);
  await volumes.writeManaged(uid, 'etc-hosts', content);
}

/**
 * Returns what is worth an event. Row 171 better: that a node has no cluster DNS is told to who wrote `ClusterFirst`, not of each pod
 * that says nothing.
 */
export async function writeResolvConf(
  { uid, pod, namesDnsPolicy }: DesiredPod,
  { volumes, files, node }: ManagedFileTools,
): Promise<ResolvConf['warnings']> {
  const { content, warnings } = podResolvConf(pod, await files.resolvConf(), node);
  await volumes.writeManaged(uid, 'resolv.conf', content);
  return warnings.filter(({ reason }) => reason !== 'MissingClusterDNS' || namesDnsPolicy);
}
