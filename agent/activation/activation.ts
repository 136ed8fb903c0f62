/**
 * The health gate of every bundle: judges the pods, hub or no hub, records what changed in the journal before anybody acts on
 * it, keeps the clocks of those on trial. What was given up is undone by whoever has the static pod directory. Decides nothing
 * by itself.
 */
import type { BundleStatus } from '../../protocol/documents/node.js';
import { bindingsOf } from '../../protocol/image-binding.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import { bundleKey } from '../intake/decide.js';
import type { BundleRecord, Journal } from '../journal/journal.js';
import { askedBy } from '../journal/site.js';
import type { ImageHold } from '../images/ahead.js';
import { PULLING } from '../pods/image-hold.js';
import type { BundleName, NewEvent, PodReport } from '../ports.js';
import { bundleHealth, isOnTrial, type Health, type Judged } from './bundle-health.js';
import { WINDOW } from './table.js';
import type { WindowHold } from './windows.js';
import { afterRestart, JUST_OPENED, passed, saveEveryMs, type GateMemory } from './gate.js';

export interface ActivationParts {
  readonly journal: Journal;
  /** Null until the pods of this start are known. */
  readonly pods: () => readonly PodReport[] | null;
  readonly clock: Clock;
  readonly log: Log;
  /** Why images of a bundle are awaited, with how far they are; left out: nobody pulls here. */
  readonly pulling?: (bundle: BundleName) => ImageHold | null;
  /** Which window a bundle waits for. */
  readonly windowOf?: (bundle: BundleName) => WindowHold | null;
  /** A revision was given up: the journal says so already. */
  readonly onGivenUp: () => void;
}

/** While something is on trial, so that its clock is saved. */
const LOOK_MS = 60_000;

/** The clock of one revision on trial, as this process keeps it. */
interface Trial {
  readonly digest: string;
  readonly attempt: number;
  memory: GateMemory;
  /** Monotonic. */
  at: number;
  savedAt: number;
}

export class Activation {
  readonly #parts: ActivationParts;
  readonly #trials = new Map<string, Trial>();

  constructor(parts: ActivationParts) {
    this.#parts = parts;
  }

  /** As it stands now; records nothing. */
  statuses(): readonly BundleStatus[] {
    return this.#health().statuses.map(status => this.#withProgress(status));
  }

