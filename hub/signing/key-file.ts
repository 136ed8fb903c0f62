/**
 * Ed25519 private keys in files. Written: PKCS#8 PEM (RFC 8410), mode 0600, on disk before the call returns; with a
 * passphrase an armoured age file (age-encryption.org/v1, scrypt) around that PEM, which the stock `age -d` opens. Read
 * besides: OpenSSH private keys. A file that group or others may read is refused, as ssh does. Nothing secret is ever in
 * a message.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { armor, Decrypter, Encrypter } from 'age-encryption';
import ssh2 from 'ssh2';
import { CliError } from '../../protocol/cli-error.js';
import { rawPublicKey } from '../../protocol/keys.js';
import { readIdentities } from '../setup/age-identities.js';
import { isLocked, lockKind, openLockedPem } from '../setup/key-lock.js';
import { isEncryptedPem, privatePem } from '../setup/keys.js';
import { readPrivateFile, syncDirectory } from '../setup/private-files.js';
import { SetupError } from '../setup/setup-error.js';
import { parsePublicKey, publicKeyLine } from './public-key.js';

/** No key file of any kind is larger. */
const KEY_FILE_BYTES_MAX = 64 * 1024;
const AGE_ARMOUR = '-----BEGIN AGE ENCRYPTED FILE-----';
const OPENSSH = '-----BEGIN OPENSSH PRIVATE KEY-----';

/** Says the passphrase of a key; `what` names the key for a question. Throws `CliError` where nobody can say it. */
export type AskPassphrase = (what: string) => Promise<string>;

/**
 * The PEM of a key, encrypted if there is a passphrase. Takes about a second then: scrypt with 2^18 rounds.
 */
export async function encodeKey(key: KeyObject, passphrase: string | null): Promise<string> {
  const pem = privatePem(key);
  if (passphrase === null) return pem;
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  return armor.encode(await encrypter.encrypt(pem));
}

/** Throws `CliError` if a key, or one half of it, is there: asked before a person types a passphrase for nothing. */
export function refuseExisting(path: string): void {
  for (const half of [path, `${path}.pub`]) {
    if (lstatSync(half, { throwIfNoEntry: false })) throw exists(half);
  }
}

function exists(path: string): CliError {
  const hint = 'choose another name; move the file away only if nothing trusts that key';
  return new CliError('refused', `${path} exists and is never overwritten`, hint);
}

/**
 * Writes `path` (0600) and `path.pub` (0644, one line as OpenSSH writes it). Never overwrites: throws `CliError` if one
 * of them is there, and leaves neither behind when writing fails.
 */
export async function writeKeyFile(
  path: string,
  options: { key: KeyObject; passphrase: string | null; comment: string },
): Promise<void> {
  const line = `${publicKeyLine(rawPublicKey(options.key), options.comment)}\n`;
  const content = await encodeKey(options.key, options.passphrase);
  const publicPath = `${path}.pub`;
  createFile(path, content, 0o600);
  try {
    createFile(publicPath, line, 0o644);
    syncDirectory(dirname(path));
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

function createFile(path: string, content: string, mode: number): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx', mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'EEXIST' ? exists(path) : cannot('write', path, error);
  }
  try {
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
    fsyncSync(descriptor);
  } catch (error) {
    rmSync(path, { force: true });
    throw cannot('write', path, error);
  } finally {
    closeSync(descriptor);
  }
}

/** Throws `CliError`: no such file, readable by others, no Ed25519 key, wrong passphrase. */
export async function readKeyFile(
  path: string,
  ask: AskPassphrase,
  identityFile?: string,
): Promise<KeyObject> {
  const text = readKeyText(path);
  if (!isEncryptedPem(text) || !isLocked(hubOf(path))) return decodeKey(text, { path, ask });
  return hubKey(text, { path, ask, identityFile });
}

/** The data directory whose `keys` the file lies in, if it lies in one. */
function hubOf(path: string): string {
  return dirname(dirname(resolve(path)));
}

/** A key of a hub that keeps its keys encrypted: what opens them opens this one. */
async function hubKey(
  pem: string,
  of: { path: string; ask: AskPassphrase; identityFile: string | undefined },
): Promise<KeyObject> {
  const { path, ask, identityFile } = of;
  const dataDir = hubOf(path);
  try {
    if (lockKind(dataDir) === 'passphrase') {
      const passphrase = await ask(`the keys in ${dataDir}`);
      const lock = { kind: 'passphrase', passphrase } as const;
      return ed25519Key(await openLockedPem(dataDir, { pem, lock }), path);
    }
    if (identityFile === undefined) {
      const hint = 'pass --key-file FILE, the age key that opens them';
      throw new CliError('refused', `the keys in ${dataDir} are encrypted for an age key`, hint);
    }
    const [identity = ''] = readIdentities(identityFile, '--key-file');
    const lock = { kind: 'identity', identity } as const;
    return ed25519Key(await openLockedPem(dataDir, { pem, lock }), path);
  } catch (error) {
    if (error instanceof SetupError) throw new CliError('refused', error.message);
    throw error;
  }
}

