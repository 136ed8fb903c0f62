/**
 * The rules of a pod's namespaces, ports, names and DNS.
 *
 * As `ValidatePodSpec`, `validateHostNetwork`, `validatePodDNSConfig`, `ValidateHostAliases` and `validateHostUsers`
 * of the API (v1.36); grammars of single fields are the schema's. Host ports go further than the API: init containers'
 * are published too, so a clash with them is an error here (kubelet behaviour rows 57, 123, 162, 167 to 175). Pure.
 */
import { duplicate, forbidden, invalid, required, type FieldError } from './field-error.js';
import { hostAddress } from './host-ports.js';
import { isIpAddress } from './ip-address.js';
import { hostnameOverride, type ContainerPort, type Pod, type PodSpec } from './pod.js';
import { GRAMMARS } from './pod-grammar.js';

/** Limits of the resolver, as the API has them. */
export const MAX_NAMESERVERS = 3;
export const MAX_SEARCHES = 32;
export const MAX_SEARCH_CHARACTERS = 2048;

const MUST_BE_IP = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

const SUBDOMAIN = new RegExp(GRAMMARS.dnsSubdomain.pattern, 'u');
/** RFC 1123 with underscores, as search domains may have them since Kubernetes 1.34. */
const SEARCH = /^[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*$/;

const isSubdomain = (text: string) =>
  text.length <= GRAMMARS.dnsSubdomain.maxLength && SUBDOMAIN.test(text);

interface Binding extends ContainerPort {
  readonly isInit: boolean;
}

/** Two bindings clash when the ports are equal and an address is equal or stands for all of them. */
function clashes(a: Binding, b: Binding): boolean {
  if (a.hostPort !== b.hostPort || (a.protocol ?? 'TCP') !== (b.protocol ?? 'TCP')) return false;
  const [ofFirst, ofSecond] = [a.hostIP ?? '', b.hostIP ?? ''];
  // The same binding of an init container and of one that comes after it is one binding.
  if (a.isInit && ofFirst === ofSecond && a.containerPort === b.containerPort) return false;
  const [first, second] = [hostAddress(ofFirst), hostAddress(ofSecond)];
  return first === second || first === '' || second === '';
}

function checkPorts(spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  const bound: Binding[] = [];
  const lists = [
    ...(spec.initContainers ?? []).map((one, n) => ({ one, at: `spec.initContainers[${n}]` })),
    ...(spec.containers ?? []).map((one, n) => ({ one, at: `spec.containers[${n}]` })),
  ];
  for (const { one, at } of lists) {
    const isInit = at.startsWith('spec.initContainers');
    const names = new Set<string>();
    (one.ports ?? []).forEach((port, index) => {
      const path = `${at}.ports[${index}]`;
      const { name = '', hostIP = '', containerPort } = port;
      if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
      if (name !== '') names.add(name);
      if (hostIP !== '' && !isIpAddress(hostIP)) {
        errors.push(invalid(`${path}.hostIP`, hostIP, 'must be an IP address'));
      }
      const given = port.hostPort ?? 0;
      if (spec.hostNetwork === true && given !== 0 && given !== containerPort) {
        const detail = 'must match `hostPort` when `hostNetwork` is true';
        errors.push(invalid(`${path}.containerPort`, containerPort, detail));
      }
      const hostPort = spec.hostNetwork === true && given === 0 ? containerPort : given;
      if (hostPort === 0) return;
      const binding = { ...port, hostPort, isInit };
      if (bound.some(other => clashes(other, binding))) {
        const field = given === 0 ? 'containerPort' : 'hostPort';
        const detail = `${port.protocol ?? 'TCP'} port of another container port of this pod`;
        errors.push(duplicate(`${path}.${field}`, hostPort, detail));
      }
      bound.push(binding);
    });
  }
  return errors;
}

function checkNamespaces(spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    const detail = 'ShareProcessNamespace and HostPID cannot both be enabled';
    errors.push(invalid('spec.shareProcessNamespace', true, detail));
  }
  if (spec.hostUsers !== false) return errors;
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const) {
    if (spec[field] !== true) continue;
    errors.push(forbidden(`spec.${field}`, 'when `hostUsers` is false'));
  }
  return errors;
}

