/**
 * The join line comes from a file or from standard input, never from the command line or the
 * environment, where other users could read it (S77). The file goes once its token lets in nobody more.
 */
import { createReadStream, rmSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { JoinError } from './join-http.js';

/** A join line is under 400 bytes; the rest is room for comments. */
const FILE_BYTES_MAX = 16 * 1024;

/** `-` is standard input, read to its end. Throws `JoinError` (BadLine). */
export async function readTokenFile(path: string, stdin: Readable): Promise<string> {
  const isStdin = path === '-';
  const name = isStdin ? 'standard input' : path;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of isStdin ? stdin : createReadStream(path)) {
      const bytes = Buffer.from(chunk as Uint8Array | string);
      chunks.push(bytes);
      size += bytes.byteLength;
      if (size > FILE_BYTES_MAX) break;
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw new JoinError(
      'BadLine',
      `--token-file ${name} cannot be read (${code}): give the file that holds the join line of ` +
        '`flotilla token create`, or - for standard input',
    );
  }
  if (size > FILE_BYTES_MAX) {
    throw new JoinError('BadLine', `--token-file ${name} is over ${FILE_BYTES_MAX} bytes`);
  }
  return Buffer.concat(chunks).toString();
}

/** The mode of a file that group or others may touch, as `chmod` takes it; null: it is private, a pipe, or not there. */
export function tokenFileMode(path: string): string | null {
  if (path === '-') return null;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile() || (stats.mode & 0o077) === 0) return null;
  return (stats.mode & 0o777).toString(8).padStart(4, '0');
}

/**
 * Removes a token file after the join. Its secret is used up by then, so one that cannot be removed
 * is no error: the answer says whether it is gone.
 */
export function removeTokenFile(path: string): boolean {
  if (path === '-') return false;
  try {
    rmSync(path);
    return true;
  } catch {
    return false;
  }
}