/** Whether reading the key needs a passphrase. Throws as `readKeyFile` does. */
export function isEncryptedKey(path: string): boolean {
  const text = readKeyText(path);
  if (text.includes(AGE_ARMOUR) || isEncryptedPem(text)) return true;
  return text.includes(OPENSSH) && ssh2.utils.parseKey(text) instanceof Error;
}

function readKeyText(path: string): string {
  let text: string | null;
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw new CliError('refused', `${path} is not a file`);
    if (stats.size > KEY_FILE_BYTES_MAX) throw notAKey(path);
    // Before its mode: that of a public key does not matter.
    const seen = readFileSync(path, 'utf8');
    if (parsePublicKey(seen) || /-----BEGIN PUBLIC KEY-----/.test(seen)) {
      const beside = path.endsWith('.pub') ? ` (${path.slice(0, -'.pub'.length)}?)` : '';
      throw new CliError(
        'refused',
        `${path}: a public key; what signs is the private one${beside}`,
      );
    }
    text = readPrivateFile(path);
  } catch (error) {
    if (error instanceof SetupError) throw new CliError('refused', error.message);
    throw error instanceof CliError ? error : cannot('read', path, error);
  }
  if (text === null) throw new CliError('refused', `${path}: no such file`);
  return text;
}

/** The same for text that was read already; `path` only names it. */
export async function decodeKey(
  text: string,
  { path, ask }: { path: string; ask: AskPassphrase },
): Promise<KeyObject> {
  if (text.includes(AGE_ARMOUR)) return pemKey(await openAge(text, path, ask), path);
  if (text.includes(OPENSSH)) return openSshKey(text, path, ask);
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----/m.test(text)) {
    const hint =
      `decrypt it: (umask 077; openssl pkey -in ${path} -out PLAIN); ` +
      "a hub's own key is read where it lies, beside unlock.age";
    throw new CliError('refused', `${path}: PEM encrypted by OpenSSL is not read`, hint);
  }
  return pemKey(text, path);
}

async function openAge(text: string, path: string, ask: AskPassphrase): Promise<string> {
  let file: Uint8Array;
  try {
    file = armor.decode(text);
  } catch {
    throw new CliError('refused', `${path}: a damaged age file; restore it from a backup`);
  }
  if (!/^-> scrypt /m.test(Buffer.from(file.subarray(0, 4096)).toString('latin1'))) {
    const hint = 'decrypt it with `age -d -i IDENTITY`, and encrypt it with `age -p -a`';
    throw new CliError('refused', `${path}: encrypted to a key, not with a passphrase`, hint);
  }
  const decrypter = new Decrypter();
  decrypter.addPassphrase(await ask(path));
  try {
    return await decrypter.decrypt(file, 'text');
  } catch (error) {
    if (/no identity matched/.test(String(error))) throw wrongPassphrase(path);
    throw new CliError('refused', `${path}: a damaged age file, or one made for another use`);
  }
}

/** Undefined for a file that holds no key at all, which the types do not know. */
function parsedSshKey(text: string, passphrase?: string) {
  return ssh2.utils.parseKey(text, passphrase) as
    ReturnType<typeof ssh2.utils.parseKey> | undefined;
}

async function openSshKey(text: string, path: string, ask: AskPassphrase): Promise<KeyObject> {
  let parsed = parsedSshKey(text);
  if (parsed instanceof Error && /no passphrase given/.test(parsed.message)) {
    parsed = parsedSshKey(text, await ask(path));
    if (parsed instanceof Error) throw wrongPassphrase(path);
  }
  if (parsed instanceof Error || parsed === undefined) throw notAKey(path);
  if (parsed.type !== 'ssh-ed25519') {
    throw new CliError(
      'refused',
      `${path} is a key of type ${parsed.type}; only Ed25519 signs here`,
      'make one with `flotilla key generate FILE` or `ssh-keygen -t ed25519`',
    );
  }
  return pemKey(parsed.getPrivatePEM(), path);
}

function pemKey(pem: string, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw notAKey(path);
  }
  return ed25519Key(key, path);
}

function ed25519Key(key: KeyObject, path: string): KeyObject {
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new CliError(
    'refused',
    `${path} is a key of type ${key.asymmetricKeyType ?? 'unknown'}; only Ed25519 signs here`,
  );
}

/** Of a `PUBLIC KEY` PEM; null if it is none of Ed25519. */
export function publicKeyOfPem(pem: string): string | null {
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyType === 'ed25519' ? rawPublicKey(key) : null;
  } catch {
    return null;
  }
}

function wrongPassphrase(path: string): CliError {
  return new CliError('refused', `${path}: wrong passphrase`);
}

function notAKey(path: string): CliError {
  return new CliError(
    'refused',
    `${path}: not a private key (PKCS#8 PEM, such a PEM in an age file, or OpenSSH)`,
  );
}

function cannot(what: string, path: string, error: unknown): CliError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && what === 'read') return new CliError('refused', `${path}: no such file`);
  return new CliError('refused', `cannot ${what} ${path}: ${code ?? message}`);
}
