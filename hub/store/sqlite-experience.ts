/** The tables of what was lived through with each node, in SQLite. Runs inside the caller's transaction and takes no decision. */
import type { Database } from 'better-sqlite3';
import {
  readChanges,
  readPassages,
  withChange,
  writtenChanges,
  writtenPassages,
  type ConnectionChange,
  type ExperienceMutation,
  type NodePassages,
} from './experience-records.js';
import type { Write } from './write.js';

interface PassageRow {
  readonly namespace: string;
  readonly bundle: string;
  readonly node: string;
  readonly log: Buffer;
}

function prepare(db: Database) {
  return {
    connection: db.prepare<[string], { log: Buffer }>('SELECT log FROM connections WHERE node = ?'),
    connections: db.prepare<[], { node: string; log: Buffer }>('SELECT node, log FROM connections'),
    keepConnection: db.prepare<[string, Buffer]>(
      'INSERT OR REPLACE INTO connections VALUES (?, ?)',
    ),
    dropConnection: db.prepare<[string]>('DELETE FROM connections WHERE node = ?'),
    passage: db.prepare<[string, string, string], { log: Buffer }>(
      'SELECT log FROM passages WHERE namespace = ? AND bundle = ? AND node = ?',
    ),
    passages: db.prepare<[], PassageRow>('SELECT namespace, bundle, node, log FROM passages'),
    keepPassage: db.prepare<[string, string, string, Buffer]>(
      'INSERT OR REPLACE INTO passages VALUES (?, ?, ?, ?)',
    ),
    dropNode: db.prepare<[string]>('DELETE FROM passages WHERE node = ?'),
    dropBundle: db.prepare<[string, string]>(
      'DELETE FROM passages WHERE namespace = ? AND bundle = ?',
    ),
  };
}

export class ExperienceTables {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#sql = prepare(db);
  }

  apply(write: Write, mutation: ExperienceMutation): void {
    if (this.#changes(mutation) > 0) write.touched.add(mutation.type);
  }

  #changes(mutation: ExperienceMutation): number {
    switch (mutation.type) {
      case 'connection': {
        const { node, change } = mutation;
        const known = this.#sql.connection.get(node);
        const next = withChange(known ? readChanges(known.log) : [], change);
        return next === null ? 0 : this.#sql.keepConnection.run(node, writtenChanges(next)).changes;
      }
      case 'passage': {
        const { namespace, bundle, node, record } = mutation;
        const known = this.#sql.passage.get(namespace, bundle, node);
        const all = [...(known ? readPassages(known.log) : []), record];
        return this.#sql.keepPassage.run(namespace, bundle, node, writtenPassages(all)).changes;
      }
      case 'dropExperience': {
        const { changes } = this.#sql.dropConnection.run(mutation.node);
        return changes + this.#sql.dropNode.run(mutation.node).changes;
      }
      case 'dropPassages':
        return this.#sql.dropBundle.run(mutation.namespace, mutation.bundle).changes;
    }
  }

  connections(): ReadonlyMap<string, readonly ConnectionChange[]> {
    return new Map(this.#sql.connections.all().map(({ node, log }) => [node, readChanges(log)]));
  }

  passages(): readonly NodePassages[] {
    return this.#sql.passages
      .all()
      .map(({ log, ...row }) => ({ ...row, passages: readPassages(log) }));
  }
}
