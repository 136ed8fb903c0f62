/** The settings that the options of `hub init` mean: checked before anything is written. */
import {
  BROKERS_MAX,
  bracketed,
  DEFAULT_LISTEN,
  DEFAULT_MQTT_LISTEN,
  formatEndpoint,
  isHostName,
  parseBrokerUrl,
  parseEndpoint,
  type BrokerSetting,
  type Endpoint,
  type HubConfig,
} from './config.js';
import type { HostAddresses } from './host-addresses.js';
import { isPodSecurityLevel, POD_SECURITY_LEVELS } from '../../protocol/pod-security-standards.js';
import { DEFAULT_GRANT, type Grant } from '../../protocol/release-scope.js';
import { isLabelKey, isLabelValue } from '../selectors.js';
import { BROKER_NAME, HUB_NAME } from './pki.js';
import { SetupError } from './setup-error.js';

export interface InitSettings {
  /** `:8443` if absent. */
  readonly listen?: string | undefined;
  /** `:8883` if absent. */
  readonly mqttListen?: string | undefined;
  /** `embedded` if absent, else `mqtts://host[:port]`. */
  readonly broker?: string | undefined;
  /** The hub keeps Mosquitto's dynamic security in step: with a `broker` of one's own alone. */
  readonly dynamicSecurity?: boolean | undefined;
  /** `sqlite` if absent. */
  readonly database?: string | undefined;
  /**
   * Further names and addresses of this hub; they are told to nodes before those found on the
   * machine.
   */
  readonly hostnames?: readonly string[] | undefined;
  /** What the root lets bundles ask of nodes; a level: `baseline` if absent. */
  readonly bundlePodSecurity?: string | undefined;
  /** The lowest host port, or `none`: `1024` if absent. */
  readonly bundleMinHostPort?: string | undefined;
  /** Host paths; none if absent. */
  readonly bundleHostPaths?: readonly string[] | undefined;
  /** `KEY=VALUE`: labels that a node must have enrolled with; none if absent. */
  readonly bundleNodeLabels?: readonly string[] | undefined;
  /** The most nodes that a bundle may reach; any number if absent. */
  readonly bundleMaxNodes?: string | undefined;
}

export interface InitPlan {
  readonly config: HubConfig;
  /** Of the hub's own certificate. */
  readonly serverNames: readonly string[];
  readonly grant: Grant;
}

/** Throws `SetupError`: BadSetting, Unsupported. */
export function initPlan(settings: InitSettings, host: HostAddresses): InitPlan {
  const listen = endpointOf('--listen', settings.listen, DEFAULT_LISTEN);
  const mqttListen = endpointOf('--mqtt-listen', settings.mqttListen, DEFAULT_MQTT_LISTEN);
  const broker = brokerOf(settings.broker ?? 'embedded');
  const database = databaseOf(settings.database ?? 'sqlite');
  const named = (settings.hostnames ?? []).map(hostNameOf);
  const found = [...host.addresses, ...(host.name === null ? [] : [host.name])];
  const placesOf = (endpoint: Endpoint): readonly string[] => {
    if (named.length > 0) return named;
    if (isBound(endpoint)) return [endpoint.host];
    return found.length > 0 ? found : ['127.0.0.1'];
  };
  const at = (endpoint: Endpoint) =>
    placesOf(endpoint).map(place => `${bracketed(place)}:${endpoint.port}`);
  const brokers =
    broker === 'embedded' ? at(mqttListen).map(place => `mqtts://${place}`) : [broker];
  const bound = [listen, mqttListen].filter(isBound).map(endpoint => endpoint.host);
  const local = [HUB_NAME, BROKER_NAME, 'localhost', '127.0.0.1', '::1'];
  return {
    config: {
      listen,
      mqttListen,
      broker,
      ...(dynamicSecurityOf(settings) ? { dynamicSecurity: true } : {}),
      database,
      advertise: { hub: `https://${at(listen)[0]}`, brokers: brokers.slice(0, BROKERS_MAX) },
    },
    serverNames: [...new Set([...local, ...named, ...bound, ...found])],
    grant: grantOf(settings),
  };
}

