/**
 * A journal forgets its fleet: roots, assignments, content, sealed Secrets, counters, times, what people wanted of its bundles and what
 * was still to be told to that hub, in one transaction. What local pods need stays, and so does the history, which says so. Whoever opens
 * it next begins it anew, as one that was just made. To be called when nothing of the fleet is at work any more, and nothing is gathered;
 * calling it again is safe.
 */
import { rmSync } from 'node:fs';
import { openDatabase } from './database.js';
import { appendHistory } from './history.js';

const TABLES = [
  ...['roots', 'assignments', 'revisions', 'blobs', 'bundles', 'floors', 'files'],
  ...['failures', 'secrets', 'overrides', 'holds', 'drifts', 'events', 'meta'],
] as const;

/** `twin`: removed first, so that a cut in between leaves a journal that is still the fleet's. */
export function forgetFleet(
  { journal, twin }: { readonly journal: string; readonly twin: string },
  now: number,
): void {
  rmSync(twin, { force: true });
  const { connection } = openDatabase(journal, now);
  try {
    // Else what was deleted would lie in free pages until they are written anew.
    connection.pragma('secure_delete = ON');
    connection
      .transaction(() => {
        for (const table of TABLES) connection.exec(`DELETE FROM ${table}`);
        appendHistory(connection, now, { kind: 'journal', why: 'Left' });
      })
      .immediate();
    connection.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    connection.close();
  }
}
