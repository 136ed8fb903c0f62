/**
 * The hub's keys: made here, written as PKCS8 PEM, read back as signers. Private keys leave this
 * file only as `KeyObject`s and as the PEM that their own file holds.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { resolve, sep } from 'node:path';
import { readPrivateFile, writePrivateFile } from './private-files.js';
import { SetupError } from './setup-error.js';

/**
 * Ed25519 signs documents, X25519 receives sealed content, P-256 does TLS (brokers and TPMs all
 * speak it).
 */
export type KeyType = 'ed25519' | 'x25519' | 'p256';

export function generatePrivateKey(type: KeyType): KeyObject {
  switch (type) {
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    case 'x25519':
      return generateKeyPairSync('x25519').privateKey;
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  }
}

export function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export function isOfType(key: KeyObject, type: KeyType): boolean {
  if (type !== 'p256') return key.asymmetricKeyType === type;
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

/** What opens the encrypted keys below a data directory, once somebody has given its passphrase. */
const secrets = new Map<string, string>();

/** From now on this program reads and writes the keys of that directory encrypted (`key-lock.ts`); null: plain again. */
export function useKeySecret(dataDir: string, secret: string | null): void {
  if (secret === null) secrets.delete(resolve(dataDir));
  else secrets.set(resolve(dataDir), secret);
}

function secretFor(path: string): string | null {
  const all = [...secrets].filter(([dataDir]) => resolve(path).startsWith(dataDir + sep));
  return all[0]?.[1] ?? null;
}

/** PKCS#8 (RFC 5958), encrypted (RFC 8018) where the directory's keys are; mode 0600, in one step. */
export function writePrivateKey(path: string, key: KeyObject): void {
  const passphrase = secretFor(path);
  if (passphrase === null) return writePrivateFile(path, privatePem(key));
  const cipher = 'aes-256-cbc';
  const pem = key.export({ type: 'pkcs8', format: 'pem', cipher, passphrase });
  writePrivateFile(path, pem.toString());
}

export function isEncryptedPem(pem: string): boolean {
  return pem.startsWith('-----BEGIN ENCRYPTED PRIVATE KEY-----');
}

/** Null if there is no such file. Throws `SetupError`: Mode, Corrupt, Locked. */
export function readPrivateKey(path: string, type: KeyType): KeyObject | null {
  const pem = readPrivateFile(path);
  if (pem === null) return null;
  const passphrase = secretFor(path);
  if (isEncryptedPem(pem) && passphrase === null) {
    throw new SetupError(
      'Locked',
      `${path} is encrypted: give --passphrase-file FILE, or --key-file FILE if it was locked with one`,
    );
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(passphrase === null ? pem : { key: pem, format: 'pem', passphrase });
  } catch {
    throw new SetupError('Corrupt', `${path}: not a private key in PEM; restore it from a backup`);
  }
  if (!isOfType(key, type)) {
    throw new SetupError('Corrupt', `${path}: not a key of type ${type}; restore it from a backup`);
  }
  return key;
}
