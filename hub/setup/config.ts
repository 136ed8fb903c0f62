/**
 * The hub's settings: `hub.yaml` in its data directory, written by `hub init`, and where everything
 * else lies there. Unknown and ill-typed fields are refused with file, line and field.
 */
import { isIP } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { validate } from 'node-cron';
import { isMap, isScalar, isSeq, stringify } from 'yaml';
import { excerpt } from '../../protocol/excerpt.js';
import { parseHubUrl } from '../../protocol/join-line.js';
import { SUBDOMAIN_PATTERN } from '../../protocol/names.js';
import {
  readSettingsYaml,
  SettingsYamlError,
  type SettingsYaml,
} from '../../protocol/settings-yaml.js';
import { SetupError } from './setup-error.js';

/** Where a server listens; `host: null` is every address of the machine. */
export interface Endpoint {
  readonly host: string | null;
  readonly port: number;
}

export type BrokerSetting = 'embedded' | `mqtts://${string}`;

export interface HubConfig {
  /** HTTPS: the API and enrolment. */
  readonly listen: Endpoint;
  /** The embedded broker. */
  readonly mqttListen: Endpoint;
  readonly broker: BrokerSetting;
  /** The hub keeps Mosquitto's dynamic security in step; never with the embedded broker. */
  readonly dynamicSecurity?: true;
  readonly database: 'sqlite';
  /** Backups that the hub makes by itself; absent: none. */
  readonly backup?: BackupSetting;
  /** What nodes and operators are told. */
  readonly advertise: {
    /** `https://host:port`. */
    readonly hub: string;
    /** `mqtts://host:port` or `wss://host:port/path`, 1 to 8, in order of preference. */
    readonly brokers: readonly string[];
  };
}

export interface BackupSetting {
  /** Five fields as in crontab(5), by the machine's clock: `0 3 * * *`. */
  readonly schedule: string;
  /** Exists, and is absolute. */
  readonly directory: string;
  /** The newest that stay. */
  readonly keep: number;
  /** Public keys of age; empty: not encrypted. */
  readonly recipients: readonly string[];
}

export const DEFAULT_LISTEN: Endpoint = { host: null, port: 8443 };
export const DEFAULT_MQTT_LISTEN: Endpoint = { host: null, port: 8883 };
/** Limit of the joined document. */
export const BROKERS_MAX = 8;

/** Every file of a hub's data directory. */
export function hubPaths(dataDir: string) {
  const keys = (name: string) => join(dataDir, 'keys', `${name}.key`);
  const pki = (name: string) => join(dataDir, 'pki', name);
  const broker = (name: string) => join(dataDir, 'broker', name);
  return {
    config: join(dataDir, 'hub.yaml'),
    kubeconfig: join(dataDir, 'admin.kubeconfig'),
    database: join(dataDir, 'hub.db'),
    /** The newest root: what this hub trusts. The store holds every version, to serve them. */
    root: join(dataDir, 'root.json'),
    /** What a hub without a root of its own asks to be named in one; kept for the next time. */
    request: join(dataDir, 'root-request.json'),
    /** Settings of a hub that waits for its root: they become `hub.yaml` with it. */
    waiting: join(dataDir, 'hub.yaml.waiting'),
    /** What `hub recover` made, until the root that names it is there. */
    recovery: join(dataDir, 'recovery'),
    /** Present while that root is being taken; beside it the root before. */
    recoveryMark: join(dataDir, 'recovery', '.installing'),
    formerRoot: join(dataDir, 'recovery', 'former-root.json'),
    /** The next authority with what it issued, laid out like this directory, until the hub's servers show it. */
    nextTls: join(dataDir, 'tls-next'),
    /** Present while that takes the place of the former. */
    nextTlsMark: join(dataDir, 'tls-next', 'installing'),
    /** Present while `hub init` is at work. */
    initMark: join(dataDir, '.initialising'),
    directories: {
      keys: join(dataDir, 'keys'),
      pki: join(dataDir, 'pki'),
      broker: join(dataDir, 'broker'),
    },
    keys: {
      root: keys('root'),
      release: keys('release'),
      hub: keys('hub'),
      sealing: keys('sealing'),
      authority: keys('ca'),
      server: keys('server'),
      mqtt: keys('mqtt'),
    },
    certificates: {
      authority: pki('ca.crt'),
      /** Whose certificates count while a root pins it. */
      formerAuthority: pki('ca-former.crt'),
      server: pki('server.crt'),
      mqtt: pki('mqtt.crt'),
      admin: pki('admin.crt'),
    },
    /** For an external broker: what its operator installs there. */
    broker: {
      key: broker('server.key'),
      certificate: broker('server.crt'),
      authority: broker('ca.crt'),
    },
  } as const;
}

