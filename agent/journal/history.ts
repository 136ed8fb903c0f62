/**
 * The journal's history: what was accepted and what became of it, each row chained to the one before
 * (`chain.ts`). What retention cuts off is told by a row of its own, which the rest is checked by.
 */
import { canonicalJson } from '../../protocol/canonical.js';
import type { BundleState, StatusDocument } from '../../protocol/documents/node.js';
import { firstMisfit, NOTHING, rowHash, type ChainedRow } from './chain.js';
import type { Connection } from './database.js';
import { historyCut, type CutReason, type Retention } from './retention.js';

export type HistoryEntry =
  | { readonly kind: 'journal'; readonly why: 'Created' | 'Lost' | 'PutBack' | 'Damaged' | 'Left' }
  | { readonly kind: 'root'; readonly version: number; readonly digest: string }
  | {
      readonly kind: 'assignment';
      readonly epoch: number;
      readonly generation: number;
      readonly digest: string;
    }
  | ({ readonly kind: 'bundle' } & Transition)
  /** Rows up to `through` were cut off; `hash`: of the newest of them. */
  | {
      readonly kind: 'pruned';
      readonly through: number;
      readonly hash: string;
      readonly why: CutReason;
    }
  | ({ readonly kind: 'site' } & SiteWord);

/** What a person at the device said of a bundle. */
export interface SiteWord {
  readonly word: 'activateNow' | 'hold' | 'release' | 'undo' | 'redo';
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
  const oldest = oldestRow(db);
  if (known === 0) return { row, head, oldest, known: null };
  const shown = db.prepare('SELECT hash FROM history WHERE n = ?').get(known);
  const { hash = null } = (shown ?? {}) as { hash?: string };
  return { row, head, oldest, known: { row: known, hash } };
}

/** 0: there is none. */
function oldestRow(db: Connection): number {
  const row = db.prepare('SELECT min(n) AS n FROM history').get() as { n: number | null };
  return row.n ?? 0;
}

/** Part of the caller's transaction. */
export function appendHistory(db: Connection, at: number, entry: HistoryEntry): void {
  const row = { at, entry: canonicalJson(entry), prev: historyHead(db) ?? NOTHING };
  db.prepare('INSERT INTO history (at, entry, prev, hash) VALUES (?, ?, ?, ?)').run(
    row.at,
    row.entry,
    row.prev,
    rowHash(row),
  );
}

export interface PruneMoment {
  readonly at: number;
  /** Milliseconds since 1970 that are proven to have passed, or null: a clock that is wrong must not make history old. */
  readonly proven: number | null;
  /** Whether this is a time to look at them. */
  readonly countBytes: boolean;
}

/** Cuts off what is more than is to be kept, with a row that says so. Part of the caller's transaction; mostly does nothing. */
export function pruneHistory(
  db: Connection,
  limits: Retention,
  { at, proven, countBytes }: PruneMoment,
): void {
  const newest = newestRow(db);
  if (newest === 0) return;
  const { historyAgeMs: ageMs } = limits;
  const cut = historyCut(
    {
      newest,
      oldest: oldestRow(db),
      firstYoung: ageMs > 0 && proven !== null ? firstSince(db, proven - ageMs) : null,
      bytes: countBytes ? bytesOf(db) : null,
    },
    limits,
  );
  if (cut === null) return;
  const last = db.prepare('SELECT hash FROM history WHERE n = ?').get(cut.through);
  const { hash } = last as { hash: string };
  appendHistory(db, at, { kind: 'pruned', ...cut, hash });
  db.prepare('DELETE FROM history WHERE n <= ?').run(cut.through);
}

/** 0: there is none. */
export function newestRow(db: Connection): number {
  const row = db.prepare('SELECT max(n) AS n FROM history').get() as { n: number | null };
  return row.n ?? 0;
}

/** The first row from which on none is known to be older; behind the newest when all are. */
function firstSince(db: Connection, at: number): number {
  const row = db.prepare('SELECT n FROM history WHERE at >= ? ORDER BY n LIMIT 1').get(at);
  return (row as { n: number } | undefined)?.n ?? newestRow(db) + 1;
}

function bytesOf(db: Connection): number {
  const row = db.prepare('SELECT sum(length(entry)) AS bytes FROM history').get();
  return (row as { bytes: number }).bytes;
}

export interface Beginning {
  readonly why: Extract<HistoryEntry, { kind: 'journal' }>['why'];
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The last time that this history began anew, as far as it is kept; null: it did not, or nobody knows any more. */
export function lastBeginning(db: Connection): Beginning | null {
  const found = db
    .prepare(
      `SELECT at, entry FROM history WHERE entry LIKE '%"kind":"journal"%' ORDER BY n DESC LIMIT 1`,
    )
    .get() as { at: number; entry: string } | undefined;
  const entry = found && (JSON.parse(found.entry) as HistoryEntry);
  return found && entry?.kind === 'journal' ? { why: entry.why, at: found.at } : null;
}

/** Oldest first. */
export function readHistory(db: Connection): HistoryRow[] {
  return chainedRows(db).map(({ n, at, entry, hash }) => ({
    n,
    at,
    hash,
    entry: JSON.parse(entry) as HistoryEntry,
  }));
}

/** Oldest first, as they lie in the file. */
export function chainedRows(db: Connection): ChainedRow[] {
  return db
    .prepare('SELECT n, at, entry, prev, hash FROM history ORDER BY n')
    .all() as ChainedRow[];
}

/** The highest number that a row was ever given, whether it is still there or not. */
export function rowsAppended(db: Connection): number {
  const row = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'history'").get();
  return (row as { seq: number } | undefined)?.seq ?? 0;
}

/** The number of the first row that does not fit, or null. */
export function firstBrokenRow(db: Connection): number | null {
  return firstMisfit(chainedRows(db), rowsAppended(db))?.n ?? null;
}
