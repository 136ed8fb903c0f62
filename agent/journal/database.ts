/**
 * Opens the journal's SQLite file: WAL, synchronous FULL, mode 0600, migrated to this version's
 * schema. A damaged file is set aside and a new one begun; a file of a newer version is refused and
 * left alone. Holds no knowledge of what the tables mean.
 */
import Database from 'better-sqlite3';
import { chmodSync, closeSync, existsSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { MIGRATIONS, SCHEMA_VERSION } from './schema.js';

export const JOURNAL_FILE = 'journal.db';

export type Connection = Database.Database;

export type JournalErrorCode = 'NewerSchema' | 'OtherFleet' | 'Unusable';

/** The journal cannot be used; the message says what to do. */
export class JournalError extends Error {
  readonly code: JournalErrorCode;

  constructor(code: JournalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'JournalError';
    this.code = code;
  }
}

export interface OpenedDatabase {
  readonly connection: Connection;
  /** No usable file was there. */
  readonly created: boolean;
  /** Where the damaged file lies now. */
  readonly setAside: string | null;
}

/** Twice what it has when SQLite moves it into the file: at a thousand pages. */
const LOG_BYTES = 2 * 1024 * 1024;

const DAMAGED = new Set(['SQLITE_CORRUPT', 'SQLITE_NOTADB']);

function isDamage(error: unknown): boolean {
  if (!(error instanceof Database.SqliteError)) return false;
  return [...DAMAGED].some(code => error.code === code || error.code.startsWith(`${code}_`));
}

/** Full, read-only or failing: nothing that the program did wrong. */
export function isDiskError(error: unknown): error is Error {
  if (!(error instanceof Database.SqliteError)) return false;
  return /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN)/.test(error.code);
}

/** False: the disk refused it. Throws what else `work` throws. */
export function diskTakes(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (!isDiskError(error)) throw error;
    return false;
  }
}

/** SQLite gives -wal and -shm the mode of the main file, so that one is made beforehand. */
function connect(file: string): Connection {
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  const connection = new Database(file);
  try {
    // Both of a new file. A row costs the flash a page and some of the tree above it: small ones. What is not needed can be given back.
    connection.pragma('page_size = 1024');
    connection.pragma('auto_vacuum = INCREMENTAL');
    connection.pragma('journal_mode = WAL');
    connection.pragma('synchronous = FULL');
    connection.pragma('foreign_keys = ON');
    connection.pragma('cache_size = -512');
    // After a large bundle the log is cut back to what it usually has.
    connection.pragma(`journal_size_limit = ${LOG_BYTES}`);
    connection.pragma('busy_timeout = 5000');
    if (connection.pragma('quick_check(1)', { simple: true }) !== 'ok') {
      throw new Database.SqliteError('quick_check failed', 'SQLITE_CORRUPT');
    }
    migrate(connection, file);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function migrate(connection: Connection, file: string): void {
  const version = connection.pragma('user_version', { simple: true }) as number;
  if (version > SCHEMA_VERSION) {
    throw new JournalError(
      'NewerSchema',
      `${file}: written by a newer flotilla-agent (schema ${version}, this one reads up to ` +
        `${SCHEMA_VERSION}); install that version again, or remove the file to begin anew`,
    );
  }
  MIGRATIONS.slice(version).forEach((sql, index) => {
    connection.transaction(() => {
      connection.exec(sql);
      connection.pragma(`user_version = ${version + index + 1}`);
    })();
  });
}

/** What a damaged journal is kept as. */
export function damagedName(file: string, now: number): string {
  return `${file}.damaged-${new Date(now).toISOString().replaceAll(':', '-')}`;
}

/** The log goes with its file: left behind it would be read into the new one. */
function setAside(file: string, now: number): string {
  const target = damagedName(file, now);
  for (const suffix of ['-wal', '-shm', '']) {
    if (existsSync(`${file}${suffix}`)) renameSync(`${file}${suffix}`, `${target}${suffix}`);
  }
  return target;
}

/**
 * @param now milliseconds since 1970, for the name of a file that is set aside
 * @throws JournalError `NewerSchema`; `Unusable` when the disk says no
 */
export function openDatabase(file: string, now: number): OpenedDatabase {
  const existed = existsSync(file);
  try {
    return { connection: connect(file), created: !existed, setAside: null };
  } catch (error) {
    if (!isDamage(error)) throw unusable(file, error);
  }
  const aside = setAside(file, now);
  try {
    return { connection: connect(file), created: true, setAside: aside };
  } catch (error) {
    throw unusable(file, error);
  }
}

/** Pages that nothing uses: below the first they wait to be used again, the second stays. */
const FREE_PAGES = { most: 1024, left: 256 } as const;

/**
 * What a large bundle left behind goes back to the disk, when it is worth the writes. The file is shorter after the log was moved into
 * it. A disk that refuses changes nothing: the pages wait to be used again.
 */
export function giveBackSpace(connection: Connection): void {
  const free = connection.pragma('freelist_count', { simple: true }) as number;
  if (free < FREE_PAGES.most) return;
  diskTakes(() => connection.pragma(`incremental_vacuum(${free - FREE_PAGES.left})`));
}

/** A second, reading connection beside a running agent. @throws JournalError */
export function openForReading(file: string): Connection {
  const fault = readFault(file);
  if (fault !== null) throw new JournalError('Unusable', fault);
  try {
    const connection = new Database(file, { readonly: true, fileMustExist: true });
    const version = connection.pragma('user_version', { simple: true }) as number;
    if (version === SCHEMA_VERSION) return connection;
    connection.close();
    throw new JournalError(
      'NewerSchema',
      `${file}: schema ${version}, this program reads ${SCHEMA_VERSION}; use the agent's own`,
    );
  } catch (error) {
    throw unusable(file, error);
  }
}

/** What SQLite has one sentence for: it is not there, or another user's. Null: it can be read, or SQLite says why not. */
function readFault(file: string): string | null {
  try {
    closeSync(openSync(file, 'r'));
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      return `${file}: there is no journal: say where the agent of this node keeps its data (--data-dir)`;
    }
    if (code !== 'EACCES') return null;
  }
  const owner = ownerOf(file);
  const whose = owner === null ? '' : `; ${owner.path} belongs to ${userText(owner.uid)}`;
  const instead =
    owner === null || owner.uid === 0
      ? 'root'
      : `root or ${userText(owner.uid)}, who runs the agent`;
  const who = userText(process.geteuid?.() ?? 0);
  return `${file}: ${who} may not read the journal${whose}: run this command as ${instead}`;
}

/** Of the file, or of the innermost directory above it that shows its owner. */
function ownerOf(path: string): { readonly path: string; readonly uid: number } | null {
  try {
    return { path, uid: statSync(path).uid };
  } catch {
    return dirname(path) === path ? null : ownerOf(dirname(path));
  }
}

function userText(uid: number): string {
  return uid === 0 ? 'root' : `the user with id ${uid}`;
}

export function unusable(file: string, error: unknown): JournalError {
  if (error instanceof JournalError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new JournalError('Unusable', `${file}: the journal cannot be opened: ${why}`, {
    cause: error,
  });
}
