/**
 * Opens the store's file safely: one process at a time, mode 0600, durable settings, a known
 * schema, sound pages. One process is enforced by a SQLite transaction that is held open on
 * `<path>-lock`: a lock of the kernel, which ends with the process, kill -9 included, and leaves
 * `<path>` itself readable for backups.
 */
import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { migrate, SCHEMA_VERSION } from './migrations.js';
import { StoreError } from './store.js';

/** "Flot" in ASCII: tells our files from other SQLite files. */
const APPLICATION_ID = 0x466c6f74;

export interface StoreFile {
  readonly db: Database.Database;
  /** Empties the write-ahead log into the file and frees the lock. */
  close(): void;
}

/** Throws `NotFound`, `Locked`, `NewerSchema`, `Corrupt`, `Unavailable`. */
export function openStoreFile(options: { path: string; create: boolean }): StoreFile {
  const { path, create } = options;
  if (!create && !hasContent(path)) {
    throw new StoreError(
      'NotFound',
      `${path}: there is no store here; give the data directory of a hub, or run \`flotilla hub init\``,
    );
  }
  const lock = lockStore(path);
  let db: Database.Database | null = null;
  try {
    const existed = hasContent(path);
    makePrivate(path);
    db = new Database(path, { timeout: 5000 });
    checkSchema(db, path);
    configure(db);
    if (existed) checkPages(db, path);
    else db.pragma(`application_id = ${APPLICATION_ID}`);
    migrate(db);
  } catch (error) {
    db?.close();
    lock.close();
    throw asStoreError(error, path);
  }
  const opened = db;
  return {
    db: opened,
    close() {
      try {
        opened.close();
      } finally {
        lock.close();
      }
    },
  };
}

/** SQLite's and the file system's errors in the store's words; every other error as it is. */
export function asStoreError(error: unknown, path: string): unknown {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (error instanceof StoreError || !(error instanceof Error) || typeof code !== 'string') {
    return error;
  }
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
    return corrupt(path, error.message, error);
  }
  if (UNAVAILABLE.some(prefix => code.startsWith(prefix))) {
    return new StoreError(
      'Unavailable',
      `${path}: ${error.message} (${code}); check the free space, the permissions and the disk`,
      { cause: error },
    );
  }
  return error;
}

const UNAVAILABLE = [
  'SQLITE_FULL',
  'SQLITE_IOERR',
  'SQLITE_READONLY',
  'SQLITE_CANTOPEN',
  'SQLITE_PERM',
  'SQLITE_NOMEM',
  'SQLITE_BUSY',
  'SQLITE_PROTOCOL',
  'ENOENT',
  'ENOTDIR',
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOSPC',
  'EDQUOT',
  'EIO',
  'EMFILE',
];

function corrupt(path: string, why: string, cause?: Error): StoreError {
  return new StoreError(
    'Corrupt',
    `${path}: the store is damaged or not a store of a hub (${why}); ` +
      'keep the file for rescue and restore a backup with `flotilla hub restore`',
    cause && { cause },
  );
}

function hasContent(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/**
 * An existing file is never opened here but by SQLite: closing any other descriptor of it would
 * drop the POSIX locks that SQLite holds in this process (sqlite.org/howtocorrupt.html, 2.2).
 */
function makePrivate(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'wx', 0o600));
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    if (existsSync(file)) chmodSync(file, 0o600);
  }
}

function lockStore(path: string): Database.Database {
  const file = `${path}-lock`;
  let lock: Database.Database | null = null;
  try {
    makePrivate(file);
    lock = new Database(file, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) {
      throw new StoreError(
        'Locked',
        `${path}: in use by another process, probably another \`flotilla hub run\`; ` +
          'stop that one first',
        { cause: error },
      );
    }
    throw asStoreError(error, file);
  }
}

function checkSchema(db: Database.Database, path: string): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  const application = db.pragma('application_id', { simple: true }) as number;
  const tables = db.prepare<[], number>('SELECT count(*) FROM sqlite_schema').pluck().get() ?? 0;
  if (application !== APPLICATION_ID && tables > 0) throw corrupt(path, 'another application id');
  if (version > SCHEMA_VERSION) {
    throw new StoreError(
      'NewerSchema',
      `${path}: the store has schema ${version}, this program knows schemas up to ` +
        `${SCHEMA_VERSION}; run the newer flotilla that wrote it, or restore a backup made before`,
    );
  }
}

function configure(db: Database.Database): void {
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  db.pragma('trusted_schema = OFF');
  db.pragma(`journal_size_limit = ${64 * 1024 * 1024}`);
}

/** Throws `StoreError` (Corrupt). */
export function checkPages(db: Database.Database, path: string): void {
  const finding = db.pragma('quick_check(1)', { simple: true }) as string;
  if (finding !== 'ok') throw corrupt(path, finding);
}
