/**
 * What a running hub needs from its data directory: settings, keys as signers, the root it trusts,
 * TLS material. Reads only, but that it ends a change of authority which was cut off. Everything that is missing, readable by others or damaged is named with
 * what to do.
 */
import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { sha256Hex } from '../../protocol/canonical.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { rawPublicKey, type Signer } from '../../protocol/keys.js';
import { ROOT_BYTES_MAX } from '../../protocol/limits.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { reopenRoot } from '../../protocol/verify-root.js';
import { hubPaths, parseHubConfig, type HubConfig } from './config.js';
import { currentKey, heldKeys, type SigningRole } from './held-keys.js';
import { endInstallingTls, readNextTls, tlsPairsOf, type NextTls } from './next-tls.js';
import { pinOf, spkiOf, type Authority } from './pki.js';
import { readFileIfAny } from './private-files.js';
import { refuseUnsafeDirectory } from './safe-directory.js';
import { SetupError } from './setup-error.js';
import { missing, readPair, requireKey, type TlsPair } from './tls-pair.js';

export interface LoadedHub {
  readonly dataDir: string;
  readonly config: HubConfig;
  /** Of the store. */
  readonly databasePath: string;
  readonly root: TrustedRoot;
  /** Null where the key is kept elsewhere; never null under a `development` root. */
  readonly rootSigner: Signer | null;
  readonly releaseSigner: Signer | null;
  readonly hubSigner: Signer;
  /** X25519. */
  readonly sealingKey: KeyObject;
  /** Of the servers. */
  readonly authority: Authority;
  /** Whose certificates nodes get: the next one as soon as the root pins it. */
  readonly issuer: Authority;
  /** PEM of all that the root pins and that this hub has, in the order in which they came. */
  readonly authorities: string;
  /** Made to take the place of the authority (`key rotate tls`). */
  readonly nextTls: NextTls | null;
  /** PEM; what the root pins still of before the last change of authority. */
  readonly formerAuthority: string | null;
  /** Of the HTTPS server and of the embedded broker. */
  readonly server: TlsPair;
  /** The hub's own client at the broker. */
  readonly mqtt: TlsPair;
  /**
   * Public keys that no node may bring: X25519 and Ed25519 in hex, TLS as base64
   * SubjectPublicKeyInfo.
   */
  readonly ownKeys: ReadonlySet<string>;
}

/** Throws `SetupError`. */
export function loadHub(dataDir: string): LoadedHub {
  const paths = hubPaths(dataDir);
  if (readFileIfAny(paths.config) === null) throw notInitialised(dataDir);
  refuseUnsafeDirectory(dataDir);
  endInstallingTls(dataDir);
  if (existsSync(paths.recoveryMark)) {
    const command = `flotilla hub recover --data-dir ${dataDir} --root FILE`;
    throw new SetupError(
      'Interrupted',
      `${dataDir}: \`hub recover\` was cut off; run again: ${command}`,
    );
  }
  return loadHubUnder(dataDir, readRoot(paths.root));
}

