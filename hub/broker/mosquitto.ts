/**
 * What Mosquitto 2.0 is told, so that it keeps everybody to his topics as the embedded broker does
 * (security.md 1.9): texts only. Certificates alone say who somebody is: common name = user name =
 * client identifier = node. Nothing is kept on its disk; the hub publishes again. Defence in depth:
 * nothing rests on it.
 */
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import type { Topics } from '../../protocol/topics.js';
import type { Endpoint } from '../setup/config.js';
import { HUB_NAME } from '../setup/pki.js';
import { hubFilters, nodeFilters } from './access.js';
import { PACKET_OVERHEAD_BYTES } from './limits.js';

/**
 * Messages of QoS 1 that wait for one client. By default Mosquitto drops what is beyond 1,000, after
 * it acknowledged it: a hub that subscribes to 10,000 nodes would see 1,020. With all of it full of
 * statuses of 4 KB the broker takes 800 MB.
 */
export const QUEUED_MESSAGES_MAX = 200_000;

export const MOSQUITTO_FILES = {
  config: 'mosquitto.conf',
  access: 'acl',
  dynamicSecurity: 'dynamic-security.json',
  authority: 'ca.crt',
  certificate: 'server.crt',
  key: 'server.key',
} as const;

export interface MosquittoSettings {
  readonly fleet: string;
  readonly listen: Endpoint;
  /** Of a second listener, for MQTT over WebSocket; null or absent: there is none. */
  readonly webSocketListen?: Endpoint | null;
  /** Where the files lie on the broker's machine; absolute. */
  readonly directory: string;
  /** The user that it gives up root for. */
  readonly user: string;
  /** Path of mosquitto_dynamic_security.so; null: access rules in a file. */
  readonly dynamicSecurityPlugin: string | null;
}

export function mosquittoConfig(settings: MosquittoSettings): string {
  const {
    fleet,
    listen,
    webSocketListen,
    directory,
    user,
    dynamicSecurityPlugin: plugin,
  } = settings;
  const at = (file: keyof typeof MOSQUITTO_FILES) => `${directory}/${MOSQUITTO_FILES[file]}`;
  const access =
    plugin === null
      ? [`acl_file ${at('access')}`]
      : [`plugin ${plugin}`, `plugin_opt_config_file ${at('dynamicSecurity')}`];
  const listener = ({ host, port }: Endpoint, protocol: 'mqtt' | 'websockets') => [
    `listener ${port}${host === null ? '' : ` ${host}`}`,
    `protocol ${protocol}`,
    'max_qos 1',
    `cafile ${at('authority')}`,
    `certfile ${at('certificate')}`,
    `keyfile ${at('key')}`,
    'tls_version tlsv1.3',
    'require_certificate true',
    'use_identity_as_username true',
    'use_username_as_clientid true',
  ];
  return lines([
    `# Mosquitto 2.0 for the Flotilla fleet ${fleet}.`,
    '# Written by `flotilla hub broker-config mosquitto`: run it again rather than edit this.',
    '',
    `user ${user}`,
    '',
    '# Whoever has a certificate of the fleet is the user, and the client, that it names.',
    ...listener(listen, 'mqtt'),
    ...(webSocketListen ? ['', ...listener(webSocketListen, 'websockets')] : []),
    '',
    'allow_anonymous false',
    'allow_zero_length_clientid false',
    '',
    plugin === null
      ? '# Who may publish and read what.'
      : '# Who may publish and read what: the hub keeps it in step (`dynamicSecurity: true` in hub.yaml).',
    ...access,
    '',
    '# Refused at its header. Beyond a message: its topic, and the rest of a CONNECT.',
    `max_packet_size ${MESSAGE_BYTES_MAX + PACKET_OVERHEAD_BYTES}`,
    '',
    '# Far above the defaults (20 and 1000), beyond which messages that were acknowledged are dropped.',
    'max_inflight_messages 0',
    `max_queued_messages ${QUEUED_MESSAGES_MAX}`,
    'persistent_client_expiration 1h',
    '',
    '# The hub has everything and publishes it again; so nothing of the fleet lies on this disk.',
    'persistence false',
    'log_dest stderr',
    'connection_messages true',
  ]);
}

/** Access rules in a file: the same for every node, by its user name. */
export function mosquittoAccess(topics: Topics): string {
  const hub = hubFilters(topics);
  const node = nodeFilters(topics, '%u');
  return lines([
    `# Who may do what on the topics of the Flotilla fleet at ${topics.prefix}`,
    '# Written by `flotilla hub broker-config mosquitto`: run it again rather than edit this.',
    '',
    `user ${HUB_NAME}`,
    ...hub.publish.map(filter => `topic write ${filter}`),
    ...hub.read.map(filter => `topic read ${filter}`),
    '',
    '# Every node: its own topics, and what is for all.',
    ...node.publish.map(filter => `pattern write ${filter}`),
    ...node.read.map(filter => `pattern read ${filter}`),
  ]);
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
