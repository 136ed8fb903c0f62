/**
 * The tables of what was done with each node in a rollout and of how former rollouts ended, in SQLite. Runs inside the caller's transaction
 * and takes no decision.
 */
import type { Database } from 'better-sqlite3';
import {
  PAST_ROLLOUTS_KEPT,
  type PastRollout,
  type RolloutMutation,
  type RolloutNode,
} from './rollout-records.js';
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

/** The Rollout as JSON. */
type PastRow = Omit<PastRollout, 'rollout'> & { readonly rollout: string | null };

function prepare(db: Database) {
  return {
    past: db.prepare<[string, string], PastRow>(
      `SELECT revision, digest, change_cause AS changeCause, node_selector AS nodeSelector, rollout,
        ended_at AS endedAt, ended_by AS endedBy, next
        FROM past_rollouts WHERE namespace = ? AND bundle = ? ORDER BY revision`,
    ),
    keepPast: db.prepare(
      `INSERT OR REPLACE INTO past_rollouts VALUES (@namespace, @bundle, @revision, @digest,
        @changeCause, @nodeSelector, @rollout, @endedAt, @endedBy, @next)`,
    ),
    prunePast: db.prepare<[string, string, string, string, number]>(
      `DELETE FROM past_rollouts WHERE namespace = ? AND bundle = ? AND revision <=
        (SELECT revision FROM past_rollouts WHERE namespace = ? AND bundle = ?
          ORDER BY revision DESC LIMIT 1 OFFSET ?)`,
    ),
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
    if (mutation.type === 'pastRollout') return this.#keepPast(mutation);
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

  #keepPast(of: Extract<RolloutMutation, { type: 'pastRollout' }>): number {
    const { namespace, bundle, record } = of;
    const rollout = record.rollout === null ? null : JSON.stringify(record.rollout);
    const { changes } = this.#sql.keepPast.run({ namespace, bundle, ...record, rollout });
    this.#sql.prunePast.run(namespace, bundle, namespace, bundle, PAST_ROLLOUTS_KEPT);
    return changes;
  }

  past(namespace: string, bundle: string): readonly PastRollout[] {
    return this.#sql.past.all(namespace, bundle).map(({ rollout, ...row }) => {
      return { ...row, rollout: rollout === null ? null : (JSON.parse(rollout) as unknown) };
    });
  }

  nodes(namespace: string, bundle: string): readonly RolloutNode[] {
    return this.#sql.nodes.all(namespace, bundle).map(row => ({
      ...row,
      ...{ isBack: row.isBack === 1, isExcused: row.isExcused === 1 },
      isReleased: row.isReleased === 1,
    }));
  }
}
