/** A private key of a hub's directory, and with the certificate that was made for it. Reads only; what is wrong is named. */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { privatePem, readPrivateKey, type KeyType } from './keys.js';
import { readFileIfAny } from './private-files.js';
import { SetupError } from './setup-error.js';

/** PEM of a key and its certificate. */
export interface TlsPair {
  readonly key: string;
  readonly certificate: string;
}

export function missing(path: string): SetupError {
  return new SetupError('Missing', `${path} is missing; restore it from a backup`);
}

export function requireKey(path: string, type: KeyType): KeyObject {
  const key = readPrivateKey(path, type);
  if (key === null) throw missing(path);
  return key;
}

/** A key and the certificate made for it. Throws `SetupError`: Missing, Mode, Corrupt. */
export function readPair(keyPath: string, certificatePath: string): TlsPair {
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
