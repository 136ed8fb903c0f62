/**
 * Which proxy a request goes through, from the variables that Go's HTTP client reads and so the kubelet's URL source
 * obeys (golang.org/x/net/http/httpproxy): HTTP_PROXY, HTTPS_PROXY, NO_PROXY, the lower-case names after these.
 *
 * The machine itself is never asked through a proxy. A proxy's address may hold a password: no message quotes it. Pure.
 */
import { BlockList, isIP } from 'node:net';

/** As the environment has them; null or empty where it has none. */
export interface ProxyVariables {
  /** For http URLs. */
  readonly http: string | null;
  /** For https URLs. */
  readonly https: string | null;
  /** Hosts that are asked directly: names with their subdomains, `.name` without, addresses, networks, `*`. */
  readonly except: string;
}

export const NO_PROXIES: ProxyVariables = { http: null, https: null, except: '' };

export type ProxyChoice =
  { readonly is: 'direct' } | { readonly is: 'proxy'; readonly proxy: URL } | ProxyFault;

export interface ProxyFault {
  readonly is: 'unusable';
  readonly message: string;
}

/** The upper-case name goes before the lower-case one. */
export function proxyVariables(env: Readonly<Record<string, string | undefined>>): ProxyVariables {
  const read = (name: string) => env[name] || env[name.toLowerCase()] || null;
  return {
    http: read('HTTP_PROXY'),
    https: read('HTTPS_PROXY'),
    except: read('NO_PROXY') ?? '',
  };
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

interface Target {
  /** Without brackets, in lower case. */
  readonly host: string;
  readonly port: string;
}

function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}

function isOnList(list: BlockList, host: string): boolean {
  return isIP(host) !== 0 && list.check(host, familyOf(host));
}

function isInNetwork(network: string, prefix: number, host: string): boolean {
  const list = new BlockList();
  const family = familyOf(network);
  if (prefix > (family === 'ipv4' ? 32 : 128)) return false;
  list.addSubnet(network, prefix, family);
  return isOnList(list, host);
}

/** One entry of NO_PROXY, in lower case, without blanks. */
function excepts(entry: string, { host, port }: Target): boolean {
  if (entry === '*') return true;
  const network = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry);
  if (network !== null && isIP(network[1] ?? '') !== 0) {
    return isInNetwork(network[1] ?? '', Number(network[2]), host);
  }
  const withPort = isIP(entry) === 0 ? /^(.*):(\d+)$/.exec(entry) : null;
  if (withPort !== null && withPort[2] !== port) return false;
  const name = bareHost(withPort?.[1] ?? entry).replace(/^\*\./, '.');
  if (name === '') return false;
  if (isIP(name) !== 0)
    return isIP(host) !== 0 && isInNetwork(name, isIP(name) === 4 ? 32 : 128, host);
  return name.startsWith('.') ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function parseProxy(text: string): URL | null {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  return URL.canParse(address) ? new URL(address) : null;
}

/** For each URL of a chain of redirects anew. */
export function proxyFor(url: URL, variables: ProxyVariables): ProxyChoice {
  const isTls = url.protocol === 'https:';
  const text = isTls ? variables.https : variables.http;
  if (text === null) return { is: 'direct' };
  const target = {
    host: bareHost(url.hostname),
    port: url.port || DEFAULT_PORTS[url.protocol] || '',
  };
  if (target.host === 'localhost' || isOnList(LOOPBACK, target.host)) return { is: 'direct' };
  const entries = variables.except.split(',').map(entry => entry.trim().toLowerCase());
  if (entries.some(entry => entry !== '' && excepts(entry, target))) return { is: 'direct' };
  const proxy = parseProxy(text);
  const name = isTls ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  if (proxy === null) {
    return { is: 'unusable', message: `${name} is no URL of a proxy, such as http://proxy:3128` };
  }
  if (proxy.protocol in DEFAULT_PORTS) return { is: 'proxy', proxy };
  const kind = proxy.protocol.replace(/:$/, '');
  const message = `${name}: proxies of the kind ${kind} are not supported, http and https are`;
  return { is: 'unusable', message };
}
