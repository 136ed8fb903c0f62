/**
 * The hub's keys: made here, written as PKCS8 PEM, read back as signers. Private keys leave this
 * file only as `KeyObject`s and as the PEM that their own file holds.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readPrivateFile } from './private-files.js';
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

/** Null if there is no such file. Throws `SetupError`: Mode, Corrupt. */
export function readPrivateKey(path: string, type: KeyType): KeyObject | null {
  const pem = readPrivateFile(path);
  if (pem === null) return null;
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new SetupError('Corrupt', `${path}: not a private key in PEM; restore it from a backup`);
  }
  if (!isOfType(key, type)) {
    throw new SetupError('Corrupt', `${path}: not a key of type ${type}; restore it from a backup`);
  }
  return key;
}
