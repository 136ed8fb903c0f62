/**
 * The node's identity on disk: three private keys that are made here and never leave the node, and
 * what the join brought. Mode 0600 in a directory 0700, set explicitly whatever the umask, flushed.
 * `join.json` is written last and makes the node a member; until then the keys wait to be used
 * again.
 */
import type { KeyObject } from 'node:crypto';
import { keyId, signerOf, type Signer } from '../../protocol/keys.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { reopenRoot } from '../../protocol/verify-root.js';
import { isCertificateOf, settleRenewal } from './next-keys.js';
import {
  generateKey,
  IdentityError,
  identityPaths,
  KEY_TYPES,
  makePrivateDirectory,
  pem,
  readKey,
  readPrivateFile,
  writePrivateFile,
  type KeyType,
} from './private-keys.js';

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
  /** `mqtts://host:port` or `wss://host:port/path`, best first. */
  readonly brokers: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Envelope of the root in force at the join, and the SHA-256 of its payload. */
  readonly root: string;
  readonly rootDigest: string;
  /** RFC 3339, by this node's clock. */
  readonly joinedAt: string;
  /** When the client certificate should be replaced; null while a person has yet to approve this node. */
  readonly renewAfter: string | null;
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
  /** PEM; no certificate while a person has yet to approve this node. */
  readonly tls: { readonly key: string; readonly cert: string | null; readonly ca: string };
}

/** Reads the node's keys and makes those that are missing. Calling it again gives the same keys. */
export function ensureNodeKeys(dataDir: string): NodeKeys {
  const paths = identityPaths(dataDir);
  makePrivateDirectory(paths.directory);
  const ensure = (path: string, type: KeyType): KeyObject => {
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

export function isJoined(dataDir: string): boolean {
  return readPrivateFile(identityPaths(dataDir).join) !== null;
}

/** From here on the node is a member. */
export function saveMembership(
  dataDir: string,
  joined: {
    readonly membership: Membership;
    readonly certificate: string | null;
    readonly authorities: string;
  },
): void {
  const paths = identityPaths(dataDir);
  if (joined.certificate !== null) writePrivateFile(paths.certificate, joined.certificate);
  writePrivateFile(paths.authorities, joined.authorities);
  saveJoin(dataDir, joined.membership);
}

export function saveJoin(dataDir: string, membership: Membership): void {
  writePrivateFile(identityPaths(dataDir).join, `${JSON.stringify(membership, null, 2)}\n`);
}

/** Null if this node has not joined a hub. What a renewal left half-done is settled first. Throws `IdentityError`. */
export function loadIdentity(dataDir: string): StoredIdentity | null {
  const paths = identityPaths(dataDir);
  const text = readPrivateFile(paths.join);
  if (text === null) return null;
  readMembership(text, paths.join);
  settleRenewal(dataDir);
  return readIdentity(dataDir);
}

/** As it lies there; writes nothing. Null if this node has not joined a hub. Throws `IdentityError`. */
export function readIdentity(dataDir: string): StoredIdentity | null {
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
  const isPending = membership.renewAfter === null;
  const found = readPrivateFile(paths.certificate);
  const cert = isPending ? found : need(found, paths.certificate);
  const ca = need(readPrivateFile(paths.authorities), paths.authorities);
  if (cert !== null && !isCertificateOf(cert, keys.tls))
    throw corrupt(paths.certificate, 'not of tls.key');
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
  const { brokers, labels, renewAfter } = record;
  if (renewAfter !== null && typeof renewAfter !== 'string') {
    throw corrupt(path, 'renewAfter is neither a text nor null');
  }
  if (!Array.isArray(brokers) || !brokers.every(url => typeof url === 'string')) {
    throw corrupt(path, 'brokers is not a list of texts');
  }
  const isMap = typeof labels === 'object' && labels !== null;
  if (!isMap || !Object.values(labels).every(label => typeof label === 'string')) {
    throw corrupt(path, 'labels is not a map of texts');
  }
  return value as Membership;
}
