/**
 * Makes the static pod directory the first time that a data directory uses it, and never again: a directory that is missing
 * later may be a disk that is not mounted, and an empty one in its place would say that every pod is to go.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectorySync } from './make-directory.js';

const RECORD = 'static-pod-path';

/** Safe to call at each start. Throws when the directory cannot be made. */
export function makeOnFirstUse(staticPodPath: string, dataDir: string): void {
  const record = join(dataDir, RECORD);
  if (readRecord(record) === staticPodPath) return;
  mkdirIfMissing(staticPodPath);
  // The record lasts only after the directory does: a power cut that took one of them must not leave the other alone.
  syncPath(dirname(staticPodPath));
  writeFileSync(record, `${staticPodPath}\n`, { mode: 0o600 });
  syncPath(record);
  syncPath(dataDir);
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function readRecord(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trimEnd();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** One file may be the path too. */
function mkdirIfMissing(path: string): void {
  try {
    makeDirectorySync(path, 0o755);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