/** The same as it is, or would be, under another root than that of the file. Throws `SetupError`. */
export function loadHubUnder(dataDir: string, root: TrustedRoot): LoadedHub {
  const paths = hubPaths(dataDir);
  const config = settingsOf(dataDir);
  const held = heldKeys(dataDir);
  const signer = (role: SigningRole, isNeeded: boolean) => {
    const key = currentKey(held, root.document, role);
    if (key !== null) return key.signer;
    if (!isNeeded) return null;
    const other = held.find(known => known.role === role);
    if (!other) throw missing(paths.keys[role]);
    throw new SetupError(
      'Corrupt',
      `${other.path}: root ${root.document.version} names another ${role} key; ` +
        'restore the directory from one backup',
    );
  };
  const { development } = root.document;
  const rootSigner = signer('root', development);
  const releaseSigner = signer('release', development);
  const hubSigner = signer('hub', true);
  if (!hubSigner) throw missing(paths.keys.hub);

  const sealingKey = requireKey(paths.keys.sealing, 'x25519');
  const authority = readPair(paths.keys.authority, paths.certificates.authority);
  const isPinned = (certificate: string) => root.document.tls.includes(pinOf(certificate));
  const nextTls = readNextTls(dataDir);
  const former = readFileIfAny(paths.certificates.formerAuthority);
  const formerAuthority = former !== null && isPinned(former) ? former : null;
  if (!isPinned(authority.certificate)) {
    const isTooEarly = nextTls !== null && isPinned(nextTls.authority.certificate);
    const what = `${paths.certificates.authority}: not pinned by root ${root.document.version}; `;
    const cure = isTooEarly
      ? 'run `flotilla key rotate tls --finish` before that root is published'
      : 'restore the directory from one backup';
    throw new SetupError('Corrupt', what + cure);
  }
  const server = readPair(paths.keys.server, paths.certificates.server);
  const mqtt = readPair(paths.keys.mqtt, paths.certificates.mqtt);
  const admin = readFileIfAny(paths.certificates.admin);
  const tlsKeys = [authority, server, mqtt, ...(nextTls ? tlsPairsOf(nextTls) : [])].map(
    pair => pair.certificate,
  );
  const own: Authority = {
    certificate: authority.certificate,
    privateKey: requireKey(paths.keys.authority, 'p256'),
  };
  const isNextPinned = nextTls !== null && isPinned(nextTls.authority.certificate);
  return {
    dataDir,
    config,
    databasePath: paths.database,
    root,
    rootSigner,
    releaseSigner,
    hubSigner,
    sealingKey,
    authority: own,
    issuer: isNextPinned ? nextTls.authority : own,
    authorities: [
      ...(formerAuthority === null ? [] : [formerAuthority]),
      own.certificate,
      ...(isNextPinned ? [nextTls.authority.certificate] : []),
    ].join(''),
    nextTls,
    formerAuthority,
    server,
    mqtt,
    ownKeys: new Set([
      ...Object.values(root.document.keys),
      rawPublicKey(sealingKey),
      ...[...tlsKeys, ...(admin === null ? [] : [admin])].map(pem =>
        spkiOf(pem).toString('base64'),
      ),
    ]),
  };
}

/** Its settings alone, for which no key is needed. Throws `SetupError`. */
export function settingsOf(dataDir: string): HubConfig {
  const { config } = hubPaths(dataDir);
  const settings = readFileIfAny(config);
  if (settings === null) throw notInitialised(dataDir);
  return parseHubConfig(settings, config);
}

function notInitialised(dataDir: string): SetupError {
  const command = `flotilla hub init --data-dir ${dataDir}`;
  const paths = hubPaths(dataDir);
  if (existsSync(paths.waiting)) {
    const what = `${dataDir} waits for its root: have ${paths.request} named in one and signed`;
    return new SetupError('NotInitialised', `${what}, then run: ${command} --root root-1.json`);
  }
  return existsSync(paths.initMark)
    ? new SetupError('Interrupted', `${dataDir}: \`hub init\` was cut off; run again: ${command}`)
    : new SetupError('NotInitialised', `${dataDir} holds no hub yet; run: ${command}`);
}

/** The newest root of a data directory. Throws `SetupError`: Missing, Corrupt. */
export function newestRootOf(dataDir: string): TrustedRoot {
  return readRoot(hubPaths(dataDir).root);
}

function readRoot(path: string): TrustedRoot {
  const text = readFileIfAny(path);
  if (text === null) throw missing(path);
  const bytes = Buffer.from(text);
  const opened = openEnvelope(bytes, { kind: 'root', bytesMax: 2 * ROOT_BYTES_MAX });
  const root = opened.ok ? reopenRoot(bytes, sha256Hex(opened.value.payload)) : opened;
  if (!root.ok) throw new SetupError('Corrupt', `${path}: ${root.refusal.detail}`);
  return root.value;
}
