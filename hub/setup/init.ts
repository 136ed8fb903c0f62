/**
 * `hub init`: makes a hub's keys, root, certificates, settings, store and the operator's kubeconfig
 * in an empty directory. `hub.yaml` is written last and makes the hub; until then a mark says that
 * a run was cut off, and the next run starts over. A directory that holds anything else is refused
 * and left as it is.
 */
import { readdirSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { sha256Hex } from '../../protocol/canonical.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { openEnvelope, seal } from '../../protocol/envelope.js';
import { keyId, signerOf, type Signer } from '../../protocol/keys.js';
import { ROOT_BYTES_MAX } from '../../protocol/limits.js';
import type { Clock } from '../../protocol/ports.js';
import type { Grant } from '../../protocol/release-scope.js';
import { topicsOf } from '../../protocol/topics.js';
import { formatHubConfig, hubPaths, type HubConfig } from './config.js';
import { hostAddresses, type HostAddresses } from './host-addresses.js';
import { writeCertificates } from './init-certificates.js';
import { initPlan, type InitPlan, type InitSettings } from './init-plan.js';
import { generatePrivateKey, writePrivateKey } from './keys.js';
import { makeKeyLock, type KeyLock } from './key-lock.js';
import { createAuthority, pinOf, type RandomBytes } from './pki.js';
import { makePrivateDirectory, syncDirectory, writePrivateFile } from './private-files.js';
import { refuseUnsafePlace } from './safe-directory.js';
import { SetupError } from './setup-error.js';
import { openSqliteStore } from '../store/sqlite.js';

const ROOT_YEARS = 3;
const PODS_PER_BUNDLE = 100;
/** Not content: a fresh file system's own directory, and a mark that was cut off. */
const IGNORED = new Set(['lost+found', '.initialising.new']);

export interface InitOptions extends InitSettings {
  readonly dataDir: string;
  /** Found on the machine if absent. */
  readonly host?: HostAddresses;
  /** What the keys are encrypted for; plain if absent. */
  readonly lock?: KeyLock | undefined;
  readonly clock: Clock;
  readonly random: RandomBytes;
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
 * Throws `SetupError`: NotEmpty, AlreadyInitialised, BadSetting, Unsupported. Settings are checked
 * before anything is written. Calling it again after a crash makes new keys: nobody can have
 * trusted the former ones.
 */
export async function initHub(options: InitOptions): Promise<InitResult> {
  const plan = initPlan(options, options.host ?? hostAddresses());
  const paths = hubPaths(options.dataDir);
  const own = await makeOwn(options, plan);
  const keys = { root: generatePrivateKey('ed25519'), release: generatePrivateKey('ed25519') };
  for (const name of ['root', 'release'] as const) {
    writePrivateKey(paths.keys[name], keys[name]);
  }
  const root = firstRoot({
    fleet: own.fleet,
    signers: { root: signerOf(keys.root), release: signerOf(keys.release), hub: own.hub },
    tlsPin: own.tlsPin,
    grant: plan.grant,
    nowMs: options.clock.now(),
  });
  await installRoot(options, { fleet: own.fleet, ...root });
  writePrivateFile(paths.config, formatHubConfig(plan.config));
  rmSync(paths.initMark);
  syncDirectory(options.dataDir);
  return { ...resultOf(options.dataDir, plan.config), fleet: own.fleet, fingerprint: root.digest };
}

export function resultOf(dataDir: string, config: HubConfig) {
  const { kubeconfig } = hubPaths(dataDir);
  const nextCommands: readonly [string, string] = [
    `flotilla hub run --data-dir ${dataDir}`,
    `flotilla token create --kubeconfig ${kubeconfig}`,
  ];
  return { config, kubeconfig, nextCommands };
}

/** What every hub makes for itself, whoever holds the root: its own keys, authority, certificates, kubeconfig. */
export async function makeOwn(options: InitOptions, plan: InitPlan) {
  const paths = hubPaths(options.dataDir);
  claimDirectory(options.dataDir);
  for (const directory of Object.values(paths.directories)) makePrivateDirectory(directory);
  if (options.lock) await makeKeyLock(options.dataDir, options.lock);
  const keys = {
    hub: generatePrivateKey('ed25519'),
    sealing: generatePrivateKey('x25519'),
    authority: generatePrivateKey('p256'),
    server: generatePrivateKey('p256'),
    mqtt: generatePrivateKey('p256'),
  };
  for (const name of Object.keys(keys) as (keyof typeof keys)[]) {
    writePrivateKey(paths.keys[name], keys[name]);
  }
  const { random } = options;
  const fleet = Buffer.from(random(16)).toString('hex');
  const authority = await createAuthority(keys.authority, { fleet, random });
  const { server, mqtt } = keys;
  await writeCertificates(options.dataDir, { authority, plan, server, mqtt, random });
  return { fleet, hub: signerOf(keys.hub), tlsPin: pinOf(authority.certificate) };
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
  if (entries.includes(basename(paths.waiting))) {
    throw new SetupError(
      'AlreadyInitialised',
      `${dataDir} holds a hub that waits for its root: complete it with ` +
        `\`flotilla hub init --data-dir ${dataDir} --root root-1.json\``,
    );
  }
  const interrupted = entries.includes(basename(paths.initMark));
  if (entries.length > 0 && !interrupted) {
    throw new SetupError('NotEmpty', `${dataDir} is not empty: choose an empty or a new directory`);
  }
  refuseUnsafePlace(dataDir);
  makePrivateDirectory(dataDir);
  writePrivateFile(paths.initMark, 'flotilla hub init is at work, or was cut off: run it again\n');
  if (!interrupted) return;
  const { database } = paths;
  const made = [...Object.values(paths.directories), paths.kubeconfig, paths.root, paths.request];
  const side = ['', '-wal', '-shm', '-lock'].map(end => `${database}${end}`);
  for (const path of [...made, ...side]) rmSync(path, { recursive: true, force: true });
}

/** Root 1 of a hub that holds every key, and says so (`development`). */
function firstRoot(options: {
  readonly fleet: string;
  readonly signers: Readonly<Record<'root' | 'release' | 'hub', Signer>>;
  readonly tlsPin: string;
  /** What bundles may ask of nodes. */
  readonly grant: Grant;
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
      release: [
        {
          ...role(signers.release),
          bundles: ['*/*'],
          scopes: [{ ...role(signers.release), ...options.grant }],
        },
      ],
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

/** Root 1, in its file and in the store that is made for it. Calling it again is safe. */
export async function installRoot(
  { dataDir, clock }: Pick<InitOptions, 'dataDir' | 'clock'>,
  root: { readonly fleet: string; readonly digest: string; readonly envelope: Buffer },
): Promise<void> {
  writePrivateFile(hubPaths(dataDir).root, root.envelope);
  const store = await openSqliteStore({ path: hubPaths(dataDir).database, clock });
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
