/**
 * Files that only the hub's user may read: mode 0600 in directories 0700, set explicitly whatever
 * the umask, flushed to disk with the directory that names them. A file is there whole or not at
 * all.
 */
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { SetupError } from './setup-error.js';

/** Makes the directory and its parents if need be; the last one gets mode 0700. Throws what the disk says. */
export function makePrivateDirectory(path: string): void {
  makeDirectory(path);
  chmodSync(path, 0o700);
}

/** Node's own (`recursive: true`) never ends where a file system that is there takes no directory (`/proc`). */
function makeDirectory(path: string): void {
  const make = () => {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
    }
  };
  try {
    make();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    makeDirectory(dirname(path));
    make();
  }
}

export function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Replaces the file in one step: a reader sees the old content or the new one. Calling it again is
 * safe.
 */
export function writePrivateFile(path: string, content: string | Uint8Array): void {
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

/** Null if there is none. For what holds no secret: settings, certificates, roots. */
export function readFileIfAny(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Null if there is none. Throws `Mode` for a file that group or others may touch (S75). */
export function readPrivateFile(path: string): string | null {
  const content = readFileIfAny(path);
  if (content === null) return null;
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    const shown = mode.toString(8).padStart(4, '0');
    throw new SetupError(
      'Mode',
      `${path} has mode ${shown}, so that others may read it: consider its content known, ` +
        `or, if you are sure that it is not, run: chmod 600 ${path}`,
    );
  }
  return content;
}
