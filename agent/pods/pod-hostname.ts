/**
 * What a pod is called inside: its host name, its domain, and what the kernel is told.
 *
 * As the kubelet's `GeneratePodHostNameAndDomain` and `GetNodenameForKernel` (behaviour rows 169, 170). Pure.
 */
import { hostnameOverride, type ValidPod } from '../../protocol/pod.js';

/** What every cluster that did not choose another one has. */
export const DEFAULT_CLUSTER_DOMAIN = 'cluster.local';

const LABEL_MAX = 63;
/** The kernel's field for it, without its end. */
const NODENAME_MAX = 64;

export interface PodNames {
  readonly hostname: string;
  /** `<subdomain>.<namespace>.svc.<cluster domain>`; empty without a subdomain. */
  readonly domain: string;
}

/** The name cannot be given to the kernel: the sandbox cannot be made as long as the manifest stays. */
export class HostnameError extends Error {
  override readonly name = 'HostnameError';
}

/** Of a pod with the host's network the kernel's name is the node's; this one stands nowhere then. */
export function podNames(pod: ValidPod, clusterDomain: string): PodNames {
  const { hostname = '', subdomain = '' } = pod.spec;
  const override = hostnameOverride(pod.spec);
  if (override !== '') return { hostname: override, domain: '' };
  const name = hostname === '' ? pod.metadata.name : hostname;
  return {
    hostname: name.slice(0, LABEL_MAX).replace(/[-.]+$/, ''),
    domain:
      subdomain === '' ? '' : `${subdomain}.${pod.metadata.namespace ?? ''}.svc.${clusterDomain}`,
  };
}

/** What the kernel is told. Throws `HostnameError` when the full name is longer than the kernel takes. */
export function kernelHostname(pod: ValidPod, clusterDomain: string): string {
  const { hostname, domain } = podNames(pod, clusterDomain);
  if (domain === '' || pod.spec.setHostnameAsFQDN !== true) return hostname;
  const full = `${hostname}.${domain}`;
  if (full.length <= NODENAME_MAX) return full;
  throw new HostnameError(
    `failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long ` +
      `(${NODENAME_MAX} characters is the max, ${full.length} characters requested)`,
  );
}
