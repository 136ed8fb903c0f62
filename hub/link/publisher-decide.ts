/** What a broker lacks, judged by the mark that it keeps for the hub. Pure. */
import type { MarkDocument } from '../../protocol/documents.js';

export interface MarkSeen {
  /** Null: none came, or it was not signed by this fleet's hub. */
  readonly mark: MarkDocument | null;
  readonly storeId: string;
  /** The highest publication number that the store gave out. */
  readonly lastNumber: number;
}

export interface Republication {
  /** Everything above this number is published. */
  readonly after: number;
  readonly reason: 'NoMark' | 'ForeignStore' | 'MarkAhead' | 'Marked';
}

/** A mark of another store or above our own numbers says nothing about this store: then everything goes out again. */
export function whatIsLacking({ mark, storeId, lastNumber }: MarkSeen): Republication {
  if (mark === null) return { after: 0, reason: 'NoMark' };
  if (mark.store !== storeId) return { after: 0, reason: 'ForeignStore' };
  if (mark.number > lastNumber) return { after: 0, reason: 'MarkAhead' };
  return { after: mark.number, reason: 'Marked' };
}

/**
 * The number up to which the broker has everything: all below the lowest that is not acknowledged, else all that was
 * sent.
 */
export function safeNumber(sentThrough: number, unacknowledged: Iterable<number>): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (const number of unacknowledged) lowest = Math.min(lowest, number);
  return lowest === Number.POSITIVE_INFINITY ? sentThrough : Math.min(sentThrough, lowest - 1);
}
