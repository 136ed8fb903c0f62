/**
 * The hosts file of a pod, as the kubelet writes it (behaviour rows 174, 175; `ensureHostsFile`). Pure.
 */
import type { PodNames } from './pod-hostname.js';
import type { PodSpec } from '../../protocol/pod.js';

type Aliases = NonNullable<PodSpec['hostAliases']>;

function aliasLines(aliases: Aliases): string {
  if (aliases.length === 0) return '';
  const lines = aliases.map(({ ip = '', hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`);
  return `\n# Entries added by HostAliases.\n${lines.join('\n')}\n`;
}

/** Of a pod with a network of its own. Without an address yet it has the lines of the loopback alone. */
export function hostsFile(
  podIPs: readonly string[],
  { hostname, domain }: PodNames,
  aliases: Aliases,
): string {
  const names = domain === '' ? hostname : `${hostname}.${domain}\t${hostname}`;
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...podIPs.map(podIP => `${podIP}\t${names}`),
  ];
  return `${lines.join('\n')}\n${aliasLines(aliases)}`;
}

/** Of a pod with the host's network: the node's own file, and the pod's aliases. */
export function hostNetworkHostsFile(ofNode: string, aliases: Aliases): string {
  const ended = ofNode === '' || ofNode.endsWith('\n') ? ofNode : `${ofNode}\n`;
  return `# Kubernetes-managed hosts file (host network).\n${ended}${aliasLines(aliases)}`;
}
