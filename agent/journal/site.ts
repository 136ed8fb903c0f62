/**
 * What people want of a bundle beside the assignment: that it does not wait for a maintenance window, kept until its revision or attempt
 * is another, so that neither a restart nor an image that is awaited forgets it; or that it stays as it is, kept until it is released.
 * Each word is one transaction with its row of history and its event.
 */
import { UNDONE } from '../../protocol/bundle-reasons.js';
import type { BundleName, NewEvent } from '../ports.js';
import type { Connection } from './database.js';
import { appendHistory, type SiteWord, type Transition } from './history.js';
import { appendEvent, type Moment } from './outbox.js';
import { driftStore, type DriftStore } from './drifts.js';
import { undoInJournal, type Undone } from './undo.js';
import type { Writer } from './writer.js';

export interface Override {
  /** Who wants it, and why; empty: no reason was given. */
  readonly by: string;
  readonly reason: string;
  /** What stood in the way; left out: a maintenance window. */
  readonly past?: 'window' | 'lock';
}

export interface OverrideRecord extends Override, BundleName {
  readonly digest: string;
  readonly attempt: number;
  /** Milliseconds since 1970; null: it was not needed yet. */
  readonly usedAt: number | null;
}

/** With the name empty: all bundles, those to come too. */
export interface HoldRecord extends Override, BundleName {
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The one that keeps this bundle as it is; null: none does. */
export function holdOn(holds: readonly HoldRecord[], of: BundleName): HoldRecord | null {
  const isOn = (one: HoldRecord) =>
    one.name === '' || (one.namespace === of.namespace && one.name === of.name);
  return holds.find(isOn) ?? null;
}

/** The one for this revision at this attempt, acted on or not yet. */
export function overrideOf(
  overrides: readonly OverrideRecord[],
  of: BundleName & { readonly digest: string; readonly attempt: number },
  { used }: { readonly used: boolean },
): OverrideRecord | null {
  const isOf = (one: OverrideRecord) =>
    one.namespace === of.namespace &&
    one.name === of.name &&
    one.digest === of.digest &&
    one.attempt === of.attempt;
  return overrides.find(one => isOf(one) && (one.usedAt !== null) === used) ?? null;
}

export type HoldTarget = BundleName | { readonly node: string };

export interface SiteStore {
  overrides(): OverrideRecord[];
  /** Oldest first. */
  holds(): HoldRecord[];
  /** Of a node: all bundles. Calling it again replaces who and why. */
  hold(what: HoldTarget, by: Override): void;
  /** Of a node: everything that is held. What is not held changes nothing. */
  release(what: HoldTarget, by: Override): void;
  /** At the device. Calling it again replaces who and why. */
  activateNow(wanted: BundleName & { digest: string; attempt: number }, by: Override): void;
  /** At the device: the revision is given up, another is to lie there again. */
  undo(undone: Undone, by: Override): void;
  /** What of the directory a person changed, where that is left so. */
  drifts(): DriftStore;
}

export interface SiteHooks {
  readonly writer: Pick<Writer, 'durably'>;
  readonly moment: () => Moment;
  readonly onEvent: () => void;
}

export function siteStore(db: Connection, hooks: SiteHooks): SiteStore {
  const speak = (
    word: SiteWord,
    event: { readonly about: HoldTarget; readonly reason: string },
    work: (at: number) => void,
  ) => {
    const moment = hooks.moment();
    hooks.writer.durably(() => {
      const { word: said, namespace, name, by, reason: why } = word;
      appendHistory(db, moment.at, { kind: 'site', word: said, namespace, name, by, reason: why });
      work(moment.at);
      const message = `${SENTENCES[said]} ${askedBy(word)}`;
      appendEvent(db, moment, eventAbout(event.about, event.reason, message));
    });
    hooks.onEvent();
  };
  return {
    drifts: () => driftStore(db, hooks),
    overrides: () => listOverrides(db),
    holds: () => listHolds(db),
    hold: (what, by) => {
      const { namespace, name } = 'node' in what ? EVERYTHING : what;
      const event = { about: what, reason: 'HeldAtDevice' };
      speak({ word: 'hold', namespace, name, ...by }, event, at => {
        const values = { namespace, name, by: by.by, reason: by.reason, at };
        db.prepare(
          'INSERT OR REPLACE INTO holds VALUES (@namespace, @name, @by, @reason, @at)',
        ).run(values);
      });
    },
    release: (what, by) => {
      const isMeant = (one: HoldRecord) =>
        'node' in what || (one.namespace === what.namespace && one.name === what.name);
      for (const { namespace, name } of listHolds(db).filter(isMeant)) {
        const about = name === '' ? what : { namespace, name };
        const event = { about, reason: 'ReleasedAtDevice' };
        speak({ word: 'release', namespace, name, ...by }, event, () => {
          db.prepare('DELETE FROM holds WHERE namespace = ? AND name = ?').run(namespace, name);
        });
      }
    },
    activateNow: ({ namespace, name, digest, attempt }, by) => {
      const event = { about: { namespace, name }, reason: 'ActivateNow' };
      speak({ word: 'activateNow', namespace, name, ...by }, event, at =>
        putOverride(db, { namespace, name, digest, attempt }, { ...by, at }),
      );
    },
    undo: (undone, by) => {
      const { namespace, name } = undone;
      const event = { about: { namespace, name }, reason: UNDONE };
      speak({ word: 'undo', namespace, name, ...by }, event, at =>
        undoInJournal(db, at, undone, `undone at the device by ${askedBy(by)}`),
      );
    },
  };
}

const EVERYTHING: BundleName = { namespace: '', name: '' };

/** What an event says of a word, before who said it. */
const SENTENCES: Readonly<Record<SiteWord['word'], string>> = {
  activateNow: 'is to be activated without waiting any longer, asked for by',
  hold: 'is held as it is, by',
  release: 'is not held any more, by',
  undo: 'goes back to the revision that was healthy before, asked for by',
};

/** Part of the transaction that switches: the window was closed, and this is why it was done all the same. */
export function useOverride(db: Connection, moment: Moment, { to, by }: UsedOverride): void {
  const { namespace, name, revision, digest, attempt } = to;
  putOverride(db, { namespace, name, digest, attempt }, { ...by, at: moment.at });
  const { past = 'window' } = by;
  db.prepare('UPDATE overrides SET used_at = ?, past = ? WHERE namespace = ? AND name = ?').run(
    ...[moment.at, past, namespace, name],
  );
  const what = to.state === 'removing' ? 'removed' : 'activated';
  const message = `revision ${revision}: ${what} ${inSpiteOf(by)}`;
  const reason = past === 'lock' ? 'LockOverridden' : 'WindowOverridden';
  appendEvent(db, moment, eventAbout({ namespace, name }, reason, message));
}

export interface UsedOverride {
  readonly to: Transition;
  readonly by: Override;
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

function eventAbout(about: HoldTarget, reason: string, message: string): NewEvent {
  const who =
    'node' in about
      ? ({ kind: 'Node', namespace: '', name: about.node } as const)
      : ({ kind: 'Bundle', namespace: about.namespace, name: about.name } as const);
  return { type: 'Normal', reason, message, involved: { ...who, uid: '', fieldPath: '' } };
}

function listHolds(db: Connection): HoldRecord[] {
  const rows = db.prepare('SELECT * FROM holds ORDER BY held_at').all() as (HoldRecord &
    Record<string, unknown>)[];
  return rows.map(row => ({
    ...{ namespace: row.namespace, name: row.name, reason: row.reason },
    ...{ by: row['held_by'] as string, at: row['held_at'] as number },
  }));
}

function listOverrides(db: Connection): OverrideRecord[] {
  const rows = db.prepare('SELECT * FROM overrides').all() as (OverrideRecord &
    Record<string, unknown>)[];
  return rows.map(row => ({
    ...{ namespace: row.namespace, name: row.name, digest: row.digest, attempt: row.attempt },
    ...{ by: row['asked_by'] as string, reason: row.reason },
    usedAt: row['used_at'] as number | null,
    past: row['past'] as 'window' | 'lock',
  }));
}

function putOverride(
  db: Connection,
  { namespace, name, digest, attempt }: BundleName & { digest: string; attempt: number },
  { by, reason, at }: Override & { readonly at: number },
): void {
  db.prepare(
    `INSERT INTO overrides VALUES (@namespace, @name, @digest, @attempt, @by, @reason, @at, NULL, 'window')
     ON CONFLICT (namespace, name) DO UPDATE SET digest = @digest, attempt = @attempt,
     asked_by = @by, reason = @reason, asked_at = @at, used_at = NULL, past = 'window'`,
  ).run({ namespace, name, digest, attempt, by, reason, at });
}