function checkNames(spec: PodSpec): FieldError[] {
  if (hostnameOverride(spec) === '') return [];
  const errors: FieldError[] = [];
  if (spec.setHostnameAsFQDN === true) {
    errors.push(invalid('spec.setHostnameAsFQDN', true, 'may not be set with hostnameOverride'));
  }
  if (spec.hostNetwork === true) {
    const detail = 'may not be set when `hostNetwork` is true';
    errors.push(invalid('spec.hostnameOverride', hostnameOverride(spec), detail));
  }
  return errors;
}

function checkAliases({ hostAliases = [] }: PodSpec): FieldError[] {
  return hostAliases.flatMap(({ ip = '', hostnames = [] }, index) => {
    const at = `spec.hostAliases[${index}]`;
    const wrong = hostnames.flatMap((name, number) =>
      isSubdomain(name)
        ? []
        : [invalid(`${at}.hostnames[${number}]`, name, `must be ${GRAMMARS.dnsSubdomain.must}`)],
    );
    if (ip === '') return [required(`${at}.ip`), ...wrong];
    return isIpAddress(ip) ? wrong : [invalid(`${at}.ip`, ip, MUST_BE_IP), ...wrong];
  });
}

function checkDns({ dnsPolicy, dnsConfig }: PodSpec): FieldError[] {
  const at = 'spec.dnsConfig';
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  if (dnsPolicy === 'None' && dnsConfig === undefined) {
    return [required(at, 'must provide `dnsConfig` when `dnsPolicy` is None')];
  }
  const errors: FieldError[] = [];
  if (dnsPolicy === 'None' && nameservers.length === 0) {
    const detail = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
    errors.push(required(`${at}.nameservers`, detail));
  }
  if (nameservers.length > MAX_NAMESERVERS) {
    const detail = `must not have more than ${MAX_NAMESERVERS} nameservers`;
    errors.push(invalid(`${at}.nameservers`, nameservers, detail));
  }
  nameservers.forEach((server, index) => {
    if (isIpAddress(server)) return;
    errors.push(invalid(`${at}.nameservers[${index}]`, server, MUST_BE_IP));
  });
  if (searches.length > MAX_SEARCHES) {
    const detail = `must not have more than ${MAX_SEARCHES} search paths`;
    errors.push(invalid(`${at}.searches`, searches, detail));
  }
  if (searches.join(' ').length > MAX_SEARCH_CHARACTERS) {
    const detail = `must not have more than ${MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list`;
    errors.push(invalid(`${at}.searches`, searches, detail));
  }
  searches.forEach((search, index) => {
    // It is fine to have a trailing dot, and one alone means "no search".
    const name = search.endsWith('.') ? search.slice(0, -1) : search;
    if (search === '.' || (name.length <= 253 && SEARCH.test(name))) return;
    const detail = `must be ${GRAMMARS.dnsSubdomain.must}, '_' too`;
    errors.push(invalid(`${at}.searches[${index}]`, search, detail));
  });
  options.forEach(({ name = '' }, index) => {
    if (name === '') errors.push(required(`${at}.options[${index}].name`, 'must not be empty'));
  });
  return errors;
}

/** Ends a line, or a word, of the file that it is written into. */
function checkOptionWords({ dnsConfig }: PodSpec): FieldError[] {
  return (dnsConfig?.options ?? []).flatMap((option, index) =>
    (['name', 'value'] as const).flatMap(field => {
      const text = option[field] ?? '';
      if (!/\s/.test(text)) return [];
      const path = `spec.dnsConfig.options[${index}].${field}`;
      return [invalid(path, text, 'must not contain white space')];
    }),
  );
}

/** All broken rules; empty when there are none. */
export function checkPodNetwork({ spec }: Pod): FieldError[] {
  if (spec === undefined) return [];
  return [
    ...checkPorts(spec),
    ...checkNamespaces(spec),
    ...checkNames(spec),
    ...checkAliases(spec),
    ...checkDns(spec),
    ...checkOptionWords(spec),
  ];
}
