/**
 * Reads a journal beside a running agent, for `flotilla-agent journal` and for a stopped node.
 * Never writes.
 */
import { join } from 'node:path';
import type { EventRecord } from '../../protocol/documents/node.js';
import { listBundles, listRevisions, type BundleRecord, type RevisionRecord } from './content.js';
import { JOURNAL_FILE, openForReading } from './database.js';
import { listFailures, type FailureRecord } from './failures.js';
import { readHistory, type HistoryRow } from './history.js';
import { oldestEvent, readEvents } from './outbox.js';
import { getMeta } from './meta.js';

export interface JournalView {
  readonly journal: string;
  readonly boot: number;
  /** Newest first within a bundle. */
  readonly revisions: readonly RevisionRecord[];
  readonly bundles: readonly BundleRecord[];
  /** Revisions that this node gave up, newest of a bundle first. */
  readonly failures: readonly FailureRecord[];
  /** Oldest first. */
  readonly history: readonly HistoryRow[];
  /** Not acknowledged yet, oldest first. */
  readonly events: readonly EventRecord[];
}

/** @throws JournalError when there is none, or of another schema */
export function readJournal(dataDir: string): JournalView {
  const db = openForReading(join(dataDir, JOURNAL_FILE));
  try {
    return db.transaction(() => ({
      journal: getMeta(db, 'journal') ?? '',
      boot: Number(getMeta(db, 'boot') ?? 0),
      revisions: listRevisions(db),
      bundles: listBundles(db),
      failures: listFailures(db),
      history: readHistory(db),
      events: readEvents(db, { after: oldestEvent(db) - 1, limit: Number.MAX_SAFE_INTEGER }),
    }))();
  } finally {
    db.close();
  }
}
