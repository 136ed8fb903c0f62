/** Opening a journal on a full disk: what was held back for this is given up, piece by piece. */
import { JournalError, unusable } from './database.js';
import { isShort, releaseReserve } from './reserve.js';

const FULL = 'the disk is full: free some space and start again; pods that run go on';

/** @throws JournalError `Unusable` when nothing is left to give up; whatever else `open` throws */
export function withReserve<T>(dataDir: string, open: () => T): T {
  for (;;) {
    try {
      return open();
    } catch (error) {
      const isUnusable = error instanceof JournalError && error.code === 'Unusable';
      if (!isUnusable || !isShort(dataDir)) throw error;
      if (!releaseReserve(dataDir)) throw unusable(dataDir, new Error(FULL, { cause: error }));
    }
  }
}
