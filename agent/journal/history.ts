/**
 * The journal's history: what was accepted and what became of it, each row with the hash of the row
 * before. The chain finds accidents and clumsy edits; it is no defence against root. At most 1,000
 * rows are kept.
 */
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { BundleState } from '../../protocol/documents/node.js';
import type { Connection } from './database.js';

export const HISTORY_ROWS_MAX = 1000;

/** The hash before the first row. */
const NOTHING = '0'.repeat(64);

export type HistoryEntry =
  | { readonly kind: 'journal'; readonly why: 'Created' | 'Lost' | 'PutBack' | 'Damaged' }
  | { readonly kind: 'root'; readonly version: number; readonly digest: string }
  | {
      readonly kind: 'assignment';
      readonly epoch: number;
      readonly generation: number;
      readonly digest: string;
    }
  | ({ readonly kind: 'bundle' } & Transition);

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

interface StoredRow {
  n: number;
  at: number;
  entry: string;
  prev: string;
  hash: string;
}

function hashOf(row: { at: number; entry: string; prev: string }): string {
  return sha256Hex(`${row.prev}\n${row.at}\n${row.entry}`);
}

export function historyHead(db: Connection): string | null {
  const row = db.prepare('SELECT hash FROM history ORDER BY n DESC LIMIT 1').get();
  return (row as { hash: string } | undefined)?.hash ?? null;
}

/** Part of the caller's transaction. */
export function appendHistory(db: Connection, at: number, entry: HistoryEntry): void {
  const row = { at, entry: canonicalJson(entry), prev: historyHead(db) ?? NOTHING };
  const { lastInsertRowid } = db
    .prepare('INSERT INTO history (at, entry, prev, hash) VALUES (?, ?, ?, ?)')
    .run(row.at, row.entry, row.prev, hashOf(row));
  db.prepare('DELETE FROM history WHERE n <= ?').run(Number(lastInsertRowid) - HISTORY_ROWS_MAX);
}

/** Oldest first. */
export function readHistory(db: Connection, limit = HISTORY_ROWS_MAX): HistoryRow[] {
  const rows = db.prepare('SELECT * FROM history ORDER BY n DESC LIMIT ?').all(limit);
  return (rows as StoredRow[])
    .reverse()
    .map(({ n, at, entry, hash }) => ({ n, at, hash, entry: JSON.parse(entry) as HistoryEntry }));
}

/**
 * The number of the first row whose hash does not fit, or null. The oldest row kept is taken as it
 * is.
 */
export function firstBrokenRow(db: Connection): number | null {
  let before: StoredRow | null = null;
  for (const row of db.prepare('SELECT * FROM history ORDER BY n').all() as StoredRow[]) {
    const follows = before === null || (row.prev === before.hash && row.n === before.n + 1);
    if (!follows || row.hash !== hashOf(row)) return row.n;
    before = row;
  }
  return null;
}
