/**
 * `hub init`: makes a hub's keys, root, certificates, settings, store and the operator's kubeconfig in an empty
 * directory. `hub.yaml` is written last and makes the hub; until then a mark says that a run was cut off, and the next
 * run starts over. A directory that holds anything else is refused and left as it is.
 */
import { readdirSync, rmSync } from 'node:fs';
import type { KeyObject } from 'node:crypto';
import { basename } from 'node:path';
import { sha256Hex } from '../protocol/canonical.js';
import type { RootDocument } from '../protocol/documents.js';
import { openEnvelope, seal } from '../protocol/envelope.js';
import { keyId, signerOf, type Signer } from '../protocol/keys.js';
import { ROOT_BYTES_MAX } from '../protocol/limits.js';
import type { Clock } from '../protocol/ports.js';
import { topicsOf } from '../protocol/topics.js';
import {
  BROKERS_MAX,
  bracketed,
  DEFAULT_LISTEN,
  DEFAULT_MQTT_LISTEN,
  formatEndpoint,
  formatHubConfig,
  hubPaths,
  isHostName,
  parseBrokerUrl,
  parseEndpoint,
  type BrokerSetting,
  type Endpoint,
  type HubConfig,
} from './config.js';
import { hostAddresses, type HostAddresses } from './host-addresses.js';
import { adminKubeconfig } from './kubeconfig.js';
import { generatePrivateKey, privatePem } from './keys.js';
import {
  BROKER_NAME,
  createAuthority,
  HUB_NAME,
  issueCertificate,
  NO_EXPIRY,
  ORGANISATION,
  pinOf,
  spkiOf,
  type Authority,
  type LeafTemplate,
  type RandomBytes,
} from './pki.js';
import { makePrivateDirectory, syncDirectory, writePrivateFile } from './private-files.js';
import { SetupError } from './setup-error.js';
import type { Store } from './store/store.js';

const ROOT_YEARS = 3;
const PODS_PER_BUNDLE = 100;
/** A fresh file system's own directory is not content. */
const IGNORED = new Set(['lost+found']);

export interface InitOptions {
  readonly dataDir: string;
  /** `:8443` if absent. */
  readonly listen?: string;
  /** `:8883` if absent. */
  readonly mqttListen?: string;
  /** `embedded` if absent, else `mqtts://host[:port]`. */
  readonly broker?: string;
  /** `sqlite` if absent. */
  readonly database?: string;
  /** Further names and addresses of this hub; they are told to nodes before those found on the machine. */
  readonly hostnames?: readonly string[];
  /** Found on the machine if absent. */
  readonly host?: HostAddresses;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Opens the hub's store, which makes it if need be. */
  readonly openStore: (path: string) => Promise<Store>;
}

export interface InitResult {
  readonly fleet: string;
  /** SHA-256 of root 1. */
  readonly fingerprint: string;
  readonly config: HubConfig;
  readonly kubeconfig: string;
  /** What to type next. */
  readonly nextCommands: readonly [string, string];
}

/**
 * Throws `SetupError`: NotEmpty, AlreadyInitialised, BadSetting, Unsupported. Settings are checked before anything is
 * written. Calling it again after a crash makes new keys: nobody can have trusted the former ones.
 */
export async function initHub(options: InitOptions): Promise<InitResult> {
  const plan = planOf(options);
  const paths = hubPaths(options.dataDir);
  claimDirectory(options.dataDir);
  for (const directory of Object.values(paths.directories)) makePrivateDirectory(directory);

  const keys = {
    root: generatePrivateKey('ed25519'),
    release: generatePrivateKey('ed25519'),
    hub: generatePrivateKey('ed25519'),
    sealing: generatePrivateKey('x25519'),
    authority: generatePrivateKey('p256'),
    server: generatePrivateKey('p256'),
    mqtt: generatePrivateKey('p256'),
  };
  for (const name of Object.keys(keys) as (keyof typeof keys)[]) {
    writePrivateFile(paths.keys[name], privatePem(keys[name]));
  }
  const fleet = Buffer.from(options.random(16)).toString('hex');
  const authority = await createAuthority(keys.authority, { fleet, random: options.random });
  await writeCertificates(options, { authority, plan, server: keys.server, mqtt: keys.mqtt });

  const signers = {
    root: signerOf(keys.root),
    release: signerOf(keys.release),
    hub: signerOf(keys.hub),
  };
  const root = firstRoot({
    fleet,
    signers,
    tlsPin: pinOf(authority.certificate),
    nowMs: options.clock.now(),
  });
  writePrivateFile(paths.root, root.envelope);
  await fillStore(options, { fleet, ...root });

  writePrivateFile(paths.config, formatHubConfig(plan.config));
  rmSync(paths.initMark);
  syncDirectory(options.dataDir);
  return {
    fleet,
    fingerprint: root.digest,
    config: plan.config,
    kubeconfig: paths.kubeconfig,
    nextCommands: [
      `flotilla hub run --data-dir ${options.dataDir}`,
      `flotilla token create --kubeconfig ${paths.kubeconfig}`,
    ],
  };
}