  /** How far a pull is, and when the next window opens, costs no write: it is told, not recorded. */
  #withProgress(status: BundleStatus): BundleStatus {
    const { state, reason } = status;
    if (state === 'waiting' && reason === PULLING) {
      const now = this.#parts.pulling?.(status) ?? null;
      return now?.reason === PULLING ? { ...status, message: now.message.slice(0, 1024) } : status;
    }
    if (state === 'waiting' && reason === WINDOW) {
      const hold = this.#parts.windowOf?.(status) ?? null;
      if (hold === null) return status;
      const message = hold.message.slice(0, 1024);
      if (hold.opensAt === null) return { ...status, message };
      return { ...status, message, opensAt: new Date(hold.opensAt).toISOString() };
    }
    return this.#withOverride(status);
  }

  /** As long as nothing else takes its place: that it began outside its window, and who wanted it. */
  #withOverride(status: BundleStatus): BundleStatus {
    const { namespace, name, digest, active, attempt } = status;
    if (active !== digest) return status;
    const overrides = this.#parts.journal.site().overrides();
    const used = overrides.find(
      one =>
        one.namespace === namespace &&
        one.name === name &&
        one.digest === digest &&
        one.attempt === attempt &&
        one.usedAt !== null,
    );
    if (!used) return status;
    const told = `activated outside its maintenance window, asked for by ${askedBy(used)}`;
    return { ...status, message: `${status.message.slice(0, 400)}; ${told}`.slice(0, 1024) };
  }

  /**
   * Judges and records. Milliseconds until time alone may change something, or null. Throws what the disk throws: then call it
   * again.
   */
  look(): number | null {
    const { journal, clock, log, onGivenUp } = this.#parts;
    const health = this.#health();
    const trials = journal.trials();
    let isGivenUp = false;
    for (const judged of health.transitions) {
      if (judged.phase === 'givenUp') {
        const lastWords = judged.culprit?.lastWords ?? null;
        trials.giveUp({ ...judged, lastWords }, eventOf(judged, 'BundleFailed'));
        log.warn('bundle given up', { bundle: bundleKey(judged), reason: judged.reason });
        isGivenUp = true;
      } else if (judged.state === 'healthy') {
        trials.prove(judged, eventOf(judged, 'BundleHealthy'));
      } else {
        journal.recordTransition(judged);
        if (judged.state === 'failed') journal.record(eventOf(judged, 'BundleFailed'));
      }
    }
    this.#keep(health.gates);
    if (isGivenUp) onGivenUp();
    if (health.againAt === null) return null;
    return Math.min(LOOK_MS, Math.max(0, health.againAt - clock.now()));
  }

  #health(): Health {
    const { journal, pods, clock } = this.#parts;
    const documentOf = ({ active }: BundleRecord) =>
      active === null ? null : journal.bundleDocument(active);
    return bundleHealth({
      records: journal.bundles(),
      files: [...journal.files().values()],
      active: record => {
        const document = documentOf(record);
        if (document === null) return null;
        const { revision, strategy = DEFAULT_STRATEGY, images } = document;
        return { revision, strategy, bindings: bindingsOf(images) };
      },
      gate: record => this.#memoryOf(record),
      pods: pods(),
      now: clock.now(),
    });
  }

  /** By now; the trial of another revision or attempt is none of this one's. */
  #memoryOf(record: BundleRecord): GateMemory {
    const at = this.#parts.clock.monotonic();
    const trial = this.#trialOf(record, at);
    return passed(trial.memory, at - trial.at);
  }

  #trialOf(record: BundleRecord, at: number): Trial {
    const key = bundleKey(record);
    const { active, activeAttempt: attempt, gate } = record;
    const known = this.#trials.get(key);
    if (known?.digest === active && known.attempt === attempt) return known;
    const memory = gate === null ? JUST_OPENED : afterRestart(gate, this.#deadlineMs(active));
    const savedAt = gate === null ? at : Number.NEGATIVE_INFINITY;
    const trial = { digest: active ?? '', attempt, memory, at, savedAt };
    this.#trials.set(key, trial);
    return trial;
  }

  /** The clocks go on from here; they are saved now and then, so that no restart begins them anew. */
  #keep(gates: ReadonlyMap<string, GateMemory>): void {
    const { journal, clock, pods } = this.#parts;
    const at = clock.monotonic();
    const records = new Map(journal.bundles().map(record => [bundleKey(record), record]));
    for (const [key, trial] of this.#trials) {
      // Nobody knows how the pods are: that time is none of the trial's.
      if (pods() === null) trial.at = at;
      const record = records.get(key);
      if (!record || !isOnTrial(record)) {
        this.#trials.delete(key);
        continue;
      }
      const memory = gates.get(key);
      if (!memory || record.active !== trial.digest) continue;
      Object.assign(trial, { memory, at });
      if (record.gate !== null && at - trial.savedAt < saveEveryMs(this.#deadlineMs(trial.digest)))
        continue;
      journal.trials().saveGate(record, memory);
      trial.savedAt = at;
    }
  }

  #deadlineMs(digest: string | null): number {
    const document = digest === null ? null : this.#parts.journal.bundleDocument(digest);
    return (document?.strategy ?? DEFAULT_STRATEGY).progressDeadlineSeconds * 1000;
  }
}

function eventOf(judged: Judged, reason: 'BundleFailed' | 'BundleHealthy'): NewEvent {
  const { namespace, name, revision, message } = judged;
  const why = reason === 'BundleFailed' ? `${judged.reason}: ${message}` : message;
  return {
    type: reason === 'BundleFailed' ? 'Warning' : 'Normal',
    reason,
    message: `revision ${revision}: ${why}`,
    involved: { kind: 'Bundle', namespace, name, uid: '', fieldPath: '' },
  };
}
