/**
 * Keys encrypted at rest: every private key below the data directory is PKCS#8 encrypted with a random secret, and that
 * secret lies beside them in `keys/unlock.age`, encrypted with a passphrase (scrypt) or for an age key that is kept in a
 * file elsewhere. So a passphrase is changed by replacing one small file, and one look at it costs one second, however
 * many keys there are. Directories of keys that are half one and half the other read well: a change that is cut off is
 * simply begun again.
 */
import { createPrivateKey, randomBytes, type KeyObject } from 'node:crypto';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { armor, Decrypter, Encrypter, identityToRecipient } from 'age-encryption';
import { hubPaths } from './config.js';
import { isEncryptedPem, useKeySecret, writePrivateKey } from './keys.js';
import { readPrivateFile, syncDirectory, writePrivateFile } from './private-files.js';
import { refuseUnsafeDirectory } from './safe-directory.js';
import { SetupError } from './setup-error.js';

export type KeyLock =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  /** `AGE-SECRET-KEY-1…`, of a file that lies elsewhere. */
  | { readonly kind: 'identity'; readonly identity: string };

function lockPath(dataDir: string): string {
  return join(hubPaths(dataDir).directories.keys, 'unlock.age');
}

export function isLocked(dataDir: string): boolean {
  return existsSync(lockPath(dataDir));
}

/** Before the first key is written. From now on this program writes that directory's keys encrypted. */
export async function makeKeyLock(dataDir: string, lock: KeyLock): Promise<void> {
  const secret = randomBytes(32).toString('hex');
  await writeLock(dataDir, secret, lock);
  useKeySecret(dataDir, secret);
}

/**
 * From now on this program reads that directory's keys. Throws `SetupError`: WrongPassphrase, Corrupt, Mode; BadSetting
 * for keys that are not encrypted, which somebody believes to be.
 */
export async function openKeyLock(dataDir: string, lock: KeyLock): Promise<void> {
  useKeySecret(dataDir, await secretOf(dataDir, lock));
}

/** What the lock of a directory opens with. */
export function lockKind(dataDir: string): KeyLock['kind'] {
  const text = readPrivateFile(lockPath(dataDir)) ?? '';
  let file: Uint8Array;
  try {
    file = armor.decode(text);
  } catch {
    const what = `${lockPath(dataDir)}: a damaged age file; restore it from a backup`;
    throw new SetupError('Corrupt', what);
  }
  const head = Buffer.from(file.subarray(0, 4096)).toString('latin1');
  return /^-> scrypt /m.test(head) ? 'passphrase' : 'identity';
}

/** One of the directory's encrypted keys, which this program does not keep open. Throws as `openKeyLock` does. */
export async function openLockedPem(
  dataDir: string,
  { pem, lock }: { readonly pem: string; readonly lock: KeyLock },
): Promise<KeyObject> {
  return createPrivateKey({ key: pem, format: 'pem', passphrase: await secretOf(dataDir, lock) });
}

/** To a new passphrase or key; encrypts keys that were plain. `from`: null for plain keys. Throws `SetupError`. */
export async function changeKeyLock(
  dataDir: string,
  { from, to }: { readonly from: KeyLock | null; readonly to: KeyLock },
): Promise<void> {
  refuseUnsafeDirectory(dataDir);
  const secret = isLocked(dataDir)
    ? await secretOf(dataDir, required(dataDir, from))
    : randomBytes(32).toString('hex');
  await writeLock(dataDir, secret, to);
  useKeySecret(dataDir, secret);
  rewriteKeys(dataDir, secret);
}

/** Plain keys again. Throws `SetupError`. */
export async function removeKeyLock(dataDir: string, from: KeyLock): Promise<void> {
  refuseUnsafeDirectory(dataDir);
  const secret = await secretOf(dataDir, from);
  useKeySecret(dataDir, null);
  rewriteKeys(dataDir, secret);
  const path = lockPath(dataDir);
  rmSync(path);
  syncDirectory(dirname(path));
}

function required(dataDir: string, lock: KeyLock | null): KeyLock {
  if (lock) return lock;
  throw new SetupError(
    'Locked',
    `${lockPath(dataDir)}: the keys are encrypted; give the former passphrase or key file too`,
  );
}

/** Each file in one step, in the form that is in force now. */
function rewriteKeys(dataDir: string, secret: string): void {
  const { directories, nextTls } = hubPaths(dataDir);
  const folders = [directories.keys, hubPaths(nextTls).directories.keys].filter(existsSync);
  const names = folders.flatMap(folder => readdirSync(folder).map(name => join(folder, name)));
  for (const path of names.filter(file => file.endsWith('.key'))) {
    const pem = readPrivateFile(path) ?? '';
    try {
      const passphrase = isEncryptedPem(pem) ? { passphrase: secret } : {};
      writePrivateKey(path, createPrivateKey({ key: pem, format: 'pem', ...passphrase }));
    } catch (error) {
      if (error instanceof SetupError) throw error;
      throw new SetupError(
        'Corrupt',
        `${path}: not a private key in PEM; restore it from a backup`,
      );
    }
  }
}

async function writeLock(dataDir: string, secret: string, lock: KeyLock): Promise<void> {
  const encrypter = new Encrypter();
  if (lock.kind === 'passphrase') encrypter.setPassphrase(lock.passphrase);
  else encrypter.addRecipient(await identityToRecipient(lock.identity));
  writePrivateFile(lockPath(dataDir), armor.encode(await encrypter.encrypt(secret)));
}

async function secretOf(dataDir: string, lock: KeyLock): Promise<string> {
  const path = lockPath(dataDir);
  const text = readPrivateFile(path);
  if (text === null) {
    throw new SetupError(
      'BadSetting',
      `the keys in ${dataDir} are not encrypted: leave the option out, or encrypt them with \`flotilla hub passphrase\``,
    );
  }
  const decrypter = new Decrypter();
  if (lock.kind === 'passphrase') decrypter.addPassphrase(lock.passphrase);
  else decrypter.addIdentity(lock.identity);
  try {
    return await decrypter.decrypt(armor.decode(text), 'text');
  } catch (error) {
    if (/no identity matched/.test(String(error))) {
      const what = lock.kind === 'passphrase' ? 'passphrase' : 'key file';
      throw new SetupError('WrongPassphrase', `${path}: wrong ${what}; nothing was changed`);
    }
    throw new SetupError('Corrupt', `${path}: a damaged age file; restore it from a backup`);
  }
}
