/**
 * Keys on the way: each is written before the hub is asked to take it, and takes the place of the
 * one before when the hub has answered. Cut off at any point, the next start finds which, and asks
 * again with the same keys: the hub gives the same answer.
 */
import { X509Certificate, type KeyObject } from 'node:crypto';
import {
  generateKey,
  identityPaths,
  KEY_TYPES,
  movePrivateFile,
  pem,
  readKey,
  readPrivateFile,
  removePrivateFile,
  writePrivateFile,
} from './private-keys.js';

/** Whether a certificate (PEM) was made for a private key. */
export function isCertificateOf(certificate: string, key: KeyObject): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(key);
  } catch {
    return false;
  }
}

function nextOrNew(path: string, type: (typeof KEY_TYPES)[keyof typeof KEY_TYPES]): KeyObject {
  const existing = readKey(path, type);
  if (existing) return existing;
  const key = generateKey(type);
  writePrivateFile(path, pem(key));
  return key;
}

/** For a renewal: the same until it is settled. */
export function nextTlsKey(dataDir: string): KeyObject {
  return nextOrNew(identityPaths(dataDir).next.tlsKey, KEY_TYPES.tls);
}

/** A renewal was begun and not brought to its end. */
export function isRenewalOpen(dataDir: string): boolean {
  return readPrivateFile(identityPaths(dataDir).next.tlsKey) !== null;
}

export function keepCertificate(dataDir: string, certificate: string): void {
  writePrivateFile(identityPaths(dataDir).next.certificate, certificate);
  settleRenewal(dataDir);
}

/** Brings key and certificate to where they belong, as far as a renewal came. */
export function settleRenewal(dataDir: string): void {
  const paths = identityPaths(dataDir);
  const certificate = readPrivateFile(paths.next.certificate);
  if (certificate === null) return;
  const next = readKey(paths.next.tlsKey, KEY_TYPES.tls);
  if (next && isCertificateOf(certificate, next)) {
    movePrivateFile(paths.next.tlsKey, paths.tlsKey);
  }
  const key = readKey(paths.tlsKey, KEY_TYPES.tls);
  if (key && isCertificateOf(certificate, key)) {
    movePrivateFile(paths.next.certificate, paths.certificate);
  } else removePrivateFile(paths.next.certificate);
}

export interface Rotation {
  readonly identity: KeyObject;
  readonly sealing: KeyObject;
}

/**
 * The keys of a rotation; `identity` false: the identity key stays. The same until it is settled,
 * but that one which was begun for less than what is asked now is widened.
 */
export function beginRotation(
  dataDir: string,
  current: Rotation,
  { identity }: { readonly identity: boolean },
): Rotation {
  const { next } = identityPaths(dataDir);
  return {
    sealing: nextOrNew(next.sealingKey, KEY_TYPES.sealing),
    identity: identity ? nextOrNew(next.identityKey, KEY_TYPES.identity) : current.identity,
  };
}

/** Null: none was begun. The sealing key is the first to be put in its place. */
export function openRotation(dataDir: string, current: Rotation): Rotation | null {
  const { next } = identityPaths(dataDir);
  const identity = readKey(next.identityKey, KEY_TYPES.identity);
  const sealing = readKey(next.sealingKey, KEY_TYPES.sealing);
  if (!identity && !sealing) return null;
  return { identity: identity ?? current.identity, sealing: sealing ?? current.sealing };
}

/** The hub took them. */
export function settleRotation(dataDir: string): void {
  const paths = identityPaths(dataDir);
  if (readPrivateFile(paths.next.sealingKey) !== null) {
    const former = readPrivateFile(paths.sealingKey);
    if (former !== null) writePrivateFile(paths.previousSealingKey, former);
    movePrivateFile(paths.next.sealingKey, paths.sealingKey);
  }
  if (readPrivateFile(paths.next.identityKey) !== null) {
    movePrivateFile(paths.next.identityKey, paths.identityKey);
  }
}
