/**
 * The hosts file of a pod, as the kubelet writes it (behaviour row 174, `ensureHostsFile`).
 *
 * Without an address yet it has the lines of the loopback alone. Pure.
 */
export function hostsFile(podIP: string, hostname: string): string {
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...(podIP === '' ? [] : [`${podIP}\t${hostname}`]),
  ];
  return `${lines.join('\n')}\n`;
}
