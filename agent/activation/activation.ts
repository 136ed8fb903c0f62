/**
 * The health gate of every bundle: judges the pods, hub or no hub, records what changed in the journal before anybody acts on
 * it, keeps the clocks of those on trial. What was given up is undone by whoever has the static pod directory. Decides nothing
 * by itself.
 */
import type { BundleStatus, SealedOutput } from '../../protocol/documents/node.js';
import { HELD, LOCKED, WINDOW } from '../../protocol/bundle-reasons.js';
import { bindingsOf } from '../../protocol/image-binding.js';
import type { LastWords } from '../../protocol/last-words.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import { bundleKey } from '../intake/decide.js';
import type { BundleRecord, Journal } from '../journal/journal.js';
import { holdOn } from '../journal/holds.js';
import { askedBy, inSpiteOf, overrideOf } from '../journal/overrides.js';
import type { ImageHold } from '../images/ahead.js';
import { PULLING } from '../pods/image-hold.js';
import type { BundleName, NewEvent, PodReport, SourceCondition } from '../ports.js';
import { bundleHealth, isOnTrial, type Health, type Judged } from './bundle-health.js';
import type { Readiness } from '../readiness/readiness.js';
import type { WindowHold } from './windows.js';
import { restartSeconds, type Begun } from './restart-time.js';
import { podsOf } from './standing.js';
import { afterRestart, JUST_OPENED, passed, saveEveryMs, type GateMemory } from './gate.js';

export interface ActivationParts {
  readonly journal: Journal;
  /** Null until the pods of this start are known. */
  readonly pods: () => readonly PodReport[] | null;
  /** Nobody will ever tell how the pods are. */
  readonly podsAreNeverTold?: boolean;
  /** Of whoever runs the pods: while it does not answer, nobody knows how they are. */
  readonly conditions?: () => readonly SourceCondition[];
  readonly clock: Clock;
  readonly log: Log;
  /** Why images of a bundle are awaited, with how far they are; left out: nobody pulls here. */
  readonly pulling?: (bundle: BundleName) => ImageHold | null;
  /** Which window a bundle waits for. */
  readonly windowOf?: (bundle: BundleName) => WindowHold | null;
  /** What a pod of it says that asks for time. */
  readonly lockOf?: (bundle: BundleName) => string | null;
  /** Whether what lies there could be started alone; left out: no revision is asked to. */
  readonly readiness?: Pick<Readiness, 'aloneFault'>;
  /** Whether what was given up can never give way to the last healthy revision; left out: it can. */
  readonly cannotReturn?: (record: BundleRecord) => boolean;
  /** A revision was given up: the journal says so already. */
  readonly onGivenUp: () => void;
  /** Last words of a revision's container, for the hub's eyes; null: its key is not known. Left out: none go there. */
  readonly sealWords?: (bundle: BundleName, words: LastWords) => SealedOutput | null;
}

/** Conditions that say whether whoever runs the pods answers. */
const TELLERS: ReadonlySet<string> = new Set(['ContainerRuntime', 'Kubelet']);

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
  readonly begun: Begun;
}

export class Activation {
  readonly #parts: ActivationParts;
  readonly #trials = new Map<string, Trial>();
  /** At the last look nobody knew how the pods are: the time since then is none of any trial's. */
  #wasBlind = false;

  constructor(parts: ActivationParts) {
    this.#parts = parts;
  }

  /** As it stands now; records nothing. */
  statuses(): readonly BundleStatus[] {
    const told = this.#health().statuses.map(status => this.#withRemoval(status));
    return told.map(status => {
      const edits = status.active === status.digest ? this.#editsOf(status) : '';
      const message = `${status.message.slice(0, 700)}${edits}`.slice(0, 1024).toWellFormed();
      return this.#withProgress(edits === '' ? status : { ...status, message });
    });
  }

