/**
 * The encryption of a backup: age-encryption.org/v1, armoured, for a passphrase (scrypt) or for recipients (`age1…`), in
 * streams, so that its size does not matter. The stock `age -d` opens the same file.
 */
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { Readable, Transform, type TransformCallback } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { Decrypter, Encrypter } from 'age-encryption';
import { SetupError } from '../setup/setup-error.js';

export type Protection =
  | { readonly kind: 'none' }
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'recipients'; readonly recipients: readonly string[] };

/** What a person brings to open one; absent where it was not given. */
export interface Opening {
  readonly passphrase?: string | undefined;
  /** `AGE-SECRET-KEY-1…`. */
  readonly identities?: readonly string[] | undefined;
}

const BEGIN = '-----BEGIN AGE ENCRYPTED FILE-----';
const END = '-----END AGE ENCRYPTED FILE-----';
/** Bytes in a line of 64 characters. */
const LINE_BYTES = 48;

/** Throws `SetupError` (BadSetting) for what is no recipient. */
export function checkRecipients(recipients: readonly string[]): void {
  for (const recipient of recipients) {
    try {
      new Encrypter().addRecipient(recipient);
    } catch {
      throw new SetupError(
        'BadSetting',
        `--recipient ${recipient}: not a public key of age (age1…); make one with age-keygen`,
      );
    }
  }
}

export async function protect(plain: Readable, protection: Protection): Promise<Readable> {
  if (protection.kind === 'none') return plain;
  const encrypter = new Encrypter();
  if (protection.kind === 'passphrase') encrypter.setPassphrase(protection.passphrase);
  else for (const recipient of protection.recipients) encrypter.addRecipient(recipient);
  const sealed = await encrypter.encrypt(webStream(plain));
  return Readable.fromWeb(sealed as ReadableStream).pipe(new Armour());
}

/** The plain bytes of a file, encrypted or not. Throws `SetupError` (BadBackup, WrongPassphrase), and errors of the file system. */
export async function openProtected(path: string, opening: Opening): Promise<Readable> {
  if (!isEncrypted(path)) return createReadStream(path);
  const { passphrase, identities = [] } = opening;
  if (passphrase === undefined && identities.length === 0) {
    throw new SetupError(
      'WrongPassphrase',
      `${path} is encrypted: give --passphrase-file FILE, or --identity FILE with the age key of a recipient`,
    );
  }
  const decrypter = new Decrypter();
  if (passphrase !== undefined) decrypter.addPassphrase(passphrase);
  for (const identity of identities) {
    try {
      decrypter.addIdentity(identity);
    } catch {
      throw new SetupError('BadSetting', '--identity: holds no key of age (AGE-SECRET-KEY-1…)');
    }
  }
  const armoured = createReadStream(path).pipe(new Unarmour(path));
  try {
    const plain = await decrypter.decrypt(webStream(armoured));
    return Readable.fromWeb(plain as ReadableStream);
  } catch (error) {
    armoured.destroy();
    if (error instanceof SetupError) throw error;
    if (/no identity matched/.test(String(error))) {
      throw new SetupError(
        'WrongPassphrase',
        `${path}: wrong passphrase, or not encrypted for this key; nothing was read from it`,
      );
    }
    throw new SetupError('BadBackup', `${path}: a damaged age file; use another backup`);
  }
}

export function isEncrypted(path: string): boolean {
  const descriptor = openSync(path, 'r');
  try {
    const head = Buffer.alloc(BEGIN.length);
    readSync(descriptor, head, 0, head.length, 0);
    return head.toString('latin1') === BEGIN;
  } finally {
    closeSync(descriptor);
  }
}

function webStream(stream: Readable): globalThis.ReadableStream<Uint8Array> {
  return Readable.toWeb(stream) as globalThis.ReadableStream<Uint8Array>;
}

/** Bytes to lines of 64 characters between a head and a foot. */
class Armour extends Transform {
  #rest = Buffer.alloc(0);

  constructor() {
    super();
    this.push(`${BEGIN}\n`);
  }

  override _transform(chunk: Uint8Array, _encoding: string, done: TransformCallback): void {
    const bytes = Buffer.concat([this.#rest, chunk]);
    const whole = bytes.length - (bytes.length % LINE_BYTES);
    this.#rest = bytes.subarray(whole);
    done(null, linesOf(bytes.subarray(0, whole)));
  }

  override _flush(done: TransformCallback): void {
    done(null, `${linesOf(this.#rest)}${END}\n`);
  }
}

function linesOf(bytes: Buffer): string {
  return bytes.toString('base64').replace(/.{1,64}/g, '$&\n');
}

class Unarmour extends Transform {
  readonly #path: string;
  #rest = '';
  #ended = false;

  constructor(path: string) {
    super();
    this.#path = path;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    const lines = (this.#rest + chunk.toString('latin1')).split(/\r?\n/);
    this.#rest = lines.pop() ?? '';
    const body: string[] = [];
    for (const line of lines) {
      if (line === END) this.#ended = true;
      else if (line !== BEGIN) body.push(line);
    }
    const text = body.join('');
    if (/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return done(null, Buffer.from(text, 'base64'));
    done(new SetupError('BadBackup', `${this.#path}: a damaged age file; use another backup`));
  }

  override _flush(done: TransformCallback): void {
    if (this.#ended || this.#rest === END) return done();
    done(new SetupError('BadBackup', `${this.#path}: cut short; use another backup`));
  }
}
