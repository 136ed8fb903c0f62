/**
 * The node's identity on disk: three private keys that are made here and never leave the node, and
 * what the join brought. Mode 0600 in a directory 0700, set explicitly whatever the umask, flushed.
 * `join.json` is written last and makes the node a member; until then the keys wait to be used
 * again.
 */
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import {
  createPrivateKey,
  generateKeyPairSync,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { dirname, join } from 'node:path';
import { keyId, signerOf, type Signer } from '../../protocol/keys.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { reopenRoot } from '../../protocol/verify-root.js';

export type IdentityErrorCode =
  | 'Missing'
  /** A private file that others may read. */
  | 'Mode'
  | 'Corrupt';

export class IdentityError extends Error {
  override readonly name = 'IdentityError';
  readonly code: IdentityErrorCode;
  constructor(code: IdentityErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface NodeKeys {
  /** Ed25519: signs all that the node says. */
  readonly identity: KeyObject;
  /** X25519: receives sealed content. */
  readonly sealing: KeyObject;
  /** P-256: TLS. */
  readonly tls: KeyObject;
}

/** What the join brought: the content of `join.json`. */
export interface Membership {
  readonly fleet: string;
  readonly node: string;
  /** `https://host:port` of the hub. */
  readonly hubUrl: string;
  /** `mqtts://host:port`, best first. */
  readonly brokers: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Envelope of the root in force at the join, and the SHA-256 of its payload. */
  readonly root: string;
  readonly rootDigest: string;
  /** RFC 3339, by this node's clock. */
  readonly joinedAt: string;
}

export interface StoredIdentity {
  readonly fleet: string;
  readonly node: string;
  readonly membership: Membership;
  readonly keys: NodeKeys;
  readonly signer: Signer;
  /** Key id of the identity key: how assignments name this device. */
  readonly nodeKey: string;
  readonly root: TrustedRoot;
  /** PEM. */
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string };
}

export function identityPaths(dataDir: string) {
  const directory = join(dataDir, 'identity');
  const file = (name: string) => join(directory, name);
  return {
    directory,
    identityKey: file('identity.key'),
    sealingKey: file('sealing.key'),
    tlsKey: file('tls.key'),
    certificate: file('tls.crt'),
    authorities: file('ca.crt'),
    join: file('join.json'),
  } as const;
}

// ------------------------------------------------------------------------------------------- files

function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
  syncDirectory(dirname(path));
}

function writePrivateFile(path: string, content: string): void {
  const draft = `${path}.new`;
  const descriptor = openSync(draft, 'w', 0o600);
  try {
    fchmodSync(descriptor, 0o600);
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, path);
  syncDirectory(dirname(path));
}

function readPrivateFile(path: string): string | null {
  try {
    const mode = statSync(path).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      const shown = mode.toString(8).padStart(4, '0');
      throw new IdentityError(
        'Mode',
        `${path} has mode ${shown}, so that others may read it: join anew with a new identity, ` +
          `or, if you are sure that nobody did, run: chmod 600 ${path}`,
      );
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

// -------------------------------------------------------------------------------------------- keys

const KEY_TYPES = {
  identity: 'ed25519',
  sealing: 'x25519',
  tls: 'ec',
} as const;

function readKey(path: string, type: string): KeyObject | null {
  const pem = readPrivateFile(path);
  if (pem === null) return null;
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === type) return key;
  } catch {
    // Said below, without OpenSSL's words.
  }
  throw new IdentityError(
    'Corrupt',
    `${path}: not a private key of type ${type}; move ${dirname(path)} away and join anew`,
  );
}

function generateKey(type: (typeof KEY_TYPES)[keyof typeof KEY_TYPES]): KeyObject {
  switch (type) {
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    case 'x25519':
      return generateKeyPairSync('x25519').privateKey;
    case 'ec':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  }
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Reads the node's keys and makes those that are missing. Calling it again gives the same keys. */
export function ensureNodeKeys(dataDir: string): NodeKeys {
  const paths = identityPaths(dataDir);
  makePrivateDirectory(paths.directory);
  const ensure = (path: string, type: (typeof KEY_TYPES)[keyof typeof KEY_TYPES]): KeyObject => {
    const existing = readKey(path, type);
    if (existing) return existing;
    const key = generateKey(type);
    writePrivateFile(path, pem(key));
    return key;
  };
  return {
    identity: ensure(paths.identityKey, KEY_TYPES.identity),
    sealing: ensure(paths.sealingKey, KEY_TYPES.sealing),
    tls: ensure(paths.tlsKey, KEY_TYPES.tls),
  };
}

// -------------------------------------------------------------------------------------- membership

export function isJoined(dataDir: string): boolean {
  return readPrivateFile(identityPaths(dataDir).join) !== null;
}

/** From here on the node is a member. */
export function saveMembership(
  dataDir: string,
  joined: {
    readonly membership: Membership;
    readonly certificate: string;
    readonly authorities: string;
  },
): void {
  const paths = identityPaths(dataDir);
  writePrivateFile(paths.certificate, joined.certificate);
  writePrivateFile(paths.authorities, joined.authorities);
  writePrivateFile(paths.join, `${JSON.stringify(joined.membership, null, 2)}\n`);
}

/** Null if this node has not joined a hub. Throws `IdentityError`. */
export function loadIdentity(dataDir: string): StoredIdentity | null {
  const paths = identityPaths(dataDir);
  const text = readPrivateFile(paths.join);
  if (text === null) return null;
  const membership = readMembership(text, paths.join);
  const root = reopenRoot(Buffer.from(membership.root), membership.rootDigest);
  if (!root.ok) throw corrupt(paths.join, root.refusal.detail);
  const need = <T>(value: T | null, path: string): T => {
    if (value !== null) return value;
    throw new IdentityError('Missing', `${path} is missing: join anew, or restore a backup`);
  };
  const keys: NodeKeys = {
    identity: need(readKey(paths.identityKey, KEY_TYPES.identity), paths.identityKey),
    sealing: need(readKey(paths.sealingKey, KEY_TYPES.sealing), paths.sealingKey),
    tls: need(readKey(paths.tlsKey, KEY_TYPES.tls), paths.tlsKey),
  };
  const cert = need(readPrivateFile(paths.certificate), paths.certificate);
  const ca = need(readPrivateFile(paths.authorities), paths.authorities);
  if (!isCertificateOf(cert, keys.tls)) throw corrupt(paths.certificate, 'not of tls.key');
  const signer = signerOf(keys.identity);
  const { fleet, node } = membership;
  return {
    fleet,
    node,
    membership,
    keys,
    signer,
    nodeKey: keyId(signer.publicKey),
    root: root.value,
    tls: { key: pem(keys.tls), cert, ca },
  };
}

/** Whether a certificate (PEM) was made for a private key. */
export function isCertificateOf(certificate: string, key: KeyObject): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(key);
  } catch {
    return false;
  }
}

function corrupt(path: string, why: string): IdentityError {
  return new IdentityError('Corrupt', `${path}: ${why}; restore a backup, or join anew`);
}

function readMembership(text: string, path: string): Membership {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw corrupt(path, 'not JSON');
  }
  const record = (value ?? {}) as Record<string, unknown>;
  for (const field of ['fleet', 'node', 'hubUrl', 'root', 'rootDigest', 'joinedAt']) {
    if (typeof record[field] !== 'string') throw corrupt(path, `${field} is not a text`);
  }
  const { brokers, labels } = record;
  if (!Array.isArray(brokers) || !brokers.every(url => typeof url === 'string')) {
    throw corrupt(path, 'brokers is not a list of texts');
  }
  const isMap = typeof labels === 'object' && labels !== null;
  if (!isMap || !Object.values(labels).every(label => typeof label === 'string')) {
    throw corrupt(path, 'labels is not a map of texts');
  }
  return value as Membership;
}
