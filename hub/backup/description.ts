/**
 * `backup.json`, the first entry of a backup: what is in it, of which hub, from when, and the digest of every file, so
 * that a damaged or altered archive is noticed before anything of it is used. Pure.
 */
import { SetupError } from '../setup/setup-error.js';

export const DESCRIPTION_FILE = 'backup.json';
export const DESCRIPTION_BYTES_MAX = 1024 * 1024;
const FORMAT = 1;

/** `keys`: settings, keys, certificates, roots and the identities of nodes; no bundles, no reports, no history. */
export type BackupKind = 'full' | 'keys';

export interface BackedUpFile {
  /** Below the data directory, with `/`. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export interface BackupDescription {
  readonly format: number;
  readonly kind: BackupKind;
  /** RFC 3339. */
  readonly madeAt: string;
  /** Version of the program that made it. */
  readonly program: string;
  readonly fleet: string;
  readonly rootVersion: number;
  readonly files: readonly BackedUpFile[];
}

const PATH = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,4}$/;
const DIGEST = /^[0-9a-f]{64}$/;

export function formatDescription(description: Omit<BackupDescription, 'format'>): string {
  return `${JSON.stringify({ format: FORMAT, ...description }, null, 2)}\n`;
}

/** Throws `SetupError` (BadBackup, Unsupported); `file` names the archive. */
export function parseDescription(text: string, file: string): BackupDescription {
  const bad = (what: string) => new SetupError('BadBackup', `${file}: ${what}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad(`its ${DESCRIPTION_FILE} is damaged`);
  }
  const read = value as Partial<BackupDescription> | null;
  if (typeof read?.format !== 'number') throw bad('not a backup of a hub');
  if (read.format > FORMAT) {
    throw new SetupError(
      'Unsupported',
      `${file}: backup format ${read.format}, this program knows ${FORMAT}; restore it with the flotilla ` +
        'that made it, or a newer one',
    );
  }
  const { kind, madeAt, program, fleet, rootVersion, files } = read;
  const isSound =
    (kind === 'full' || kind === 'keys') &&
    typeof madeAt === 'string' &&
    !Number.isNaN(Date.parse(madeAt)) &&
    typeof program === 'string' &&
    typeof fleet === 'string' &&
    Number.isSafeInteger(rootVersion) &&
    Array.isArray(files) &&
    files.every(isFile);
  if (!isSound) throw bad(`its ${DESCRIPTION_FILE} lacks something`);
  return read as BackupDescription;
}

function isFile(value: unknown): boolean {
  const { path, size, sha256 } = (value ?? {}) as Partial<BackedUpFile>;
  return (
    typeof path === 'string' &&
    PATH.test(path) &&
    Number.isSafeInteger(size) &&
    Number(size) >= 0 &&
    typeof sha256 === 'string' &&
    DIGEST.test(sha256)
  );
}
