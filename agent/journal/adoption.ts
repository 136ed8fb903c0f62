/**
 * What outlives the journal, as its twin has it beside it: which files run, which revisions were healthy last, the floors that must not fall, and what a person at the device
 * said that keeps something from happening: holds, and revisions that were undone; and what failed here, which is not tried again. Who
 * wanted something at once is not among it: without that word what waits goes on waiting. Runs inside the caller's transaction.
 */
import { UNDONE } from '../../protocol/bundle-reasons.js';
import { listBundles, listFiles, listRevisions } from './content.js';
import type { Connection } from './database.js';
import { insertFailure, listFailures, type FailureRecord } from './failures.js';
import { appendHistory } from './history.js';
import { listHolds, putHold } from './holds.js';
import type { Kept } from './twin.js';

/** Revisions that were undone, and those that failed, as far as they outlive the journal: of each bundle the newest. */
const GIVEN_UP_MAX = 10;
/** Of a reason that does; the twin is written whole each time. */
const MESSAGE_MAX = 300;

export function keptOf(db: Connection): Required<Kept> {
  const floors = db.prepare('SELECT namespace, name, floor FROM floors WHERE floor > 0').all();
  const running = listBundles(db).flatMap(
    ({ namespace, name, revision, digest, attempt, active }) => {
      if (active === null) return [];
      if (active === digest) return [{ namespace, name, revision, digest, attempt }];
      const known = listRevisions(db).find(one => one.digest === active);
      return [{ namespace, name, revision: known?.revision ?? 0, digest: active, attempt: 0 }];
    },
  );
  return {
    bundles: running,
    files: listFiles(db),
    floors: floors as Kept['floors'],
    healthy: listHealthy(db),
    holds: listHolds(db),
    undone: listGivenUp(db, ({ reason }) => reason === UNDONE).map(withoutReason),
    failed: listGivenUp(db, ({ reason }) => reason !== UNDONE),
  };
}

/** Those that a bundle could be gone back to, the last healthy one first. */
function listHealthy(db: Connection): Required<Kept>['healthy'] {
  const revisions = new Map(listRevisions(db).map(one => [one.digest, one]));
  return listBundles(db).flatMap(({ healthy, previous }) =>
    [healthy, previous].flatMap(digest => {
      const known = digest === null ? undefined : revisions.get(digest);
      if (known === undefined) return [];
      const { namespace, name, revision } = known;
      return [{ namespace, name, revision, digest: known.digest }];
    }),
  );
}

function listGivenUp(
  db: Connection,
  is: (failure: FailureRecord) => boolean,
): Required<Kept>['failed'] {
  const seen = new Map<string, number>();
  return listFailures(db)
    .filter(is)
    .flatMap(({ namespace, name, revision, digest, attempt, at, reason, message }) => {
      const before = seen.get(`${namespace}/${name}`) ?? 0;
      seen.set(`${namespace}/${name}`, before + 1);
      if (before >= GIVEN_UP_MAX) return [];
      const words = message.slice(0, MESSAGE_MAX);
      return [{ namespace, name, revision, digest, attempt, at, reason, message: words }];
    });
}

function withoutReason({
  reason: _,
  ...undone
}: Required<Kept>['failed'][number]): Required<Kept>['undone'][number] {
  return undone;
}

/**
 * After the journal was lost or an older one put back: the files that were written last stay explained, so that their pods run on; floors
 * do not fall; what was healthy was, and is known by its digest until its content came again; what is held, what was undone and what failed
 * is so still, with a row of history for each hold that the journal did not know. Which revision is meant the next assignment says.
 */