export function isHostName(text: string): boolean {
  return isIP(text) !== 0 || SUBDOMAIN_PATTERN.test(text);
}

/** `:8443`, `127.0.0.1:8443`, `hub.example:8443`, `[::1]:8443`. Null for anything else. */
export function parseEndpoint(text: string): Endpoint | null {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port < 1 || port > 65535) return null;
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? { host: bracketed, port } : null;
  if (plain === undefined || plain === '') return { host: null, port };
  return isHostName(plain) ? { host: plain, port } : null;
}

export function formatEndpoint({ host, port }: Endpoint): string {
  return `${host === null ? '' : bracketed(host)}:${port}`;
}

/** A host as it stands in a URL. */
export function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

/** `mqtts://host[:port]` with the port written out; null for anything else. */
export function parseBrokerUrl(text: string): `mqtts://${string}` | null {
  if (!text.startsWith('mqtts://') || !URL.canParse(text)) return null;
  const url = new URL(text);
  const bare = ['', '/'].includes(url.pathname) && url.search === '' && url.hash === '';
  if (!bare || url.hostname === '' || url.username !== '' || url.password !== '') return null;
  return `mqtts://${url.hostname}:${url.port === '' ? '8883' : url.port}`;
}

/** What nodes are told: that, or `wss://host[:port]/path` with the port written out, which is MQTT in the frames of a WebSocket. */
export function parseAdvertisedBroker(text: string): string | null {
  if (!text.startsWith('wss://') || !URL.canParse(text)) return parseBrokerUrl(text);
  const url = new URL(text);
  const isBare = url.search === '' && url.hash === '' && /^\/[\w./-]*$/.test(url.pathname);
  if (!isBare || url.hostname === '' || url.username !== '' || url.password !== '') return null;
  return `wss://${url.hostname}:${url.port === '' ? '443' : url.port}${url.pathname}`;
}

export function formatHubConfig(config: HubConfig): string {
  const head = '# Settings of the Flotilla hub. Restart it after a change: flotilla hub run\n';
  return (
    head +
    stringify({
      listen: formatEndpoint(config.listen),
      mqttListen: formatEndpoint(config.mqttListen),
      broker: config.broker,
      ...(config.dynamicSecurity ? { dynamicSecurity: true } : {}),
      database: config.database,
      advertise: config.advertise,
      ...(config.backup ? { backup: config.backup } : {}),
    })
  );
}

const FIELDS = [
  'listen',
  'mqttListen',
  'broker',
  'dynamicSecurity',
  'database',
  'advertise',
  'backup',
] as const;

/** Throws `SetupError` (BadSetting) with `file:line` and the field. */
export function parseHubConfig(text: string, file: string): HubConfig {
  const reader = new ConfigReader(text, file);
  reader.onlyFields([], FIELDS);
  reader.onlyFields(['advertise'], ['hub', 'brokers']);
  const endpoint = 'is not an address like :8443 or 127.0.0.1:8443';
  const brokerUrl = 'is not a URL like mqtts://broker.example:8883';
  const brokers = reader.list(['advertise', 'brokers']);
  if (brokers < 1 || brokers > BROKERS_MAX) {
    throw reader.fault(['advertise', 'brokers'], `needs 1 to ${BROKERS_MAX} entries`);
  }
  const broker: BrokerSetting = reader.value(
    ['broker'],
    value => (value === 'embedded' ? value : parseBrokerUrl(value)),
    `is neither "embedded" nor a URL like mqtts://broker.example:8883`,
  );
  return {
    listen: reader.value(['listen'], parseEndpoint, endpoint),
    mqttListen: reader.value(['mqttListen'], parseEndpoint, endpoint),
    broker,
    ...(isDynamicallySecured(reader, broker) ? { dynamicSecurity: true } : {}),
    database: reader.value(
      ['database'],
      value => (value === 'sqlite' ? value : null),
      'is not "sqlite"',
    ),
    ...(reader.has(['backup']) ? { backup: backupSetting(reader) } : {}),
    advertise: {
      hub: reader.value(['advertise', 'hub'], parseHubUrl, 'is not a URL like https://hub:8443'),
      brokers: Array.from({ length: brokers }, (_, i) =>
        reader.value(
          ['advertise', 'brokers', i],
          parseAdvertisedBroker,
          `${brokerUrl} or wss://hub.example:443/mqtt`,
        ),
      ),
    },
  };
}

