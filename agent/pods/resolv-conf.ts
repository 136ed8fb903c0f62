/**
 * A pod's resolv.conf: from its DNS policy, the node's own settings and the pod's `dnsConfig`.
 *
 * As the kubelet's `pkg/kubelet/network/dns` (behaviour rows 171 to 173), with two additions: options keep their
 * order, and of the node's name servers those on its loopback are left out for a pod that cannot reach them, or
 * warned of when there are no others. Standard: resolv.conf(5). Pure.
 */
import { isLoopback } from '../../protocol/ip-address.js';
import {
  MAX_NAMESERVERS,
  MAX_SEARCHES,
  MAX_SEARCH_CHARACTERS,
} from '../../protocol/pod-network-rules.js';
import type { ValidPod } from '../../protocol/pod.js';

const MAX_SEARCH_LENGTH = 253;

/** `options`: as written in the file, `ndots:5` or `rotate`. */
export interface ResolverSettings {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** The node's settings for pods with a cluster's name servers. */
export interface ClusterDns {
  /** Addresses; empty: there is no cluster DNS. */
  readonly clusterDNS: readonly string[];
  readonly clusterDomain: string;
}

export interface ResolvConf {
  readonly content: string;
  /** What an event has to say once about the pod. */
  readonly warnings: readonly { readonly reason: string; readonly message: string }[];
}

/** Reads a resolv.conf; the last `search` or `domain` line counts, what is not known is left out. */
export function parseResolvConf(text: string): ResolverSettings {
  const nameservers: string[] = [];
  let searches: string[] = [];
  const options: string[] = [];
  for (const line of text.split('\n')) {
    const [word = '', ...rest] = line.trim().split(/\s+/);
    const [first] = rest;
    if (word === 'nameserver' && first !== undefined) nameservers.push(first);
    else if (word === 'search' || word === 'domain') {
      searches = rest.map(search => (search === '.' ? search : search.replace(/\.$/, '')));
    } else if (word === 'options') options.push(...rest);
  }
  return { nameservers, searches, options };
}

/** True when only the node itself can reach the name servers. */
export function isLoopbackOnly({ nameservers }: ResolverSettings): boolean {
  return nameservers.length > 0 && nameservers.every(isLoopback);
}

function reachable(settings: ResolverSettings): ResolverSettings {
  const nameservers = settings.nameservers.filter(server => !isLoopback(server));
  return nameservers.length === 0 ? settings : { ...settings, nameservers };
}

const unique = (items: readonly string[]) => [...new Set(items)];

function withCluster(node: ResolverSettings, dns: ClusterDns, namespace: string) {
  const { clusterDNS, clusterDomain } = dns;
  const ofCluster = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  return {
    nameservers: clusterDNS,
    searches: unique([...ofCluster, ...node.searches]),
    options: ['ndots:5'],
  };
}

const NONE: ResolverSettings = { nameservers: [], searches: [], options: [] };

/** Without the pod's own `dnsConfig`. */
function baseSettings(pod: ValidPod, node: ResolverSettings, dns: ClusterDns) {
  const { dnsPolicy = 'ClusterFirst', hostNetwork = false } = pod.spec;
  if (dnsPolicy === 'None') return { settings: NONE, isClusterMissing: false };
  const wantsCluster =
    dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork);
  if (wantsCluster && dns.clusterDNS.length > 0) {
    const settings = withCluster(node, dns, pod.metadata.namespace ?? '');
    return { settings, isClusterMissing: false };
  }
  return { settings: hostNetwork ? node : reachable(node), isClusterMissing: wantsCluster };
}

/** Options of the same name: the later value at the earlier place. */
function mergedOptions(
  options: readonly string[],
  own: readonly { name?: string; value?: string }[],
): string[] {
  const byName = new Map<string, string>();
  for (const option of options) {
    const [name = ''] = option.split(':');
    byName.set(name, option.slice(name.length + 1));
  }
  for (const { name = '', value = '' } of own) byName.set(name, value);
  return [...byName].map(([name, value]) => (value === '' ? name : `${name}:${value}`));
}

function withinLimits(settings: ResolverSettings, warnings: ResolvConf['warnings'][0][]) {
  const nameservers = settings.nameservers.slice(0, MAX_NAMESERVERS);
  if (nameservers.length < settings.nameservers.length) {
    const message =
      'Nameserver limits were exceeded, some nameservers have been omitted, ' +
      `the applied nameserver line is: ${nameservers.join(' ')}`;
    warnings.push({ reason: 'DNSConfigForming', message });
  }
  const fitting = settings.searches
    .filter(search => search.length <= MAX_SEARCH_LENGTH)
    .slice(0, MAX_SEARCHES);
  while (fitting.join(' ').length > MAX_SEARCH_CHARACTERS) fitting.pop();
  if (fitting.length < settings.searches.length) {
    const message =
      'Search Line limits were exceeded, some search paths have been omitted, ' +
      `the applied search line is: ${fitting.join(' ')}`;
    warnings.push({ reason: 'DNSConfigForming', message });
  }
  return { ...settings, nameservers, searches: fitting };
}

function contentOf({ nameservers, searches, options }: ResolverSettings): string {
  const lines = [
    ...(searches.length === 0 ? [] : [`search ${searches.join(' ')}`]),
    ...nameservers.map(server => `nameserver ${server}`),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
  ];
  return lines.map(line => `${line}\n`).join('');
}

/** `nodeFile` is the node's resolv.conf as it is now. */
export function podResolvConf(pod: ValidPod, nodeFile: string, dns: ClusterDns): ResolvConf {
  const warnings: ResolvConf['warnings'][0][] = [];
  const { settings, isClusterMissing } = baseSettings(pod, parseResolvConf(nodeFile), dns);
  const { nameservers = [], searches = [], options = [] } = pod.spec.dnsConfig ?? {};
  if (isClusterMissing) {
    const { name, namespace = '', uid = '' } = pod.metadata;
    const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
    const message =
      `pod: "${name}_${namespace}(${uid})". This node has no cluster DNS (clusterDNS in the agent's ` +
      `configuration), so the pod's dnsPolicy "${policy}" falls back to "Default": the name servers ` +
      'of the node. Set spec.dnsPolicy to Default to say that this is meant';
    warnings.push({ reason: 'MissingClusterDNS', message });
  }
  const merged = {
    nameservers: unique([...settings.nameservers, ...nameservers]),
    searches: unique([...settings.searches, ...searches]),
    options: mergedOptions(settings.options, options),
  };
  if (pod.spec.hostNetwork !== true && isLoopbackOnly(merged)) {
    const message =
      `the name servers ${merged.nameservers.join(', ')} are the node's loopback, which the pod ` +
      'does not reach: set resolvConf in the node’s configuration, or spec.dnsConfig.nameservers';
    warnings.push({ reason: 'DNSConfigForming', message });
  }
  return { content: contentOf(withinLimits(merged, warnings)), warnings };
}
