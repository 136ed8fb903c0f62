/**
 * What people at the device want of a bundle beside the assignment: that it does not wait, that it stays as it is, that it goes back, or
 * comes again. Each word is one transaction with its row of history and its event; what must outlive the journal is in its twin when the
 * call returns.
 */
import { REDONE, UNDONE } from '../../protocol/bundle-reasons.js';
import type { BundleName, NewEvent } from '../ports.js';
import type { Connection } from './database.js';
import { driftStore, type DriftStore } from './drifts.js';
import { appendHistory, type SiteWord } from './history.js';
import { dropHold, listHolds, putHold, type HoldRecord } from './holds.js';
import { appendEvent, type Stamped } from './outbox.js';
import {
  askedBy,
  bundleEvent,
  listOverrides,
  putOverride,
  type Attempted,
  type Override,
  type OverrideRecord,
} from './overrides.js';
import { redoInJournal, undoInJournal, type Redone, type Undone } from './undo.js';
import type { Writer } from './writer.js';

export type HoldTarget = BundleName | { readonly node: string };

export interface SiteStore {
  overrides(): OverrideRecord[];
  /** Oldest first. */
  holds(): HoldRecord[];
  /** Of a node: all bundles. Calling it again replaces who and why; since when stays. */
  hold(what: HoldTarget, by: Override): void;
  /** Of a node: everything that is held. What is not held changes nothing. */
  release(what: HoldTarget, by: Override): void;
  /** At the device. Calling it again replaces who and why. */
  activateNow(wanted: Attempted, by: Override): void;
  /** At the device: the revision is given up, another is to lie there again. */
  undo(undone: Undone, by: Override): void;
  /** At the device: a revision that was undone there is tried again. */
  redo(redone: Redone, by: Override): void;
  /** What of the directory a person changed, where that is left so. */
  drifts(): DriftStore;
}

export interface SiteHooks {
  readonly writer: Pick<Writer, 'durably'>;
  readonly moment: () => Stamped;
  /** After the transaction: what outlives the journal is another. */
  readonly onKept: () => void;
  readonly onEvent: () => void;
}

export function siteStore(db: Connection, hooks: SiteHooks): SiteStore {
  const speak = (
    word: SiteWord,
    event: { readonly about: HoldTarget; readonly reason: string },
    work: (moment: Stamped) => void,
  ) => {
    const moment = hooks.moment();
    hooks.writer.durably(() => {
      const { word: said, namespace, name, by, reason: why } = word;
      appendHistory(db, moment.stamp, {
        kind: 'site',
        word: said,
        namespace,
        name,
        by,
        reason: why,
      });
      work(moment);
      const message = `${SENTENCES[said]} ${askedBy(word)}`;
      appendEvent(db, moment, eventAbout(event.about, event.reason, message));
    });
    hooks.onKept();
    hooks.onEvent();
  };
  return {
    drifts: () => driftStore(db, hooks),
    overrides: () => listOverrides(db),
    holds: () => listHolds(db),
    hold: (what, by) => {
      const { namespace, name } = 'node' in what ? EVERYTHING : what;
      const event = { about: what, reason: 'HeldAtDevice' };
      speak({ word: 'hold', namespace, name, ...by }, event, ({ stamp: at }) =>
        putHold(db, { namespace, name, by: by.by, reason: by.reason, at }),
      );
    },
    release: (what, by) => {
      const isMeant = (one: HoldRecord) =>
        'node' in what || (one.namespace === what.namespace && one.name === what.name);
      for (const { namespace, name } of listHolds(db).filter(isMeant)) {
        const about = name === '' ? what : { namespace, name };
        const event = { about, reason: 'ReleasedAtDevice' };
        speak({ word: 'release', namespace, name, ...by }, event, () =>
          dropHold(db, { namespace, name }),
        );
      }
    },
    activateNow: ({ namespace, name, digest, attempt }, by) => {
      const event = { about: { namespace, name }, reason: 'ActivateNow' };
      speak({ word: 'activateNow', namespace, name, ...by }, event, ({ stamp: at }) =>
        putOverride(db, { namespace, name, digest, attempt }, { ...by, at }),
      );
    },
    undo: (undone, by) => {
      const { namespace, name } = undone;
      const event = { about: { namespace, name }, reason: UNDONE };
      speak({ word: 'undo', namespace, name, ...by }, event, moment =>
        undoInJournal(db, moment, undone, `undone at the device by ${askedBy(by)}`),
      );
    },
    redo: (redone, by) => {
      const { namespace, name } = redone;
      const event = { about: { namespace, name }, reason: REDONE };
      speak({ word: 'redo', namespace, name, ...by }, event, moment =>
        redoInJournal(db, moment, redone, `tried again at the device, asked for by ${askedBy(by)}`),
      );
    },
  };
}

const EVERYTHING: BundleName = { namespace: '', name: '' };

/** What an event says of a word, before who said it. */
const SENTENCES: Readonly<Record<SiteWord['word'], string>> = {
  activateNow: 'is not to wait any longer, asked for by',
  hold: 'is held as it is, by',
  release: 'is not held any more, by',
  undo: 'goes back to the revision that was healthy before, asked for by',
  redo: 'what was undone is tried again, asked for by',
};

function eventAbout(about: HoldTarget, reason: string, message: string): NewEvent {
  if (!('node' in about)) return bundleEvent(about, reason, message);
  const node = { kind: 'Node', namespace: '', name: about.node } as const;
  const involved = { ...node, uid: '', fieldPath: '' };
  return { type: 'Normal', reason, message, involved };
}
