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

/**
 * The first row, in order, that does not fit, and why; null: all do. The oldest row is taken as it is, unless it is the first ever.
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
    if (before !== null ? row.prev !== before.hash : n === 1 && row.prev !== NOTHING) {
      return { n, why: 'it does not follow the row before it' };
    }
    before = row;
  }
  const last = before?.n ?? 0;
  if (last < appended) {
    return { n: appended, why: `it was written, and the newest is ${last}: the end was cut off` };
  }
  return null;
}
