/** The journal's file is opened; what cannot be read is set aside, and on a full disk the reserve is used. */
import { join } from 'node:path';
import { keptEvidence } from './begin.js';
import { isDiskError, JOURNAL_FILE, openDatabase, unusable } from './database.js';
import { Journal } from './journal.js';
import type { JournalOptions } from './journal-options.js';
import { onReserve } from './reserve.js';

/**
 * On a full disk what was held back for this is given up, piece by piece.
 *
 * @throws JournalError `NewerSchema` or `Unusable`
 */
export function openJournal(options: JournalOptions): Journal {
  let setAside: string | null = null;
  // What one try set aside is why the next one begins anew.
  const onSetAside = (path: string) => (setAside = path);
  return onReserve(options.dataDir, () => openOnce(options, { setAside, onSetAside }));
}

interface Aside {
  /** Where an earlier try put the damaged file. */
  readonly setAside: string | null;
  readonly onSetAside: (path: string) => void;
}

function openOnce(options: JournalOptions, { setAside, onSetAside }: Aside): Journal {
  const file = join(options.dataDir, JOURNAL_FILE);
  const opened = openDatabase(file, options.clock.now());
  try {
    const { connection } = opened;
    const kept =
      opened.setAside ?? setAside ?? keptEvidence(connection, { file, at: options.clock.now() });
    if (kept !== null) onSetAside(kept);
    return new Journal(connection, options, kept);
  } catch (error) {
    opened.connection.close();
    throw isDiskError(error) ? unusable(file, error) : error;
  }
}
