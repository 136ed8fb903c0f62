/**
 * What people want of a bundle beside the assignment: that it does not wait for a maintenance window. Kept until its revision or
 * attempt is another, so that neither a restart nor an image that is awaited forgets it. Each word is one transaction with its row
 * of history and its event.
 */
import type { BundleName, NewEvent } from '../ports.js';
import type { Connection } from './database.js';
import { appendHistory, type Transition } from './history.js';
import { appendEvent, type Moment } from './outbox.js';

export interface Override {
  /** Who wants it, and why; empty: no reason was given. */
  readonly by: string;
  readonly reason: string;
}

export interface OverrideRecord extends Override, BundleName {
  readonly digest: string;
  readonly attempt: number;
  /** Milliseconds since 1970; null: it was not needed yet. */
  readonly usedAt: number | null;
}

export interface SiteStore {
  overrides(): OverrideRecord[];
  /** At the device. Calling it again replaces who and why. */
  activateNow(wanted: BundleName & { digest: string; attempt: number }, by: Override): void;
}

export interface SiteHooks {
  readonly moment: () => Moment;
  readonly onEvent: () => void;
}

export function siteStore(db: Connection, hooks: SiteHooks): SiteStore {
  return {
    overrides: () => listOverrides(db),
    activateNow: ({ namespace, name, digest, attempt }, override) => {
      const moment = hooks.moment();
      const { by, reason } = override;
      db.transaction(() => {
        const entry = { kind: 'site', word: 'activateNow', namespace, name, by, reason } as const;
        appendHistory(db, moment.at, entry);
        putOverride(db, { namespace, name, digest, attempt }, { ...override, at: moment.at });
        const message = `is to be activated outside its maintenance window, asked for by ${askedBy(override)}`;
        appendEvent(db, moment, eventAbout({ namespace, name }, 'ActivateNow', message));
      }).immediate();
      hooks.onEvent();
    },
  };
}

/** Part of the transaction that switches: the window was closed, and this is why it was done all the same. */
export function useOverride(db: Connection, moment: Moment, { to, by }: UsedOverride): void {
  const { namespace, name, revision, digest, attempt } = to;
  putOverride(db, { namespace, name, digest, attempt }, { ...by, at: moment.at });
  db.prepare('UPDATE overrides SET used_at = ? WHERE namespace = ? AND name = ?').run(
    ...[moment.at, namespace, name],
  );
  const message = `revision ${revision}: activated outside its maintenance window, asked for by ${askedBy(by)}`;
  appendEvent(db, moment, eventAbout({ namespace, name }, 'WindowOverridden', message));
}

export interface UsedOverride {
  readonly to: Transition;
  readonly by: Override;
}

/** `admin (it is urgent)`. */
export function askedBy({ by, reason }: Override): string {
  return reason === '' ? by : `${by} (${reason})`;
}

function eventAbout(bundle: BundleName, reason: string, message: string): NewEvent {
  const involved = { kind: 'Bundle', ...bundle, uid: '', fieldPath: '' } as const;
  return { type: 'Normal', reason, message, involved };
}

function listOverrides(db: Connection): OverrideRecord[] {
  const rows = db.prepare('SELECT * FROM overrides').all() as (OverrideRecord &
    Record<string, unknown>)[];
  return rows.map(row => ({
    ...{ namespace: row.namespace, name: row.name, digest: row.digest, attempt: row.attempt },
    ...{ by: row['asked_by'] as string, reason: row.reason },
    usedAt: row['used_at'] as number | null,
  }));
}

function putOverride(
  db: Connection,
  { namespace, name, digest, attempt }: BundleName & { digest: string; attempt: number },
  { by, reason, at }: Override & { readonly at: number },
): void {
  db.prepare(
    `INSERT INTO overrides VALUES (@namespace, @name, @digest, @attempt, @by, @reason, @at, NULL)
     ON CONFLICT (namespace, name) DO UPDATE SET digest = @digest, attempt = @attempt,
     asked_by = @by, reason = @reason, asked_at = @at, used_at = NULL`,
  ).run({ namespace, name, digest, attempt, by, reason, at });
}
