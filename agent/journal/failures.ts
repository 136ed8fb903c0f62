/**
 * Revisions that this node gave up, by bundle and digest, with the attempt that failed and why. Runs inside the caller's
 * transaction.
 */
import type { BundleName } from '../ports.js';
import type { Connection } from './database.js';
import { plainStep, type Transition } from './history.js';

/** Remembered for each bundle, the newest. */
const FAILURES_KEPT = 100;

export interface FailureRecord extends BundleName {
  readonly revision: number;
  readonly digest: string;
  readonly attempt: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly reason: string;
  readonly message: string;
  /** Container output: leaves the node sealed or not at all. Null: there was none. */
  readonly lastWords: string | null;
}

export function insertFailure(
  db: Connection,
  at: number,
  failed: Transition & { readonly lastWords: string | null },
): void {
  const { namespace, name, lastWords } = failed;
  db.prepare(
    `INSERT OR REPLACE INTO failures (namespace, name, digest, revision, attempt, at, reason, message, last_words)
     VALUES (@namespace, @name, @digest, @revision, @attempt, @at, @reason, @message, @lastWords)`,
  ).run({ ...plainStep(failed), at, lastWords });
  db.prepare(
    `DELETE FROM failures WHERE namespace = ? AND name = ? AND digest NOT IN
     (SELECT digest FROM failures WHERE namespace = ? AND name = ? ORDER BY revision DESC LIMIT ?)`,
  ).run(namespace, name, namespace, name, FAILURES_KEPT);
}

/** It became healthy after all. */
export function dropFailure(db: Connection, { namespace, name }: BundleName, digest: string): void {
  db.prepare('DELETE FROM failures WHERE namespace = ? AND name = ? AND digest = ?').run(
    namespace,
    name,
    digest,
  );
}

/** Newest revision of a bundle first. */
export function listFailures(db: Connection): FailureRecord[] {
  return db
    .prepare(
      `SELECT namespace, name, revision, digest, attempt, at, reason, message, last_words AS lastWords
       FROM failures ORDER BY namespace, name, revision DESC`,
    )
    .all() as FailureRecord[];
}