function dynamicSecurityOf({ broker, dynamicSecurity }: InitSettings): boolean {
  if (dynamicSecurity !== true) return false;
  if ((broker ?? 'embedded') !== 'embedded') return true;
  throw new SetupError(
    'BadSetting',
    '--dynamic-security is for a Mosquitto of your own: give --broker mqtts://HOST:PORT too',
  );
}

function grantOf(settings: InitSettings): Grant {
  const { bundlePodSecurity: level = DEFAULT_GRANT.podSecurity } = settings;
  if (!isPodSecurityLevel(level)) {
    const levels = POD_SECURITY_LEVELS.join(', ');
    throw new SetupError('BadSetting', `--bundle-pod-security ${level}: use one of ${levels}`);
  }
  const { bundleMinHostPort: port = String(DEFAULT_GRANT.minHostPort) } = settings;
  const isPort = /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535;
  if (port !== 'none' && !isPort) {
    const use = 'use a number from 1 to 65535, or none';
    throw new SetupError('BadSetting', `--bundle-min-host-port ${port}: ${use}`);
  }
  return {
    podSecurity: level,
    minHostPort: port === 'none' ? null : Number(port),
    hostPaths: [...new Set((settings.bundleHostPaths ?? []).map(hostPathOf))],
    nodeLabels: Object.fromEntries((settings.bundleNodeLabels ?? []).map(nodeLabelOf)),
    maxNodes: settings.bundleMaxNodes === undefined ? null : maxNodesOf(settings.bundleMaxNodes),
  };
}

function nodeLabelOf(text: string): [string, string] {
  const [, key = '', value = ''] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (key !== '' && isLabelKey(key) && isLabelValue(value)) return [key, value];
  throw new SetupError(
    'BadSetting',
    `--bundle-node-label ${text}: use KEY=VALUE of a Kubernetes label`,
  );
}

function maxNodesOf(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text) && Number(text) <= 1_000_000) return Number(text);
  throw new SetupError('BadSetting', `--bundle-max-nodes ${text}: use a number from 1 to 1000000`);
}

/** As the root's schema has it. */
function hostPathOf(text: string): string {
  const steps = text.split('/').filter(step => step !== '');
  if (text.startsWith('/') && !steps.some(step => step === '.' || step === '..')) {
    return `/${steps.join('/')}`;
  }
  throw new SetupError(
    'BadSetting',
    `--bundle-host-path ${text}: use an absolute path without "." and "..", such as /dev`,
  );
}

function databaseOf(text: string): 'sqlite' {
  if (text === 'sqlite') return text;
  if (/^postgres(ql)?:\/\//.test(text)) {
    throw new SetupError(
      'Unsupported',
      '--database postgres://… is not supported yet: use --database sqlite (the default)',
    );
  }
  throw new SetupError('BadSetting', `--database ${text}: use sqlite`);
}

function hostNameOf(text: string): string {
  const name = text.toLowerCase();
  if (isHostName(name)) return name;
  throw new SetupError('BadSetting', `--hostname ${text}: neither a host name nor an address`);
}

/** Listens at one address only. */
function isBound(endpoint: Endpoint): endpoint is Endpoint & { readonly host: string } {
  return endpoint.host !== null && !['0.0.0.0', '::'].includes(endpoint.host);
}

function endpointOf(flag: string, text: string | undefined, preset: Endpoint): Endpoint {
  if (text === undefined) return preset;
  const endpoint = parseEndpoint(text);
  if (endpoint) return endpoint;
  const example = formatEndpoint(preset);
  throw new SetupError('BadSetting', `${flag} ${text}: use ${example} or 127.0.0.1${example}`);
}

function brokerOf(text: string): BrokerSetting {
  const broker = text === 'embedded' ? text : parseBrokerUrl(text);
  if (broker) return broker;
  throw new SetupError('BadSetting', `--broker ${text}: use embedded or mqtts://host:8883`);
}
