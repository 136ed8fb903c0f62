/**
 * Where a passphrase comes from: a file, or a person at a terminal who types it unseen. Never from arguments or the
 * environment, which other users of the machine may read.
 */
import { readFileSync, statSync } from 'node:fs';
import { CliError } from '../../protocol/cli-error.js';
import type { AskPassphrase } from './key-file.js';

/** Of a passphrase that is chosen here. */
const CHARACTERS_MIN = 8;
const BYTES_MAX = 1024;

export interface PassphraseOptions {
  /** `--passphrase-file`. */
  readonly file: string | undefined;
  /** A question whose answer is not shown; null where nobody sits. */
  readonly askSecret: (question: string) => Promise<string | null>;
}

/** For keys that exist: the file's passphrase for each, or a question for each. */
export function passphraseFor({ file, askSecret }: PassphraseOptions): AskPassphrase {
  return async what => {
    if (file !== undefined) return readPassphraseFile(file);
    const answer = await askSecret(`Passphrase of ${what}: `);
    if (answer !== null) return answer;
    const hint = 'pass --passphrase-file FILE, or run this on a terminal';
    throw new CliError('refused', `${what}: encrypted, and nobody can type the passphrase`, hint);
  };
}

/** For a key that is made: typed twice. Throws `CliError` for one that is short, or typed differently. */
export async function newPassphrase(
  what: string,
  { file, askSecret }: PassphraseOptions,
): Promise<string> {
  if (file !== undefined) return longEnough(readPassphraseFile(file), file);
  const first = await askSecret(`Passphrase for ${what} (at least ${CHARACTERS_MIN} characters): `);
  if (first === null) {
    throw new CliError(
      'refused',
      `${what} needs a passphrase, and nobody can type it`,
      'pass --passphrase-file FILE, run this on a terminal, or say --no-passphrase',
    );
  }
  longEnough(first, 'the passphrase');
  if ((await askSecret('The same again: ')) === first) return first;
  throw new CliError('refused', 'the passphrases differ; nothing was written');
}

function longEnough(passphrase: string, where: string): string {
  if ([...passphrase].length >= CHARACTERS_MIN) return passphrase;
  throw new CliError('refused', `${where}: shorter than ${CHARACTERS_MIN} characters`);
}

/**
 * One line; its end is not part of it. Throws `CliError` for a regular file that others may read, for none, and for
 * one of several lines.
 */
export function readPassphraseFile(path: string): string {
  let text: string;
  try {
    const stats = statSync(path);
    if (stats.isFile() && (stats.mode & 0o077) !== 0) {
      throw new CliError('refused', `${path}: others may read it; run: chmod 600 ${path}`);
    }
    if (stats.isFile() && stats.size > BYTES_MAX) throw new CliError('refused', tooLong(path));
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'no such file' : (code ?? message);
    throw new CliError('refused', `cannot read the passphrase in ${path}: ${why}`);
  }
  const line = text.replace(/\r?\n$/, '');
  if (line === '') throw new CliError('refused', `${path}: no passphrase in it`);
  if (/[\r\n]/.test(line) || Buffer.byteLength(line) > BYTES_MAX) {
    throw new CliError('refused', tooLong(path));
  }
  return line;
}

function tooLong(path: string): string {
  return `${path}: a passphrase is one line of at most ${BYTES_MAX} bytes`;
}
