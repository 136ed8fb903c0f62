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
  return onReserve(options.dataDir, () => openOnce(options));
}

function openOnce(options: JournalOptions): Journal {
  const file = join(options.dataDir, JOURNAL_FILE);
  const opened = openDatabase(file, options.clock.now());
  try {
    const { connection, setAside } = opened;
    const evidence = keptEvidence(connection, { file, at: options.clock.now() });
    return new Journal(connection, options, setAside ?? evidence);
  } catch (error) {
    opened.connection.close();
    throw isDiskError(error) ? unusable(file, error) : error;
  }
}
