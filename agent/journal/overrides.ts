/**
 * Who wants a revision, its removal or the way back from it without waiting, for a maintenance window or for a pod that asks for time: kept
 * until it was acted on, or until what it was about was given up, so that neither a restart nor an image that is awaited forgets it. Runs
 * inside the caller's transaction.
 */
import type { BundleName, NewEvent } from '../ports.js';
import type { Connection } from './database.js';
import type { Transition } from './history.js';
import { appendEvent, type Moment } from './outbox.js';

export interface Override {
  /** Who wants it, and why; empty: no reason was given. */
  readonly by: string;
  readonly reason: string;
  /** What stood in the way; left out: a maintenance window. */
  readonly past?: 'window' | 'lock';
}

/** A revision at one attempt. */
export interface Attempted extends BundleName {
  readonly digest: string;
  readonly attempt: number;
}

export interface OverrideRecord extends Override, Attempted {
  /** Milliseconds since 1970; null: it was not needed yet. */
  readonly usedAt: number | null;
}

/** The one for this revision at this attempt, acted on or not yet. */
export function overrideOf(
  overrides: readonly OverrideRecord[],
  of: Attempted,
  { used }: { readonly used: boolean },
): OverrideRecord | null {
  const isOf = (one: OverrideRecord) =>
    one.namespace === of.namespace &&
    one.name === of.name &&
    one.digest === of.digest &&
    one.attempt === of.attempt;
  return overrides.find(one => isOf(one) && (one.usedAt !== null) === used) ?? null;
}

export function listOverrides(db: Connection): OverrideRecord[] {
  const rows = db.prepare('SELECT * FROM overrides').all() as (OverrideRecord &
    Record<string, unknown>)[];
  return rows.map(row => ({
    ...{ namespace: row.namespace, name: row.name, digest: row.digest, attempt: row.attempt },
    ...{ by: row['asked_by'] as string, reason: row.reason },
    usedAt: row['used_at'] as number | null,
    past: row['past'] as 'window' | 'lock',
  }));
}

/** In place of what was said of the bundle before. */
export function putOverride(
  db: Connection,
  { namespace, name, digest, attempt }: Attempted,
  { by, reason, at }: Override & { readonly at: number },
): void {
  db.prepare(
    `INSERT INTO overrides VALUES (@namespace, @name, @digest, @attempt, @by, @reason, @at, NULL, 'window')
     ON CONFLICT (namespace, name) DO UPDATE SET digest = @digest, attempt = @attempt,
     asked_by = @by, reason = @reason, asked_at = @at, used_at = NULL, past = 'window'`,
  ).run({ namespace, name, digest, attempt, by, reason, at });
}

/** It was given up: whoever wanted it did not ask for the way back. */
export function dropOverride(
  db: Connection,
  { namespace, name, digest, attempt }: Attempted,
): void {
  db.prepare(
    `DELETE FROM overrides WHERE namespace = ? AND name = ? AND digest = ? AND attempt = ?
     AND used_at IS NULL`,
  ).run(namespace, name, digest, attempt);
}

export interface UsedOverride {
  readonly to: Transition;
  readonly by: Override;
}

/** Part of the transaction that switches: something stood in the way, and this is why it was done all the same. */
export function useOverride(db: Connection, moment: Moment, { to, by }: UsedOverride): void {
  const { namespace, name, revision, digest, attempt } = to;
  putOverride(db, { namespace, name, digest, attempt }, { ...by, at: moment.at });
  const { past = 'window' } = by;
  db.prepare('UPDATE overrides SET used_at = ?, past = ? WHERE namespace = ? AND name = ?').run(
    ...[moment.at, past, namespace, name],
  );
  const message = `${doneText(to.state, revision)} ${inSpiteOf(by)}`;
  const reason = past === 'lock' ? 'LockOverridden' : 'WindowOverridden';
  appendEvent(db, moment, bundleEvent({ namespace, name }, reason, message));
}

/** A removal is the bundle's: what lay there need not be the newest revision. */
function doneText(state: Transition['state'], revision: number): string {
  if (state === 'removing') return 'removed';
  return `revision ${revision}: ${state === 'rolledBack' ? 'gone back from' : 'activated'}`;
}

/** What was not waited for, and who wanted that. */
export function inSpiteOf({ past = 'window', ...by }: Override): string {
  const what =
    past === 'lock' ? 'although a pod asks not to be disturbed' : 'outside its maintenance window';
  return `${what}, asked for by ${askedBy(by)}`;
}

/** `admin (it is urgent)`. */
export function askedBy({ by, reason }: Override): string {
  return reason === '' ? by : `${by} (${reason})`;
}

export function bundleEvent(
  { namespace, name }: BundleName,
  reason: string,
  message: string,
): NewEvent {
  const involved = { kind: 'Bundle', namespace, name, uid: '', fieldPath: '' } as const;
  return { type: 'Normal', reason, message, involved };
}