function isDynamicallySecured(reader: ConfigReader, broker: BrokerSetting): boolean {
  const path = ['dynamicSecurity'];
  if (!reader.has(path)) return false;
  const value = reader.flag(path);
  if (value && broker === 'embedded') {
    throw reader.fault(
      path,
      'is for a Mosquitto of your own: the embedded broker needs no telling',
    );
  }
  return value;
}

const BACKUPS_MAX = 1000;

function backupSetting(reader: ConfigReader): BackupSetting {
  const at = (name: string) => ['backup', name];
  reader.onlyFields(['backup'], ['schedule', 'directory', 'keep', 'recipients']);
  const recipients = reader.has(at('recipients')) ? reader.list(at('recipients')) : 0;
  const schedule = (text: string) => (isSchedule(text) ? text : null);
  return {
    schedule: reader.value(at('schedule'), schedule, 'is no schedule like "0 3 * * *"'),
    directory: reader.value(
      at('directory'),
      text => (isAbsolute(text) ? text : null),
      'is no absolute path',
    ),
    keep: reader.number(at('keep'), { min: 1, max: BACKUPS_MAX }),
    recipients: Array.from({ length: recipients }, (_, i) =>
      reader.value(
        ['backup', 'recipients', i],
        text => (/^age1[0-9a-z]{20,}$/.test(text) ? text : null),
        'is no public key of age (age1…)',
      ),
    ),
  };
}

/** Five fields; node-cron would take a sixth, of seconds. */
function isSchedule(text: string): boolean {
  return text.trim().split(/\s+/).length === 5 && validate(text);
}

type Path = readonly (string | number)[];

class ConfigReader {
  readonly #file: string;
  readonly #settings: SettingsYaml;

  constructor(text: string, file: string) {
    this.#file = file;
    try {
      this.#settings = readSettingsYaml(text);
    } catch (error) {
      if (!(error instanceof SettingsYamlError)) throw error;
      throw new SetupError('BadSetting', error.in(file));
    }
  }

  get #document() {
    return this.#settings.document;
  }

  fault(path: Path, what: string): SetupError {
    const node = this.#document.getIn(path, true) as { range?: [number, ...number[]] } | undefined;
    const line = node?.range ? `:${this.#settings.lineOf(node.range[0])}` : '';
    const field = path.length === 0 ? 'the file' : excerpt(path.join('.'));
    return new SetupError('BadSetting', `${this.#file}${line}: ${field} ${what}`);
  }

  onlyFields(path: Path, known: readonly string[]): void {
    const node: unknown = path.length === 0 ? this.#document.contents : this.#document.getIn(path);
    if (!isMap(node)) throw this.fault(path, `must have the fields ${known.join(', ')}`);
    for (const { key } of node.items) {
      const name = isScalar(key) ? String(key.value) : '';
      if (!known.includes(name)) throw this.fault([...path, name], 'is not a field of hub.yaml');
    }
  }

  has(path: Path): boolean {
    return this.#document.hasIn(path);
  }

  number(path: Path, { min, max }: { readonly min: number; readonly max: number }): number {
    const value: unknown = this.#document.getIn(path);
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
      return value;
    }
    throw this.fault(path, `must be a whole number from ${min} to ${max}`);
  }

  flag(path: Path): boolean {
    const value: unknown = this.#document.getIn(path);
    if (typeof value === 'boolean') return value;
    throw this.fault(path, 'must be true or false');
  }

  list(path: Path): number {
    const node: unknown = this.#document.getIn(path, true);
    if (!isSeq(node)) throw this.fault(path, 'must be a list');
    return node.items.length;
  }

  value<T>(path: Path, read: (text: string) => T | null, wrong: string): T {
    const value: unknown = this.#document.getIn(path);
    if (value === undefined) throw this.fault(path, 'is missing');
    const result = typeof value === 'string' ? read(value) : null;
    if (result === null) throw this.fault(path, wrong);
    return result;
  }
}
