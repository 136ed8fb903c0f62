/**
 * What a running hub needs from its data directory: settings, keys as signers, the root it trusts,
 * TLS material. Reads only. Everything that is missing, readable by others or damaged is named with
 * what to do.
 */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { sha256Hex } from '../../protocol/canonical.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { keyId, rawPublicKey, signerOf, type Signer } from '../../protocol/keys.js';
import { ROOT_BYTES_MAX } from '../../protocol/limits.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { reopenRoot } from '../../protocol/verify-root.js';
import { hubPaths, parseHubConfig, type HubConfig } from './config.js';
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
  const settings = readFileIfAny(paths.config);
  if (settings === null) throw notInitialised(dataDir, existsSync(paths.initMark));
  const config = parseHubConfig(settings, paths.config);
  const root = readRoot(paths.root);
  const { roles, development } = root.document;
  const signer = (path: string, role: string, keys: readonly string[]) => {
    const key = readPrivateKey(path, 'ed25519');
    if (key === null) return null;
    const made = signerOf(key);
    if (keys.includes(keyId(made.publicKey))) return made;
    throw new SetupError(
      'Corrupt',
      `${path}: root ${root.document.version} names another ${role} key; ` +
        'restore the directory from one backup',
    );
  };
  const rootSigner = signer(paths.keys.root, 'root', roles.root.keys);
  const releaseKeys = roles.release.flatMap(role => role.keys);
  const releaseSigner = signer(paths.keys.release, 'release', releaseKeys);
  if (development && !rootSigner) throw missing(paths.keys.root);
  if (development && !releaseSigner) throw missing(paths.keys.release);
  const hubSigner = signer(paths.keys.hub, 'hub', roles.hub.keys);
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

function notInitialised(dataDir: string, interrupted: boolean): SetupError {
  const command = `flotilla hub init --data-dir ${dataDir}`;
  return interrupted
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
