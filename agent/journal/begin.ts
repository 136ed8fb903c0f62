/**
 * Beginning a journal, or beginning it again: when a file is new, older than its twin, or does not
 * read back, its counters must not be trusted and only a fresh assignment may follow (security.md
 * S33, S74).
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { adopt } from './adoption.js';
import { damagedName, type Connection } from './database.js';
import { appendHistory, firstBrokenRow } from './history.js';
import { getMeta, setMeta } from './meta.js';
import * as outbox from './outbox.js';
import * as trust from './trust.js';
import { isPutBack, type Twin } from './twin.js';

/** Why only a fresh assignment is accepted. */
export type ResetReason = 'Created' | 'Lost' | 'PutBack' | 'Damaged';

/** Null for a file that goes on as it is. */
function resetReason(db: Connection, { twin, setAside }: Former): ResetReason | null {
  const journal = getMeta(db, 'journal');
  if (journal === null) {
    if (setAside !== null) return 'Damaged';
    return twin === null ? 'Created' : 'Lost';
  }
  const accepted = trust.newestAssignment(db);
  if (accepted === 'damaged' || firstBrokenRow(db) !== null) return 'Damaged';
  if (twin === null) return null;
  const current: Twin = {
    journal,
    boot: Number(getMeta(db, 'boot')),
    rootVersion: trust.newestRoot(db)?.document.version ?? 0,
    epoch: accepted?.epoch ?? 0,
    generation: accepted?.generation ?? 0,
  };
  return isPutBack(current, twin) ? 'PutBack' : null;
}

function isDamaged(db: Connection): boolean {
  return trust.newestAssignment(db) === 'damaged' || firstBrokenRow(db) !== null;
}

/**
 * What does not fit is kept as it is, beside the file, before it begins anew: path of the copy. Null: it fits, or the disk takes
 * no copy, which is no reason not to start.
 */
export function keptEvidence(
  db: Connection,
  { file, at }: { readonly file: string; readonly at: number },
): string | null {
  if (getMeta(db, 'journal') === null || !isDamaged(db)) return null;
  const copy = damagedName(file, at);
  try {
    closeSync(openSync(copy, 'wx', 0o600));
    db.prepare('VACUUM INTO ?').run(copy);
    return copy;
  } catch {
    rmSync(copy, { force: true });
    return null;
  }
}

interface Former {
  readonly twin: Twin | null;
  /** Where the file that did not read back, or its copy, is kept. */
  readonly setAside: string | null;
}

export interface Beginning extends Former {
  readonly randomId: () => string;
}

/** One more start of an agent on this file, which begins anew where it has to. Within a transaction. */
export function beginBoot(db: Connection, at: number, beginning: Beginning): void {
  const reason = resetReason(db, beginning);
  if (reason) begin(db, at, { ...beginning, reason });
  setMeta(db, 'boot', String(Number(getMeta(db, 'boot') ?? 0) + 1));
}

/** A new journal id in the same file: what is known stays, what is promised is numbered anew. */
function begin(
  db: Connection,
  at: number,
  { reason, randomId, twin, setAside }: Beginning & { readonly reason: ResetReason },
): void {
  const isEmpty = getMeta(db, 'journal') === null;
  if (reason === 'Damaged') {
    db.exec('DELETE FROM history');
    trust.dropDamagedAssignments(db);
  }
  setMeta(db, 'journal', randomId());
  setMeta(db, 'boot', '0');
  setMeta(db, 'fresh', reason);
  setMeta(db, 'nonce', randomId());
  setMeta(db, 'set-aside', setAside);
  outbox.renumber(db);
  appendHistory(db, at, { kind: 'journal', why: reason });
  if (twin?.kept) adopt(db, at, twin.kept);
  const isForgotten = isEmpty && reason !== 'Created' && twin?.kept?.holds === undefined;
  setMeta(db, 'holds-forgotten', isForgotten ? 'yes' : null);
}
