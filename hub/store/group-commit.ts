/**
 * Many small commits for the price of one fsync: those made in one turn of the event loop share a
 * SQLite transaction, each in a savepoint of its own, so that one that fails takes no other with
 * it. A promise is settled only after the outer COMMIT is on disk; when that fails, all of them
 * fail.
 */
import type { Database, Statement } from 'better-sqlite3';
import type { Clock } from '../../protocol/ports.js';
import { asStoreError } from './sqlite-file.js';
import { type Actor, StoreError } from './store.js';
import { rfc3339, type Counters, type Write } from './write.js';

/** Commits in one transaction: bounds how long the event loop is held (some 50 µs each). */
const COMMITS_MAX = 512;

interface Entry {
  readonly actor: Actor;
  /** Does the work and returns what settles its promise. */
  apply(write: Write): () => void;
  reject(error: unknown): void;
}

/** An entry that was applied, or the error that it met. */
type Applied = { readonly write: Write; readonly settle: () => void } | { readonly error: unknown };

export class GroupCommit {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #committed: (writes: readonly Write[]) => void;
  readonly #counters: Counters;
  readonly #sql: Record<'begin' | 'save' | 'release' | 'undo' | 'commit' | 'rollback', Statement>;
  readonly #keepCounters: Statement<[number, number]>;
  #queue: Entry[] = [];
  #closed = false;

  /**
   * `committed` is called once per transaction that is on disk, with the commits that changed
   * something.
   */
  constructor(options: {
    db: Database;
    clock: Clock;
    committed: (writes: readonly Write[]) => void;
  }) {
    const { db } = options;
    this.#db = db;
    this.#clock = options.clock;
    this.#committed = options.committed;
    this.#sql = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      save: db.prepare('SAVEPOINT one'),
      release: db.prepare('RELEASE one'),
      undo: db.prepare('ROLLBACK TO one'),
      commit: db.prepare('COMMIT'),
      rollback: db.prepare('ROLLBACK'),
    };
    this.#keepCounters = db.prepare('UPDATE store SET resource_version = ?, publication = ?');
    this.#counters = db
      .prepare<[], Counters>(
        'SELECT resource_version AS resourceVersion, publication FROM store WHERE one = 1',
      )
      .get() ?? { resourceVersion: 0, publication: 0 };
  }

  /** As of the last commit. */
  get counters(): Readonly<Counters> {
    return this.#counters;
  }

  run<T>(actor: Actor, work: (write: Write) => T): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreError('Unavailable', 'the store is closed'));
    return new Promise<T>((resolve, reject) => {
      const apply = (write: Write) => {
        const value = work(write);
        return () => resolve(value);
      };
      this.#queue.push({ actor, apply, reject });
      if (this.#queue.length === 1) setImmediate(() => this.#flush());
    });
  }

  /** Commits what waits; later calls are refused. */
  close(): void {
    this.#closed = true;
    while (this.#queue.length > 0) this.#flush();
  }

  #flush(): void {
    if (this.#queue.length === 0) return;
    const batch = this.#queue.slice(0, COMMITS_MAX);
    this.#queue = this.#queue.slice(COMMITS_MAX);
    if (this.#queue.length > 0) setImmediate(() => this.#flush());
    const results = this.#transact(batch);
    const writes: Write[] = [];
    batch.forEach((entry, i) => {
      const result = results[i];
      if (!result) return;
      if ('error' in result) entry.reject(asStoreError(result.error, this.#db.name));
      else {
        result.settle();
        if (result.write.touched.size > 0) writes.push(result.write);
      }
    });
    if (writes.length > 0) this.#committed(writes);
  }

  #transact(batch: readonly Entry[]): readonly Applied[] {
    const before = { ...this.#counters };
    const at = rfc3339(this.#clock.now());
    const results: Applied[] = [];
    try {
      this.#sql.begin.run();
      for (const entry of batch) results.push(this.#apply(entry, at));
      const { resourceVersion, publication } = this.#counters;
      if (resourceVersion !== before.resourceVersion || publication !== before.publication) {
        this.#keepCounters.run(resourceVersion, publication);
      }
      this.#sql.commit.run();
      return results;
    } catch (error) {
      if (this.#db.inTransaction) this.#sql.rollback.run();
      Object.assign(this.#counters, before);
      return batch.map((_, i) => {
        const result = results[i];
        return result && 'error' in result ? result : { error };
      });
    }
  }

  #apply(entry: Entry, at: string): Applied {
    const before = { ...this.#counters };
    const write: Write = {
      actor: entry.actor,
      at,
      counters: this.#counters,
      changes: [],
      touched: new Set(),
    };
    this.#sql.save.run();
    try {
      const settle = entry.apply(write);
      this.#sql.release.run();
      return { write, settle };
    } catch (error) {
      // A full disk or an I/O error may have ended the whole transaction.
      if (!this.#db.inTransaction) throw error;
      this.#sql.undo.run();
      this.#sql.release.run();
      Object.assign(this.#counters, before);
      return { error };
    }
  }
}
