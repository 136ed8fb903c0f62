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
/** It is printed. */
const PROGRAM = /^[A-Za-z0-9.+-]{1,64}$/;

export function formatDescription(description: Omit<BackupDescription, 'format'>): string {
  return `${JSON.stringify({ format: FORMAT, ...description }, null, 2)}\n`;
}

type Read<T> = { readonly [K in keyof T]?: unknown };

/** Throws `SetupError` (BadBackup, Unsupported); `file` names the archive. What this format has no field for is left out. */
export function parseDescription(text: string, file: string): BackupDescription {
  const bad = (what: string) => new SetupError('BadBackup', `${file}: ${what}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad(`its ${DESCRIPTION_FILE} is damaged`);
  }
  const read = value as Read<BackupDescription> | null;
  const format = read?.format;
  if (!isCount(format) || format < 1) throw bad('not a backup of a hub');
  if (format > FORMAT) {
    throw new SetupError(
      'Unsupported',
      `${file}: backup format ${format}, this program knows ${FORMAT}; restore it with the flotilla ` +
        'that made it, or a newer one',
    );
  }
  const found = described(read ?? {});
  if (found === null) throw bad(`its ${DESCRIPTION_FILE} lacks something`);
  return found;
}

function described(read: Read<BackupDescription>): BackupDescription | null {
  const { kind, madeAt, program, fleet, rootVersion, files } = read;
  if (kind !== 'full' && kind !== 'keys') return null;
  if (typeof madeAt !== 'string' || !isTime(madeAt)) return null;
  if (typeof program !== 'string' || !PROGRAM.test(program)) return null;
  if (typeof fleet !== 'string' || !isCount(rootVersion) || !Array.isArray(files)) return null;
  const known = (files as unknown[]).map(fileOf);
  if (!known.every(one => one !== null)) return null;
  return { format: FORMAT, kind, madeAt, program, fleet, rootVersion, files: known };
}

function fileOf(value: unknown): BackedUpFile | null {
  const { path, size, sha256 } = (value ?? {}) as Read<BackedUpFile>;
  if (typeof path !== 'string' || !PATH.test(path)) return null;
  if (!isCount(size) || typeof sha256 !== 'string' || !DIGEST.test(sha256)) return null;
  return { path, size, sha256 };
}

/** JSON has a number -0, which is another one when it was written and read again. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && !Object.is(value, -0);
}

/** In the one form that is written: `Date` takes others, with comments in them. */
function isTime(text: string): boolean {
  const at = Date.parse(text);
  return !Number.isNaN(at) && new Date(at).toISOString() === text;
}
