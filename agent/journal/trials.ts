/**
 * What the journal keeps of revisions that have to prove themselves, or to go: given up, proven, undone, removed later, each in one transaction with
 * the event that tells the hub. A step may be about what is wanted or about what still lies in the directory of an earlier
 * assignment.
 */
import type { GateMemory } from '../activation/gate.js';
import type { BundleName, NewEvent } from '../ports.js';
import * as content from './content.js';
import type { Connection } from './database.js';
import * as failures from './failures.js';
import { appendHistory, plainStep, type Transition } from './history.js';
import { appendEvent, type Moment, type Stamped } from './outbox.js';
import { previousHealthy } from './previous.js';
import { dropOverride, useOverride, type Override } from './overrides.js';
import type { Writer } from './writer.js';

export interface TrialStore {
  /** Remembered with its container's last words, and never tried again at this attempt. */
  giveUp(failed: Transition & { readonly lastWords: string | null }, event: NewEvent): void;
  /** The one to go back to from now on. `restartS`: how long its pods took to be ready; null: none began anew, or nobody saw all of it. */
  prove(healthy: Transition, event: NewEvent, restartS: number | null): void;
  /** The files of the last healthy revision are to lie there again, in place of those of one that was given up. */
  rollBack(failed: Transition, target: RollBackTarget, event: NewEvent): void;
  /** How long a revision has been on trial. */
  saveGate(bundle: BundleName, gate: GateMemory): void;
  /** Not assigned any more, and there still: with why. */
  waitsToGo(step: Transition): void;
  /** Assigned again before it went: as it stands. */
  stays(step: Transition): void;
  failures(): failures.FailureRecord[];
  /** The last healthy revision before the one that lies in the directory, kept whole; null: there is none. */
  previousHealthy(bundle: BundleName): content.RevisionRecord | null;
}

export interface RollBackTarget {
  readonly digest: string;
  readonly files: readonly content.OwnedFile[];
  /** Whoever wanted it although a pod asks for time; null: nothing stood in the way. */
  readonly by: Override | null;
}

export interface TrialHooks {
  readonly writer: Pick<Writer, 'durably'>;
  readonly moment: () => Stamped;
  /** Within the transaction. */
  readonly prune: () => void;
  readonly onFiles: () => void;
  /** What outlives the journal is another; `soon`: more of it follows as a rule. */
  readonly onKept: (when?: 'soon') => void;
  readonly onEvent: () => void;
}

/** The files that lie in the directory from now on, with the step that says so. `by`: in spite of its window. */
export function activate(
  db: Connection,
  hooks: TrialHooks,
  next: {
    readonly to: Transition;
    readonly files: readonly content.OwnedFile[];
    readonly by: Override | undefined;
  },
): void {
  const { to, files, by } = next;
  const moment = hooks.moment();
  hooks.writer.durably(() => {
    content.applyTransition(db, moment, to);
    const digest = ['removing', 'failed'].includes(to.state) ? null : to.digest;
    content.replaceFiles(db, to, { digest, attempt: to.attempt, files });
    if (by) useOverride(db, moment, { to, by });
    hooks.prune();
  });
  hooks.onFiles();
  if (by) hooks.onEvent();
}

export function trialStore(db: Connection, hooks: TrialHooks): TrialStore {
  const step = (to: Transition, event: NewEvent, work: (at: number, moment: Moment) => void) => {
    const moment = hooks.moment();
    hooks.writer.durably(() => {
      if (content.isOfWanted(db, to)) content.applyTransition(db, moment, to);
      else appendHistory(db, moment.stamp, { kind: 'bundle', ...plainStep(to) });
      work(moment.stamp, moment);
      appendEvent(db, moment, event);
    });
    hooks.onEvent();
  };
  return {
    giveUp: (failed, event) => {
      step(failed, event, at => {
        failures.insertFailure(db, at, failed);
        dropOverride(db, failed);
      });
      hooks.onKept('soon');
    },
    prove: (healthy, event, restartS) => {
      step(healthy, event, at => {
        content.markHealthy(db, at, healthy);
        if (restartS !== null) content.keepRestart(db, healthy, restartS);
      });
      hooks.onKept();
    },
    rollBack: (failed, { digest, files, by }, event) => {
      step(failed, event, (_at, moment) => {
        if (by === null) dropOverride(db, failed);
        else useOverride(db, moment, { to: failed, by });
        content.replaceFiles(db, failed, { digest, attempt: 0, files });
        hooks.prune();
      });
      hooks.onFiles();
    },
    saveGate: (bundle, gate) => hooks.writer.durably(() => content.saveGate(db, bundle, gate)),
    waitsToGo: step => {
      const moment = hooks.moment();
      hooks.writer.durably(() => content.putGoing(db, moment, step));
    },
    stays: step => {
      const { stamp } = hooks.moment();
      hooks.writer.durably(() => content.dropGoing(db, stamp, step));
    },
    failures: () => failures.listFailures(db),
    previousHealthy: bundle => previousHealthy(db, bundle),
  };
}