export function adopt(db: Connection, at: number, kept: Kept): void {
  db.exec('DELETE FROM files; UPDATE bundles SET active_digest = NULL');
  const bundle = db.prepare(
    `INSERT INTO bundles (namespace, name, revision, digest, attempt, state, reason, message, since,
     active_digest, active_attempt) VALUES (@namespace, @name, @revision, @digest, @attempt, 'activating',
     'JournalReset', '', @at, @digest, @attempt)
     ON CONFLICT (namespace, name) DO UPDATE SET revision = @revision, digest = @digest,
     attempt = @attempt, state = 'activating', reason = 'JournalReset', message = '', since = @at,
     active_digest = @digest, active_attempt = @attempt, gate = NULL`,
  );
  for (const one of kept.bundles) {
    bundle.run({ ...one, at });
    rememberRevision(db, at, one);
  }
  const file = db.prepare(
    'INSERT INTO files VALUES (@file, @namespace, @name, @pod, @manifest, @content)',
  );
  for (const one of kept.files) file.run(one);
  const floor = db.prepare(
    `INSERT INTO floors VALUES (@namespace, @name, @floor) ON CONFLICT (namespace, name)
     DO UPDATE SET floor = max(floor, excluded.floor)`,
  );
  for (const one of kept.floors) floor.run(one);
  if (kept.healthy !== undefined) adoptHealthy(db, at, kept.healthy);
  if (kept.holds !== undefined) adoptHolds(db, at, kept.holds);
  if (kept.undone !== undefined) adoptUndone(db, kept.undone);
  adoptFailed(db, kept.failed ?? []);
  failWhatWasGivenUp(db);
}

/** By number and digest, without content; one that is known stays as it is. A number that nobody knew is none. */
function rememberRevision(
  db: Connection,
  at: number,
  { namespace, name, revision, digest }: Required<Kept>['healthy'][number],
): void {
  if (revision < 1) return;
  db.prepare(
    `INSERT OR IGNORE INTO revisions (namespace, name, revision, digest, stored_at)
     VALUES (?, ?, ?, ?, ?)`,
  ).run(namespace, name, revision, digest, at);
}

function adoptHealthy(db: Connection, at: number, healthy: Required<Kept>['healthy']): void {
  db.exec('UPDATE bundles SET healthy_digest = NULL, previous_digest = NULL');
  // The last one first; what comes after it was healthy before.
  const put = db.prepare(
    `UPDATE bundles SET previous_digest = CASE WHEN healthy_digest IS NOT NULL THEN @digest END,
     healthy_digest = coalesce(healthy_digest, @digest) WHERE namespace = @namespace AND name = @name`,
  );
  for (const one of healthy) {
    const { namespace, name, digest } = one;
    rememberRevision(db, at, one);
    put.run({ namespace, name, digest });
  }
}

function adoptHolds(db: Connection, at: number, holds: Required<Kept>['holds']): void {
  const known = new Set(listHolds(db).map(one => JSON.stringify(one)));
  db.exec('DELETE FROM holds');
  for (const hold of holds) {
    const { namespace, name, by, reason } = hold;
    putHold(db, hold);
    const isNews = !known.has(JSON.stringify({ namespace, name, by, reason, at: hold.at }));
    if (isNews) appendHistory(db, at, { kind: 'site', word: 'hold', namespace, name, by, reason });
  }
}

function adoptUndone(db: Connection, undone: Required<Kept>['undone']): void {
  db.prepare('DELETE FROM failures WHERE reason = ?').run(UNDONE);
  for (const { at, ...one } of undone) {
    insertFailure(db, at, { ...one, state: 'failed', reason: UNDONE, lastWords: null });
  }
}

/** A journal that knows of one knows the last words too. */
function adoptFailed(db: Connection, failed: Required<Kept>['failed']): void {
  const known = listFailures(db);
  for (const { at, ...one } of failed) {
    const isKnown = known.some(
      ({ digest, attempt }) => digest === one.digest && attempt >= one.attempt,
    );
    if (!isKnown) insertFailure(db, at, { ...one, state: 'failed', lastWords: null });
  }
}

/** What runs although it was given up stays failed, for the same reason: nobody puts it on trial again. */
function failWhatWasGivenUp(db: Connection): void {
  const put = db.prepare(
    `UPDATE bundles SET state = 'failed', reason = @reason, message = @message
     WHERE namespace = @namespace AND name = @name`,
  );
  for (const { namespace, name, active, activeAttempt, activeGivenUp } of listBundles(db)) {
    if (!activeGivenUp) continue;
    const why = listFailures(db).find(one => one.digest === active && one.attempt >= activeAttempt);
    if (why) put.run({ namespace, name, reason: why.reason, message: why.message });
  }
}