interface Plan {
  readonly config: HubConfig;
  /** Of the hub's own certificate. */
  readonly serverNames: readonly string[];
}

/** Pure: the settings and names that the options mean. */
function planOf(options: InitOptions): Plan {
  const listen = endpointOf('--listen', options.listen, DEFAULT_LISTEN);
  const mqttListen = endpointOf('--mqtt-listen', options.mqttListen, DEFAULT_MQTT_LISTEN);
  const broker = brokerOf(options.broker ?? 'embedded');
  const database = options.database ?? 'sqlite';
  if (/^postgres(ql)?:\/\//.test(database)) {
    throw new SetupError(
      'Unsupported',
      '--database postgres://… is not supported yet: use --database sqlite (the default)',
    );
  }
  if (database !== 'sqlite') {
    throw new SetupError('BadSetting', `--database ${database}: use sqlite`);
  }
  const named = (options.hostnames ?? []).map(name => name.toLowerCase());
  for (const name of named) {
    if (!isHostName(name)) {
      throw new SetupError('BadSetting', `--hostname ${name}: neither a host name nor an address`);
    }
  }
  const host = options.host ?? hostAddresses();
  const found = [...host.addresses, ...(host.name === null ? [] : [host.name])];
  const reachableAt = (endpoint: Endpoint) => {
    if (named.length > 0) return named;
    if (isBound(endpoint)) return [endpoint.host];
    return found.length > 0 ? found : ['127.0.0.1'];
  };
  const at =
    ({ port }: Endpoint) =>
    (name: string) =>
      `${bracketed(name)}:${port}`;
  const [hubAt = `127.0.0.1:${listen.port}`] = reachableAt(listen).map(at(listen));
  const brokers =
    broker === 'embedded'
      ? reachableAt(mqttListen)
          .map(at(mqttListen))
          .map(place => `mqtts://${place}`)
      : [broker];
  const bound = [listen, mqttListen].filter(isBound).map(endpoint => endpoint.host);
  return {
    config: {
      listen,
      mqttListen,
      broker,
      database,
      advertise: { hub: `https://${hubAt}`, brokers: brokers.slice(0, BROKERS_MAX) },
    },
    serverNames: [
      ...new Set([
        HUB_NAME,
        BROKER_NAME,
        'localhost',
        '127.0.0.1',
        '::1',
        ...named,
        ...bound,
        ...found,
      ]),
    ],
  };
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

/** Leaves the mark behind. Throws without a change if the directory is not ours to fill. */
function claimDirectory(dataDir: string): void {
  const paths = hubPaths(dataDir);
  let entries: string[] = [];
  try {
    entries = readdirSync(dataDir).filter(name => !IGNORED.has(name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTDIR') throw new SetupError('NotEmpty', `${dataDir} is not a directory`);
    if (code !== 'ENOENT') throw error;
  }
  if (entries.includes(basename(paths.config))) {
    throw new SetupError(
      'AlreadyInitialised',
      `${dataDir} holds a hub already: start it with \`flotilla hub run --data-dir ${dataDir}\`, ` +
        'or choose another directory',
    );
  }
  const interrupted = entries.includes(basename(paths.initMark));
  if (entries.length > 0 && !interrupted) {
    throw new SetupError('NotEmpty', `${dataDir} is not empty: choose an empty or a new directory`);
  }
  makePrivateDirectory(dataDir);
  writePrivateFile(paths.initMark, 'flotilla hub init is at work, or was cut off: run it again\n');
  if (!interrupted) return;
  const { database } = paths;
  const made = [...Object.values(paths.directories), paths.kubeconfig, paths.root];
  const leftovers = [...made, database, `${database}-wal`, `${database}-shm`];
  for (const path of leftovers) rmSync(path, { recursive: true, force: true });
}

/** Root 1 of a hub that holds every key, and says so (`development`). */
function firstRoot(options: {
  readonly fleet: string;
  readonly signers: Readonly<Record<'root' | 'release' | 'hub', Signer>>;
  readonly tlsPin: string;
  readonly nowMs: number;
}): { readonly digest: string; readonly envelope: Buffer } {
  const { signers } = options;
  const expires = new Date(options.nowMs);
  expires.setUTCFullYear(expires.getUTCFullYear() + ROOT_YEARS);
  const role = (signer: Signer) => ({ threshold: 1, keys: [keyId(signer.publicKey)] });
  const root: RootDocument = {
    fleet: options.fleet,
    version: 1,
    issued: new Date(options.nowMs).toISOString(),
    expires: expires.toISOString(),
    epoch: 1,
    keys: Object.fromEntries(
      Object.values(signers).map(({ publicKey }) => [keyId(publicKey), publicKey]),
    ),
    roles: {
      root: role(signers.root),
      release: [{ ...role(signers.release), bundles: ['*/*'] }],
      hub: role(signers.hub),
      secrets: null,
    },
    floors: {},
    denied: [],
    tls: [options.tlsPin],
    development: true,
    minAgent: null,
    limits: { podsPerBundle: PODS_PER_BUNDLE },
  };
  const envelope = seal('root', root, [signers.root]);
  const opened = openEnvelope(envelope, { kind: 'root', bytesMax: 2 * ROOT_BYTES_MAX });
  if (!opened.ok) throw new Error(opened.refusal.detail);
  return { digest: sha256Hex(opened.value.payload), envelope };
}

async function writeCertificates(
  { dataDir, random }: InitOptions,
  made: {
    readonly authority: Authority;
    readonly plan: Plan;
    readonly server: KeyObject;
    readonly mqtt: KeyObject;
  },
): Promise<void> {
  const paths = hubPaths(dataDir);
  const { authority, plan } = made;
  const issue = (key: KeyObject, template: Omit<LeafTemplate, 'publicKey' | 'notAfter'>) =>
    issueCertificate(
      authority,
      { ...template, publicKey: spkiOf(key), notAfter: NO_EXPIRY },
      random,
    );
  const hub = { commonName: HUB_NAME, organisation: ORGANISATION.hub } as const;
  const admin = generatePrivateKey('p256');
  const adminCertificate = await issue(admin, {
    commonName: 'admin',
    organisation: ORGANISATION.admins,
    use: 'client',
  });
  const server = await issue(made.server, { ...hub, use: { serverNames: plan.serverNames } });
  writePrivateFile(paths.certificates.authority, authority.certificate);
  writePrivateFile(paths.certificates.server, server);
  writePrivateFile(paths.certificates.mqtt, await issue(made.mqtt, { ...hub, use: 'client' }));
  writePrivateFile(paths.certificates.admin, adminCertificate);
  writePrivateFile(
    paths.kubeconfig,
    adminKubeconfig({
      server: plan.config.advertise.hub,
      authority: authority.certificate,
      certificate: adminCertificate,
      privateKey: privatePem(admin),
    }),
  );
  if (plan.config.broker === 'embedded') return;
  const host = new URL(plan.config.broker).hostname.replace(/^\[|\]$/g, '');
  const broker = generatePrivateKey('p256');
  const certificate = await issue(broker, {
    commonName: BROKER_NAME,
    organisation: ORGANISATION.hub,
    use: { serverNames: [...new Set([BROKER_NAME, host])] },
  });
  writePrivateFile(paths.broker.key, privatePem(broker));
  writePrivateFile(paths.broker.certificate, certificate);
  writePrivateFile(paths.broker.authority, authority.certificate);
}

/** SQLite gives its side files the mode of the database, which is therefore there before it. */
async function fillStore(
  { dataDir, openStore }: InitOptions,
  root: { readonly fleet: string; readonly digest: string; readonly envelope: Buffer },
): Promise<void> {
  const path = hubPaths(dataDir).database;
  writePrivateFile(path, '');
  const store = await openStore(path);
  try {
    const topics = topicsOf(root.fleet);
    const { digest, envelope } = root;
    await store.commit({ kind: 'hub', name: 'init' }, [
      { type: 'root', record: { version: 1, digest, envelope } },
      { type: 'publish', topic: topics.root(), payload: envelope },
      { type: 'publish', topic: topics.root(1), payload: envelope },
    ]);
  } finally {
    await store.close();
  }
}
