/**
 * A consistent copy of a hub's store while the hub runs: SQLite's backup under one read transaction, so that writes
 * meanwhile neither stop it nor get into it. The copy is checked before anybody is told that there is one.
 */
import { chmodSync } from 'node:fs';
import Database from 'better-sqlite3';
import { migrate } from './migrations.js';
import { asStoreError, checkPages } from './sqlite-file.js';
import type { BackupKind } from '../backup/description.js';

const PAGES_AT_ONCE = 4_000;
/** What a backup of kind `keys` holds: enough to know the fleet's members and to go on with its chain of roots. */
const KEPT = ['roots', 'identities'] as const;

/** Throws `StoreError`: NotFound, Corrupt, Unavailable. `to` must not exist; it gets mode 0600. */
export async function copyStore(from: string, to: string, kind: BackupKind): Promise<void> {
  let source: Database.Database | null = null;
  try {
    source = new Database(from, { readonly: true, fileMustExist: true, timeout: 5000 });
    // From here on the copy sees one state, whatever the running hub commits.
    source.exec('BEGIN');
    source.prepare('SELECT id FROM store').get();
    await source.backup(to, { progress: () => PAGES_AT_ONCE });
    chmodSync(to, 0o600);
    settle(to, kind);
  } catch (error) {
    // Nothing is ever written where it is read.
    const isFull = (error as { code?: unknown }).code === 'SQLITE_FULL';
    throw asStoreError(error, isFull ? to : from);
  } finally {
    source?.close();
  }
}

function settle(path: string, kind: BackupKind): void {
  const copy = new Database(path);
  try {
    // One file, without a log beside it.
    copy.pragma('journal_mode = DELETE');
    checkPages(copy, path);
    if (kind === 'keys') reduce(copy);
  } finally {
    copy.close();
  }
}

/** The tables are made anew and filled with what is kept: nothing else is left in free pages. */
function reduce(copy: Database.Database): void {
  migrate(copy);
  const kept = KEPT.map(table => ({ table, rows: copy.prepare(`SELECT * FROM ${table}`).all() }));
  const roots = copy.prepare("SELECT * FROM publications WHERE topic LIKE '%/root%'").all();
  const nodes = copy.prepare("SELECT * FROM objects WHERE kind = 'Node'").all();
  const counters = copy.prepare('SELECT resource_version, publication FROM store').get();
  const tables = copy
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .pluck()
    .all() as string[];
  copy.transaction(() => {
    for (const table of tables) copy.exec(`DROP TABLE ${table}`);
    copy.pragma('user_version = 0');
  })();
  migrate(copy);
  const insert = (table: string, rows: readonly unknown[]) => {
    for (const row of rows as Record<string, unknown>[]) {
      const columns = Object.keys(row);
      const values = columns.map(column => `@${column}`);
      copy
        .prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${values.join(', ')})`)
        .run(row);
    }
  };
  copy.transaction(() => {
    for (const { table, rows } of kept) insert(table, rows);
    insert('publications', roots);
    insert('objects', nodes);
    copy
      .prepare('UPDATE store SET resource_version = @resource_version, publication = @publication')
      .run(counters);
  })();
  copy.exec('VACUUM');
}

/** Names of the nodes in good standing, read beside a hub that runs or not. Throws `StoreError`. */
export function activeNodes(path: string): readonly string[] {
  let source: Database.Database | null = null;
  try {
    source = new Database(path, { readonly: true, fileMustExist: true, timeout: 5000 });
    const names = source.prepare(
      "SELECT node FROM identities WHERE state = 'active' ORDER BY node",
    );
    return names.pluck().all() as string[];
  } catch (error) {
    throw asStoreError(error, path);
  } finally {
    source?.close();
  }
}
