/**
 * Whether a node's history is the one that it told of before: the hub names the newest row that it heard of, the node's next status shows
 * that row's hash. Finds a history that was written anew as a whole, chain included. Pure.
 */
import type { StatusDocument } from '../../protocol/documents/node.js';
import { HISTORY_ROWS_MAX } from '../../protocol/limits.js';
import type { HistoryAnchor, NodeExtra } from '../objects.js';

export const JOURNAL_INTACT = 'JournalIntact';
export const HISTORY_REWRITTEN = 'HistoryRewritten';

export const NO_ANCHOR: HistoryAnchor = { row: 0, head: null };

type Known = Pick<NodeExtra, 'journal' | 'history'>;

/** A journal that was begun anew has another id, and nothing in common with the one before. */
export function anchorOf({ journal, history }: Known, of: string): HistoryAnchor {
  return journal === of && history ? history : NO_ANCHOR;
}

/** Goes on to the newest row once the status has shown the former: what was cut off and grew again must not be forgotten. */
export function nextAnchor(anchor: HistoryAnchor, { history }: StatusDocument): HistoryAnchor {
  const { row, head, known } = history;
  const isShown = anchor.row === 0 || row === anchor.row || known?.row === anchor.row;
  return isShown ? { row, head } : anchor;
}

/** Why history is another one, or null. */
export function historyFault(before: Known, status: StatusDocument): string | null {
  const anchor = anchorOf(before, status.journal);
  if (anchor.row === 0) return null;
  const { row, head, known } = status.history;
  if (row < anchor.row) return `its newest row is ${row}, and row ${anchor.row} was there before`;
  if (row === anchor.row && head !== anchor.head) return `row ${row} is another one than before`;
  if (known?.row !== anchor.row || known.hash === anchor.head) return null;
  if (known.hash !== null) return `row ${anchor.row} is another one than before`;
  if (row - anchor.row >= HISTORY_ROWS_MAX) return null;
  return `row ${anchor.row}, which was there before, is gone`;
}
