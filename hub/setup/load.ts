/**
 * What a running hub needs from its data directory: settings, keys as signers, the root it trusts,
 * TLS material. Reads only. Everything that is missing, readable by others or damaged is named with
 * what to do.
 */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { sha256Hex } from '../../protocol/canonical.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { rawPublicKey, type Signer } from '../../protocol/keys.js';
import { ROOT_BYTES_MAX } from '../../protocol/limits.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { reopenRoot } from '../../protocol/verify-root.js';
import { hubPaths, parseHubConfig, type HubConfig } from './config.js';
import { currentKey, heldKeys, type SigningRole } from './held-keys.js';
import { privatePem, readPrivateKey, type KeyType } from './keys.js';
import { pinOf, spkiOf, type Authority } from './pki.js';
import { readFileIfAny } from './private-files.js';
import { SetupError } from './setup-error.js';

/** PEM of a key and its certificate. */
export interface TlsPair {
  readonly key: string;
  readonly certificate: string;
}

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
  readonly authority: Authority;
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
  if (!root.document.tls.includes(pinOf(authority.certificate))) {
    throw new SetupError(
      'Corrupt',
      `${paths.certificates.authority}: not pinned by root ${root.document.version}; ` +
        'restore the directory from one backup',
    );
  }
  const server = readPair(paths.keys.server, paths.certificates.server);
  const mqtt = readPair(paths.keys.mqtt, paths.certificates.mqtt);
  const admin = readFileIfAny(paths.certificates.admin);
  const tlsKeys = [authority, server, mqtt].map(pair => pair.certificate);
  return {
    dataDir,
    config,
    databasePath: paths.database,
    root,
    rootSigner,
    releaseSigner,
    hubSigner,
    sealingKey,
    authority: {
      certificate: authority.certificate,
      privateKey: requireKey(paths.keys.authority, 'p256'),
    },
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

function missing(path: string): SetupError {
  return new SetupError('Missing', `${path} is missing; restore it from a backup`);
}

function requireKey(path: string, type: KeyType): KeyObject {
  const key = readPrivateKey(path, type);
  if (key === null) throw missing(path);
  return key;
}

/** A key and the certificate made for it. */
function readPair(keyPath: string, certificatePath: string): TlsPair {
  const key = requireKey(keyPath, 'p256');
  const certificate = readFileIfAny(certificatePath);
  if (certificate === null) throw missing(certificatePath);
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
  } catch {
    throw new SetupError('Corrupt', `${certificatePath}: not a certificate in PEM`);
  }
  if (!parsed.checkPrivateKey(key)) {
    throw new SetupError('Corrupt', `${certificatePath} does not belong to ${keyPath}`);
  }
  return { key: privatePem(key), certificate };
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
