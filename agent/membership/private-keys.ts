/**
 * Private files of the node's identity: mode 0600 in a directory 0700, set explicitly whatever the
 * umask, written whole and flushed; and the keys in them. Keys are made here and never leave.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectorySync } from '../make-directory.js';

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
    /** On the way: made before the hub is asked, in force when it has answered. */
    next: {
      identityKey: file('identity.next.key'),
      sealingKey: file('sealing.next.key'),
      tlsKey: file('tls.next.key'),
      certificate: file('tls.next.crt'),
    },
    /** What was sealed before the last rotation opens with it. */
    previousSealingKey: file('sealing.previous.key'),
  } as const;
}

export function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

export function makePrivateDirectory(path: string): void {
  makeDirectorySync(path, 0o700);
  chmodSync(path, 0o700);
  syncDirectory(dirname(path));
}

export function writePrivateFile(path: string, content: string): void {
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

export function readPrivateFile(path: string): string | null {
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

export const KEY_TYPES = {
  identity: 'ed25519',
  sealing: 'x25519',
  tls: 'ec',
} as const;
export type KeyType = (typeof KEY_TYPES)[keyof typeof KEY_TYPES];

export function readKey(path: string, type: string): KeyObject | null {
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

export function generateKey(type: KeyType): KeyObject {
  switch (type) {
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    case 'x25519':
      return generateKeyPairSync('x25519').privateKey;
    case 'ec':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  }
}

export function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Puts one file in another's place, at once and for good. */
export function movePrivateFile(from: string, to: string): void {
  renameSync(from, to);
  syncDirectory(dirname(to));
}

export function removePrivateFile(path: string): void {
  rmSync(path, { force: true });
  syncDirectory(dirname(path));
}
