/**
 * How much a journal keeps of its history and its outbox: by count, by age, by bytes. Cuts are made in steps, so that a full journal
 * does not cost a second write with each row. Says how far to cut; what is cut, and what is said of it, is others' work. Pure.
 */

export interface Retention {
  /** Rows of history at most. */
  readonly historyRows: number;
  /** Of history, milliseconds; 0: none is too old. */
  readonly historyAgeMs: number;
  /** Of the entries of history. */
  readonly historyBytes: number;
  /** Events that wait for the hub, at most. */
  readonly outboxEvents: number;
  /** Of the events that wait. */
  readonly outboxBytes: number;
}

const MIB = 1024 * 1024;
const YEAR_MS = 365 * 86_400_000;

export const DEFAULT_RETENTION: Retention = {
  historyRows: 1_000,
  historyAgeMs: 2 * YEAR_MS,
  historyBytes: 4 * MIB,
  outboxEvents: 10_000,
  outboxBytes: 4 * MIB,
};

/** For who writes a word into a journal whose agent has limits of its own: nothing goes. */
export const KEEP_ALL: Retention = {
  ...{ historyRows: Number.MAX_SAFE_INTEGER, historyAgeMs: 0 },
  ...{ historyBytes: Number.MAX_SAFE_INTEGER, outboxEvents: Number.MAX_SAFE_INTEGER },
  outboxBytes: Number.MAX_SAFE_INTEGER,
};

/** Age and bytes leave that many of the newest rows. */
export const HISTORY_ROWS_LEAST = 100;
/** Rows that are too old, or events and rows between two looks at their bytes. */
export const RETENTION_STEP = 32;
/** What is over a limit is cut to this share of it. */
const LEFT = 0.9;

export type CutReason = 'rows' | 'age' | 'bytes';

export interface HistoryExtent {
  /** Numbers of the oldest and the newest row; there is one. */
  readonly oldest: number;
  readonly newest: number;
  /** The first row that is not too old; null: all are, or none may be. */
  readonly firstYoung: number | null;
  /** Of all entries; null: not looked at this time. */
  readonly bytes: number | null;
}

export interface HistoryCut {
  /** Rows up to this number go. */
  readonly through: number;
  readonly why: CutReason;
}

/** Null: all stays. */
export function historyCut(extent: HistoryExtent, limits: Retention): HistoryCut | null {
  const { oldest, newest, firstYoung, bytes } = extent;
  const rows = newest - oldest + 1;
  if (rows > limits.historyRows) {
    return { through: newest - Math.floor(limits.historyRows * LEFT), why: 'rows' };
  }
  const most = newest - HISTORY_ROWS_LEAST;
  if (bytes !== null && bytes > limits.historyBytes) {
    const share = (LEFT * limits.historyBytes) / bytes;
    const through = Math.min(most, newest - Math.floor(rows * share));
    if (through >= oldest) return { through, why: 'bytes' };
  }
  const old = Math.min(most, (firstYoung ?? oldest) - 1);
  return old - oldest + 1 >= RETENTION_STEP ? { through: old, why: 'age' } : null;
}

export interface OutboxExtent {
  /** Not confirmed yet. */
  readonly count: number;
  /** Of all of them; null: not looked at this time. */
  readonly bytes: number | null;
}

/** How many of the oldest go; 0: none. */
export function outboxCut({ count, bytes }: OutboxExtent, limits: Retention): number {
  const overBytes = bytes !== null && bytes > limits.outboxBytes;
  const byBytes = overBytes ? Math.floor((LEFT * limits.outboxBytes * count) / bytes) : count;
  const byCount = count > limits.outboxEvents ? Math.floor(limits.outboxEvents * LEFT) : count;
  return count - Math.min(byBytes, byCount);
}
