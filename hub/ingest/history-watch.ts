/**
 * Whether a node's history is the one that it told of before: the hub names the newest row that it heard of, the node's next status shows
 * that row's hash. Finds a history that was written anew as a whole, chain included. Pure.
 */
import type { StatusDocument } from '../../protocol/documents/node.js';
import { HISTORY_ROWS_MAX } from '../../protocol/limits.js';
import type { NodeExtra } from '../objects.js';

export const JOURNAL_INTACT = 'JournalIntact';
export const HISTORY_REWRITTEN = 'HistoryRewritten';

type Known = Pick<NodeExtra, 'journal' | 'said'>;

/** The newest row of the journal that is recorded; 0: none. */
export function rowHeard({ journal, said }: Known, of: string): number {
  return journal === of ? (said?.history.row ?? 0) : 0;
}

/** Why history is another one, or null. A journal that was begun anew has another id, and is none of this. */
export function historyFault(before: Known, status: StatusDocument): string | null {
  const heard = rowHeard(before, status.journal);
  const hash = before.said?.history.head ?? null;
  if (heard === 0) return null;
  const { row, head, known } = status.history;
  if (row < heard) return `its newest row is ${row}, and row ${heard} was there before`;
  if (row === heard && head !== hash) return `row ${row} is another one than before`;
  if (known?.row !== heard || known.hash === hash) return null;
  if (known.hash === null && row - heard >= HISTORY_ROWS_MAX) return null;
  return `row ${heard} is another one than before`;
}
