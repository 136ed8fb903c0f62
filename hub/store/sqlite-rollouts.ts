/** The table of what was done with each node in a rollout, in SQLite. Runs inside the caller's transaction and takes no decision. */
import type { Database } from 'better-sqlite3';
import type { RolloutMutation, RolloutNode } from './rollout-records.js';
import type { Write } from './write.js';

interface Row {
  readonly node: string;
  readonly wave: number;
  readonly toldAt: string | null;
  readonly isBack: number;
  readonly isExcused: number;
  readonly obstacle: string | null;
  readonly isReleased: number;
}

function prepare(db: Database) {
  return {
    nodes: db.prepare<[string, string], Row>(
      `SELECT node, wave, told_at AS toldAt, is_back AS isBack, is_excused AS isExcused, obstacle,
          is_released AS isReleased
        FROM rollout_nodes WHERE namespace = ? AND bundle = ? ORDER BY node`,
    ),
    keep: db.prepare(
      `INSERT OR REPLACE INTO rollout_nodes
        VALUES (@namespace, @bundle, @node, @wave, @toldAt, @isBack, @isExcused, @obstacle, @isReleased)`,
    ),
    drop: db.prepare<[string, string]>(
      'DELETE FROM rollout_nodes WHERE namespace = ? AND bundle = ?',
    ),
    dropNode: db.prepare<[string]>('DELETE FROM rollout_nodes WHERE node = ?'),
  };
}

export class RolloutTable {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#sql = prepare(db);
  }

  apply(write: Write, mutation: RolloutMutation): void {
    if (this.#changes(mutation) > 0) write.touched.add(mutation.type);
  }

  #changes(mutation: RolloutMutation): number {
    if (mutation.type === 'dropRolloutNode') return this.#sql.dropNode.run(mutation.node).changes;
    const { namespace, bundle } = mutation;
    if (mutation.type === 'dropRolloutNodes') return this.#sql.drop.run(namespace, bundle).changes;
    const { isBack, isExcused, isReleased, ...record } = mutation.record;
    const flags = {
      ...{ isBack: Number(isBack), isExcused: Number(isExcused) },
      isReleased: Number(isReleased),
    };
    return this.#sql.keep.run({ namespace, bundle, ...record, ...flags }).changes;
  }

  nodes(namespace: string, bundle: string): readonly RolloutNode[] {
    return this.#sql.nodes.all(namespace, bundle).map(row => ({
      ...row,
      ...{ isBack: row.isBack === 1, isExcused: row.isExcused === 1 },
      isReleased: row.isReleased === 1,
    }));
  }
}