  #withRemoval(status: BundleStatus): BundleStatus {
    const wait = status.state === 'removing' ? null : this.#removalWait(status);
    if (wait === null) return status;
    const { journal, clock } = this.#parts;
    const record = journal.bundles().find(one => bundleKey(one) === bundleKey(status));
    const isRecorded = record?.going?.reason === wait.reason;
    const since = isRecorded ? record.going.since : clock.now();
    return { ...status, ...wait, since: new Date(since).toISOString() };
  }

  /** Not assigned any more, and still there: a person holds it, or a pod asks for time. Null: neither is known. */
  #removalWait(bundle: BundleName) {
    const { journal, lockOf } = this.#parts;
    if (this.#isAssigned(bundle) !== false) return null;
    const held = holdOn(journal.site().holds(), bundle);
    const lock = lockOf?.(bundle) ?? null;
    if (held === null && lock === null) return null;
    const why = held === null ? lock : `held at the device by ${askedBy(held)}`;
    const message = `not assigned any more, and stays until it may go: ${why ?? ''}`.slice(0, 1024);
    return { state: 'removing', reason: held === null ? LOCKED : HELD, message } as const;
  }

  /** Null: nobody knows. */
  #isAssigned(bundle: BundleName): boolean | null {
    const assigned = this.#parts.journal.accepted()?.document.bundles;
    return assigned?.some(one => bundleKey(one) === bundleKey(bundle)) ?? null;
  }

  /** Each once, with its time. */
  #recordRemovalWaits(): void {
    const { journal } = this.#parts;
    for (const record of journal.bundles()) {
      if (record.state === 'removing') continue;
      const { going } = record;
      const wait = this.#removalWait(record);
      if (wait !== null && wait.reason !== going?.reason) {
        journal.trials().waitsToGo({ ...record, ...wait });
      } else if (going !== undefined && this.#isAssigned(record) === true) {
        journal.trials().stays({ ...record, message: `${record.message}; assigned again` });
      }
    }
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
    if (status.active !== status.digest) return status;
    const used = overrideOf(this.#parts.journal.site().overrides(), status, { used: true });
    if (!used) return status;
    const told = `activated ${inSpiteOf(used)}`;
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
    for (const judged of health.transitions.map(one => this.#withEdits(one))) {
      if (judged.isOfHand) journal.recordTransition(judged);
      else if (judged.phase === 'givenUp') {
        const lastWords = judged.culprit?.lastWords ?? null;
        const event = eventOf(judged, 'BundleFailed');
        const output = this.#sealed(judged);
        trials.giveUp({ ...judged, lastWords }, output === null ? event : { ...event, output });
        log.warn('bundle given up', { bundle: bundleKey(judged), reason: judged.reason });
        isGivenUp = true;
      } else if (judged.state === 'healthy') {
        trials.prove(judged, eventOf(judged, 'BundleHealthy'), this.#restartS(judged, health));
      } else {
        journal.recordTransition(judged);
        if (judged.state === 'failed') journal.record(eventOf(judged, 'BundleFailed'));
      }
    }
    this.#keep(health.gates);
    this.#recordRemovalWaits();
    if (isGivenUp) onGivenUp();
    if (health.againAt === null) return null;
    return Math.min(LOOK_MS, Math.max(0, health.againAt - clock.now()));
  }

  /** Under `drift: report` what a person made of a healthy revision is told as that, and neither makes nor unmakes the revision. */
  #withEdits(judged: Judged): Judged & { readonly isOfHand: boolean } {
    const edits = this.#editsOf(judged);
    const record = this.#parts.journal.bundles().find(one => bundleKey(one) === bundleKey(judged));
    const isProven = record?.healthy === judged.digest && record.active === judged.digest;
    const isOfHand = edits !== '' && isProven && judged.phase !== 'givenUp';
    return { ...judged, message: `${judged.message}${edits}`, isOfHand };
  }

  /** Empty: all of it lies there as it was signed. */
  #editsOf(bundle: BundleName): string {
    const { journal } = this.#parts;
    const files = journal.files();
    const edited = journal.site().drifts().list();
    const own = edited.filter(one => bundleKey(one) === bundleKey(bundle) && files.has(one.file));
    const names = own.map(one => files.get(one.file)?.pod ?? one.file).join(', ');
    return own.length === 0 ? '' : `; not as signed: ${names} was changed on this node`;
  }

  #health(): Health {
    const { journal, clock, podsAreNeverTold = false } = this.#parts;
    const documentOf = ({ active }: BundleRecord) =>
      active === null ? null : journal.content.bundleDocument(active);
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
      aloneFault: record =>
        record.active === null
          ? null
          : (this.#parts.readiness?.aloneFault(record, record.active) ?? null),
      cannotReturn: record => this.#parts.cannotReturn?.(record) ?? false,
      pods: this.#pods(),
      podsAreNeverTold,
      now: clock.now(),
    });
  }

  /** By now; the trial of another revision or attempt is none of this one's. */
  #memoryOf(record: BundleRecord): GateMemory {
    const at = this.#parts.clock.monotonic();
    const trial = this.#trialOf(record, at);
    if (this.#wasBlind) Object.assign(trial, { at, begun: { ...trial.begun, isWhole: false } });
    return passed(trial.memory, at - trial.at);
  }

  #trialOf(record: BundleRecord, at: number): Trial {
    const key = bundleKey(record);
    const { active, activeAttempt: attempt, gate } = record;
    const known = this.#trials.get(key);
    if (known?.digest === active && known.attempt === attempt) return known;
    const memory = gate === null ? JUST_OPENED : afterRestart(gate, this.#deadlineMs(active));
    const savedAt = gate === null ? at : Number.NEGATIVE_INFINITY;
    const begun = { at, now: this.#parts.clock.now(), isWhole: gate === null };
    const trial = { digest: active ?? '', attempt, memory, at, savedAt, begun };
    this.#trials.set(key, trial);
    return trial;
  }

  /** How long the pods of what was just proven took to be ready; null: none began anew, or nobody saw all of it. */
  #restartS(judged: Judged, { gates }: Health): number | null {
    const key = bundleKey(judged);
    const [trial, memory] = [this.#trials.get(key), gates.get(key)];
    if (trial?.digest !== judged.digest || memory === undefined) return null;
    const readyAt = this.#parts.clock.monotonic() - memory.steadyMs;
    return restartSeconds(trial.begun, { readyAt, pods: podsOf(judged, this.#pods() ?? []) });
  }

  /** The clocks go on from here; they are saved now and then, so that no restart begins them anew. */
  #keep(gates: ReadonlyMap<string, GateMemory>): void {
    const { journal, clock } = this.#parts;
    this.#wasBlind = this.#pods() === null;
    const at = clock.monotonic();
    const records = new Map(journal.bundles().map(record => [bundleKey(record), record]));
    for (const [key, trial] of this.#trials) {
      if (this.#wasBlind) trial.at = at;
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

  /** What was known when the engine fell silent is no longer what is. */
  #pods(): readonly PodReport[] | null {
    const { pods, conditions } = this.#parts;
    const isSilent = conditions?.().some(one => TELLERS.has(one.type) && one.status === 'False');
    return isSilent === true ? null : pods();
  }

  #sealed({ culprit, digest, ...bundle }: Judged): SealedOutput | null {
    const { sealWords } = this.#parts;
    if (!culprit || culprit.lastWords === null || !sealWords) return null;
    const { pod, container, lastWords: text } = culprit;
    return sealWords(bundle, { digest, pod, container, text });
  }

  #deadlineMs(digest: string | null): number {
    const document = digest === null ? null : this.#parts.journal.content.bundleDocument(digest);
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
