/**
 * The newest message of each topic, numbered in the order in which they are to be sent, and since when one is not needed any more, in
 * SQLite. Runs inside the caller's transaction.
 */
import type { Database } from 'better-sqlite3';
import type { Publication } from './store.js';
import type { Write } from './write.js';

function prepare(db: Database) {
  return {
    after: db.prepare<[number, number], Publication>(
      'SELECT number, topic, payload FROM publications WHERE number > ? ORDER BY number LIMIT ?',
    ),
    count: db
      .prepare<[number], number>('SELECT count(*) FROM publications WHERE number > ?')
      .pluck(),
    of: db.prepare<[string], Publication>(
      'SELECT number, topic, payload FROM publications WHERE topic = ?',
    ),
    allUnneeded: db.prepare<[], { topic: string; since: string }>('SELECT * FROM unneeded'),
    publish: db.prepare(
      `INSERT INTO publications VALUES (@topic, @number, @payload)
        ON CONFLICT (topic) DO UPDATE SET number = excluded.number, payload = excluded.payload`,
    ),
    unneeded: db.prepare<[string, string]>('INSERT OR REPLACE INTO unneeded VALUES (?, ?)'),
    needed: db.prepare<[string]>('DELETE FROM unneeded WHERE topic = ?'),
  };
}

export class PublicationTable {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#sql = prepare(db);
  }

  /** Whether anything changed: then it has the next number. `payload` null: the topic is to be cleared. */
  put(write: Write, topic: string, payload: Uint8Array | null): boolean {
    const old = this.#sql.of.get(topic);
    if (old && sameBytes(old.payload, payload)) return false;
    this.#sql.publish.run({ topic, number: ++write.counters.publication, payload });
    return true;
  }

  /** `since`: RFC 3339; null: it is needed. */
  need(topic: string, since: string | null): boolean {
    if (since === null) return this.#sql.needed.run(topic).changes > 0;
    return this.#sql.unneeded.run(topic, since).changes > 0;
  }

  list(after: number, limit: number): readonly Publication[] {
    return this.#sql.after.all(after, limit).map(withPlainPayload);
  }

  count(after: number): number {
    return this.#sql.count.get(after) ?? 0;
  }

  get(topic: string): Publication | null {
    const row = this.#sql.of.get(topic);
    return row ? withPlainPayload(row) : null;
  }

  unneeded(): ReadonlyMap<string, string> {
    return new Map(this.#sql.allUnneeded.all().map(({ topic, since }) => [topic, since]));
  }
}

/** The driver gives Buffers; callers were promised no more than bytes. */
export function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function withPlainPayload(row: Publication): Publication {
  return { ...row, payload: row.payload && plain(row.payload) };
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a, b) === 0;
}
