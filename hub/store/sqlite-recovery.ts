/**
 * The tables of a restored store in SQLite: how far the fleet has told what the backup did not know. Runs inside the
 * caller's transaction and takes no decision.
 */
import type { Database } from 'better-sqlite3';
import type { RecoveryMutation, RecoveryRecord } from './recovery-records.js';
import type { Write } from './write.js';

type RecoveryRow = Omit<RecoveryRecord, 'learning'> & { readonly learning: number };

function prepare(db: Database) {
  return {
    recovery: db.prepare<[], RecoveryRow>(
      `SELECT restored_at AS restoredAt, backup_at AS backupAt, epoch, learning FROM recovery`,
    ),
    unheard: db.prepare<[], string>('SELECT node FROM unheard ORDER BY node').pluck(),
    highest: db
      .prepare<[string, string], number>(
        'SELECT revision FROM highest_revisions WHERE namespace = ? AND bundle = ?',
      )
      .pluck(),
    keep: db.prepare(
      'INSERT OR REPLACE INTO recovery VALUES (1, @restoredAt, @backupAt, @epoch, @learning)',
    ),
    hold: db.prepare<[string]>('INSERT OR IGNORE INTO unheard VALUES (?)'),
    release: db.prepare<[string]>('DELETE FROM unheard WHERE node = ?'),
    raise: db.prepare<[string, string, number]>(
      `INSERT INTO highest_revisions VALUES (?, ?, ?) ON CONFLICT (namespace, bundle)
        DO UPDATE SET revision = excluded.revision WHERE excluded.revision > revision`,
    ),
  };
}

export class RecoveryTables {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#sql = prepare(db);
  }

  apply(write: Write, mutation: RecoveryMutation): void {
    if (this.#applied(mutation)) write.touched.add(mutation.type);
  }

  /** A node that leaves the fleet is not waited for. */
  forget(write: Write, node: string): void {
    if (this.#sql.release.run(node).changes > 0) write.touched.add('heard');
  }

  #applied(mutation: RecoveryMutation): boolean {
    switch (mutation.type) {
      case 'recovery': {
        const { record } = mutation;
        this.#sql.keep.run({ ...record, learning: Number(record.learning) });
        return true;
      }
      case 'unheard':
        return this.#sql.hold.run(mutation.node).changes > 0;
      case 'heard':
        return this.#sql.release.run(mutation.node).changes > 0;
      case 'highestRevision': {
        const { namespace, bundle, revision } = mutation;
        return this.#sql.raise.run(namespace, bundle, revision).changes > 0;
      }
    }
  }

  recovery(): RecoveryRecord | null {
    const row = this.#sql.recovery.get();
    return row ? { ...row, learning: row.learning === 1 } : null;
  }

  unheard(): readonly string[] {
    return this.#sql.unheard.all();
  }

  highestRevision(namespace: string, bundle: string): number {
    return this.#sql.highest.get(namespace, bundle) ?? 0;
  }
}
