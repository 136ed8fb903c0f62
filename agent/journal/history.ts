/**
 * The journal's history: what was accepted and what became of it, each row chained to the one before
 * (`chain.ts`). At most 1,000 rows are kept.
 */
import { canonicalJson } from '../../protocol/canonical.js';
import { HISTORY_ROWS_MAX } from '../../protocol/limits.js';
import type { BundleState, StatusDocument } from '../../protocol/documents/node.js';
import { firstMisfit, NOTHING, rowHash, type ChainedRow } from './chain.js';
import type { Connection } from './database.js';

export type HistoryEntry =
  | { readonly kind: 'journal'; readonly why: 'Created' | 'Lost' | 'PutBack' | 'Damaged' }
  | { readonly kind: 'root'; readonly version: number; readonly digest: string }
  | {
      readonly kind: 'assignment';
      readonly epoch: number;
      readonly generation: number;
      readonly digest: string;
    }
  | ({ readonly kind: 'bundle' } & Transition)
  | ({ readonly kind: 'site' } & SiteWord);

/** What a person at the device said of a bundle. */
export interface SiteWord {
  readonly word: 'activateNow' | 'hold' | 'release';
  /** With the name empty: all bundles. */
  readonly namespace: string;
  readonly name: string;
  readonly by: string;
  /** Empty: none was given. */
  readonly reason: string;
}

/** One step of a bundle's activation. */
export interface Transition {
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly digest: string;
  readonly attempt: number;
  readonly state: BundleState | 'removed';
  readonly reason: string;
  readonly message: string;
}

/** Without what a decision carries beside it. */
export function plainStep(step: Transition): Transition {
  const { namespace, name, revision, digest, attempt, state, reason, message } = step;
  return { namespace, name, revision, digest, attempt, state, reason, message };
}

export interface HistoryRow {
  readonly n: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly entry: HistoryEntry;
  readonly hash: string;
}

export function historyHead(db: Connection): string | null {
  const row = db.prepare('SELECT hash FROM history ORDER BY n DESC LIMIT 1').get();
  return (row as { hash: string } | undefined)?.hash ?? null;
}

/** As the status tells it. `known`: the row that the hub named last; 0: none. */
export function historyStanding(db: Connection, known: number): StatusDocument['history'] {
  const newest = db.prepare('SELECT n, hash FROM history ORDER BY n DESC LIMIT 1').get();
  const { n: row, hash: head } = (newest ?? { n: 0, hash: null }) as {
    n: number;
    hash: string | null;
  };
  if (known === 0) return { row, head, known: null };
  const shown = db.prepare('SELECT hash FROM history WHERE n = ?').get(known);
  const { hash = null } = (shown ?? {}) as { hash?: string };
  return { row, head, known: { row: known, hash } };
}

/** Part of the caller's transaction. */
export function appendHistory(db: Connection, at: number, entry: HistoryEntry): void {
  const row = { at, entry: canonicalJson(entry), prev: historyHead(db) ?? NOTHING };
  const { lastInsertRowid } = db
    .prepare('INSERT INTO history (at, entry, prev, hash) VALUES (?, ?, ?, ?)')
    .run(row.at, row.entry, row.prev, rowHash(row));
  db.prepare('DELETE FROM history WHERE n <= ?').run(Number(lastInsertRowid) - HISTORY_ROWS_MAX);
}

/** Oldest first. */
export function readHistory(db: Connection, limit = HISTORY_ROWS_MAX): HistoryRow[] {
  const rows = db.prepare('SELECT * FROM history ORDER BY n DESC LIMIT ?').all(limit);
  return (rows as ChainedRow[])
    .reverse()
    .map(({ n, at, entry, hash }) => ({ n, at, hash, entry: JSON.parse(entry) as HistoryEntry }));
}

/** Oldest first, as they lie in the file. */
export function chainedRows(db: Connection): ChainedRow[] {
  return db
    .prepare('SELECT n, at, entry, prev, hash FROM history ORDER BY n')
    .all() as ChainedRow[];
}

/** The number of the first row that does not fit, or null. */
export function firstBrokenRow(db: Connection): number | null {
  return firstMisfit(chainedRows(db))?.n ?? null;
}
