/**
 * A revision that a person at the device goes back from: remembered as one that was given up, so that nothing tries it again on its
 * own, and no longer the last healthy one; until a person there wants it after all. Runs inside the caller's transaction.
 */
import { REDONE, UNDONE } from '../../protocol/bundle-reasons.js';
import type { BundleName } from '../ports.js';
import { applyTransition, isOfWanted } from './content.js';
import type { Connection } from './database.js';
import { dropFailure, insertFailure } from './failures.js';
import { appendHistory, plainStep } from './history.js';
import type { Stamped } from './outbox.js';
import { dropOverride } from './overrides.js';

export interface Undone extends BundleName {
  readonly revision: number;
  readonly digest: string;
  readonly attempt: number;
  /** Digest of the revision that is to lie there again. */
  readonly to: string;
}

/** Its files are put back by whoever has the directory, as after a trial that failed. */
export function undoInJournal(
  db: Connection,
  moment: Stamped,
  undone: Undone,
  message: string,
): void {
  const { stamp: at } = moment;
  const { to, ...revision } = undone;
  const step = { ...revision, state: 'failed', reason: UNDONE, message } as const;
  if (isOfWanted(db, step)) applyTransition(db, moment, step);
  else appendHistory(db, at, { kind: 'bundle', ...plainStep(step) });
  insertFailure(db, at, { ...step, lastWords: null });
  dropOverride(db, step);
  const { namespace, name } = undone;
  db.prepare(
    `UPDATE bundles SET healthy_digest = @to, gate = NULL,
     previous_digest = CASE WHEN previous_digest <> @to THEN previous_digest END
     WHERE namespace = @namespace AND name = @name`,
  ).run({ namespace, name, to });
}

/** What the hub wants and a person undid. */
export interface Redone extends BundleName {
  readonly revision: number;
  readonly digest: string;
  readonly attempt: number;
  /** Its files lie there still: the way back was waited for. */
  readonly isThere: boolean;
}

/** It is on trial again, with the revision that was gone back to as the last healthy one. */
export function redoInJournal(
  db: Connection,
  moment: Stamped,
  redone: Redone,
  message: string,
): void {
  const { isThere, ...revision } = redone;
  dropFailure(db, redone, redone.digest);
  // What was said of the way back does not open a window for what comes again.
  dropOverride(db, redone);
  const state = isThere ? 'activating' : 'staged';
  applyTransition(db, moment, { ...revision, state, reason: REDONE, message });
}
