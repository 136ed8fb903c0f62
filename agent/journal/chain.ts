/**
 * Rows of history, each with the hash of the one before it. The chain finds accidents and clumsy edits; a history that was written anew
 * as a whole is found by its head, which the hub has in the node's signed status. Pure.
 */
import { sha256Hex } from '../../protocol/canonical.js';

/** As it lies in the file. */
export interface ChainedRow {
  readonly n: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Canonical JSON. */
  readonly entry: string;
  readonly prev: string;
  readonly hash: string;
}

/** The hash before the first row. */
export const NOTHING = '0'.repeat(64);

export function rowHash({ at, entry, prev }: Pick<ChainedRow, 'at' | 'entry' | 'prev'>): string {
  return sha256Hex(`${prev}\n${at}\n${entry}`);
}

/** What retention cut off, as the newest row of that kind says. */
export interface Pruned {
  readonly at: number;
  /** Rows up to this one are gone. */
  readonly through: number;
  /** Of the newest row that is gone. */
  readonly hash: string;
}

/** Null: nothing was cut off. */
export function prunedOf(rows: readonly ChainedRow[]): Pruned | null {
  for (const { at, entry } of rows.toReversed()) {
    const told = parsed(entry);
    if (told['kind'] !== 'pruned') continue;
    const { through, hash } = told as Partial<Pruned>;
    return { at, through: through ?? 0, hash: hash ?? '' };
  }
  return null;
}

function parsed(entry: string): Record<string, unknown> {
  try {
    return (JSON.parse(entry) as Record<string, unknown> | null) ?? {};
  } catch {
    return {};
  }
}

/** Why the oldest row cannot be the oldest; null: it is the first ever, begins anew, or follows what retention cut off. */
function misfitOfOldest(rows: readonly ChainedRow[], oldest: ChainedRow): string | null {
  const { n, prev } = oldest;
  const pruned = prunedOf(rows);
  if (pruned !== null && n !== pruned.through + 1) {
    const from = `the row before it is gone, and history was pruned up to row ${pruned.through}`;
    return `${from}: rows were taken out`;
  }
  if (prev === (pruned?.hash ?? NOTHING)) {
    const isBeginning = n === 1 || parsed(oldest.entry)['kind'] === 'journal';
    if (pruned !== null || isBeginning) return null;
    return 'the rows before it were taken out';
  }
  if (pruned === null && n > 1) return 'the rows before it were taken out';
  return 'it does not follow the row before it';
}

/**
 * The first row, in order, that does not fit, and why; null: all do.
 * `appended`: the highest number that a row was ever given, which the file counts beside its rows: what is missing up to it was cut off.
 */
export function firstMisfit(
  rows: readonly ChainedRow[],
  appended: number,
): { readonly n: number; readonly why: string } | null {
  let before: ChainedRow | null = null;
  for (const row of rows) {
    const { n } = row;
    if (row.hash !== rowHash(row)) return { n, why: 'it was changed after it was written' };
    if (before !== null && n !== before.n + 1) {
      return { n, why: `the row before it is ${before.n}: rows were taken out` };
    }
    if (before !== null && row.prev !== before.hash) {
      return { n, why: 'it does not follow the row before it' };
    }
    const why = before === null ? misfitOfOldest(rows, row) : null;
    if (why !== null) return { n, why };
    before = row;
  }
  const last = before?.n ?? 0;
  if (last < appended) {
    return { n: appended, why: `it was written, and the newest is ${last}: the end was cut off` };
  }
  return null;
}
