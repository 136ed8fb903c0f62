/**
 * Where each bundle stands, from what the journal promised, what the pods do and how long it takes: activating until every pod
 * of the revision is there, progressing until every container has been ready (or is completed) for long enough, then healthy;
 * or given up. Pure.
 */
import { counted } from '../../protocol/counted.js';
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import type { BundleStatus } from '../../protocol/documents/node.js';
import { HEALTH_UNKNOWN, UNDONE } from '../../protocol/bundle-reasons.js';
import { NO_BINDINGS, type ImageBindings } from '../../protocol/image-binding.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import { bundleKey } from '../intake/decide.js';
import type { BundleRecord, OwnedFile, Transition } from '../journal/journal.js';
import type { PodReport } from '../ports.js';
import { NOT_ALONE_READY, type Fault } from '../readiness/faults.js';
import { leftMs, withProgress, type GateMemory } from './gate.js';
import { podsOf, standingOf, type Culprit, type Standing } from './standing.js';
import { staysBecause, undoneTo } from './undo.js';
import { move, toldState, type ActivationEvent, type Phase } from './table.js';

/** What is active of a bundle. */
export interface ActiveRevision {
  readonly revision: number;
  readonly strategy: BundleStrategy;
  readonly bindings: ImageBindings;
}

export interface HealthInput {
  readonly records: readonly BundleRecord[];
  readonly files: readonly OwnedFile[];
  /** Null: its envelope is not here. */
  readonly active?: (record: BundleRecord) => ActiveRevision | null;
  /** Of a revision on trial, by now; left out: all of them were as they are for long. */
  readonly gate?: (record: BundleRecord) => GateMemory;
  /** Why what is active could not be started alone; null: it could. Left out: nobody knows of anything. */
  readonly aloneFault?: (record: BundleRecord) => Fault | null;
  /** What was given up can never give way to the last healthy revision, as far as anybody can say now. Left out: it can. */
  readonly cannotReturn?: (record: BundleRecord) => boolean;
  /** Null while the pods are not known yet: then everything stays as it is recorded. */
  readonly pods: readonly PodReport[] | null;
  /** They never will be: whoever runs them is not asked. */
  readonly podsAreNeverTold?: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** A change that has to be recorded. */
export interface Judged extends Transition {
  readonly phase: Phase;
  readonly culprit: Culprit | null;
}

export interface Health {
  readonly statuses: readonly BundleStatus[];
  /** Changes of state; a reason that changes within one costs no write. */
  readonly transitions: readonly Judged[];
  /** By bundle: those on trial. */
  readonly gates: ReadonlyMap<string, GateMemory>;
  /** When time alone may change something, milliseconds since 1970. */
  readonly againAt: number | null;
}

/** On trial: its files lie there and it was neither healthy here nor given up. */
export function isOnTrial(record: BundleRecord): boolean {
  const { active, healthy, activeGivenUp, state } = record;
  return active !== null && active !== healthy && !activeGivenUp && state !== 'removing';
}

export function phaseOf(record: BundleRecord): Phase {
  return record.state === 'failed' && record.givenUp ? 'givenUp' : record.state;
}

/** Where the bundle stands once the assignment that names it is looked at. */
export function phaseNow(
  assigned: Pick<AssignedBundle, 'digest' | 'attempt'>,
  record: BundleRecord | undefined,
): Phase {
  if (record === undefined) return move('none', 'assigned')?.to ?? 'staged';
  const isSame = record.digest === assigned.digest && record.attempt === assigned.attempt;
  const phase = phaseOf(record);
  return isSame && phase !== 'removing' ? phase : (move(phase, 'assigned')?.to ?? phase);
}

interface Verdict {
  readonly phase: Phase;
  readonly reason: string;
  readonly message: string;
  readonly againAt?: number;
  readonly culprit?: Culprit | null;
  readonly gate?: GateMemory;
}

export function bundleHealth(input: HealthInput): Health {
  const statuses: BundleStatus[] = [];
  const transitions: Judged[] = [];
  const gates = new Map<string, GateMemory>();
  const times: number[] = [];
  for (const record of input.records) {
    const verdict = verdictOn(record, input);
    const { phase, reason, message, culprit = null, gate } = verdict;
    const state = toldState(phase);
    const changed = phase !== phaseOf(record);
    const { namespace, name, revision, digest, attempt } = record;
    const step = { namespace, name, revision, digest, attempt, reason, message };
    if (changed && phase !== 'none') {
      transitions.push({ ...step, state: state ?? 'removed', phase, culprit });
    }
    const trial = superseded(record, input);
    if (trial?.judged) transitions.push(trial.judged);
    const memory = gate ?? trial?.gate;
    if (memory) gates.set(bundleKey(record), memory);
    times.push(...[verdict.againAt, trial?.againAt].flatMap(at => at ?? []));
    if (state === null) continue;
    statuses.push({
      ...step,
      active: record.active,
      failed: phase === 'givenUp' || phase === 'rolledBack' ? digest : null,
      state,
      reason: reason.slice(0, 128),
      message: message.slice(0, 1024).toWellFormed(),
      since: new Date(changed ? input.now : record.since).toISOString(),
      ...(record.restartS === undefined ? {} : { restartS: record.restartS }),
    });
  }
  return { statuses, transitions, gates, againAt: times.length > 0 ? Math.min(...times) : null };
}

function verdictOn(record: BundleRecord, input: HealthInput): Verdict {
  const phase = phaseOf(record);
  const asRecorded = { phase, reason: record.reason, message: record.message };
  if (input.pods === null) return input.podsAreNeverTold === true ? untold(record) : asRecorded;
  if (record.state === 'removing') {
    const { length } = podsOf(record, input.pods);
    if (length > 0) return { ...asRecorded, message: `${counted(length, 'pod')} to stop` };
    return { phase: move('removing', 'gone')?.to ?? phase, reason: 'PodsGone', message: '' };
  }
  if (record.state === 'rolledBack' && record.active !== null) {
    const standing = look(record, input, null).standing;
    if (standing.is === 'ready') return asRecorded;
    const { againAt } = standing;
    const message = `${record.message}; there ${standing.message}`;
    return { ...asRecorded, message, ...(againAt === undefined ? {} : { againAt }) };
  }
  // Staging decides about a revision that is not active; its word stands.
  if (record.active !== record.digest) return asRecorded;
  return judged(record, input, phase);
}

/** As far as it goes without knowing any pod: the files are there, or gone. */
function untold(record: BundleRecord): Verdict {
  const phase = phaseOf(record);
  if (phase === 'removing') {
    const message = 'its files are gone; a kubelet ends its pods';
    return { phase: move('removing', 'gone')?.to ?? phase, reason: 'FilesRemoved', message };
  }
  const isThere = phase === 'activating' || phase === 'progressing';
  if (!isThere || record.active !== record.digest) {
    return { phase, reason: record.reason, message: record.message };
  }
  const message =
    'its files lie in the static pod directory; a kubelet runs its pods, and is not asked how they are: kubeletPods';
  return { phase: 'activating', reason: HEALTH_UNKNOWN, message };
}

/** One that runs unproven while the newest assignment wants another: it gets there, or is undone, all the same. */
function superseded(record: BundleRecord, input: HealthInput) {
  if (input.pods === null || record.active === record.digest || !isOnTrial(record)) return null;
  const active = input.active?.(record) ?? null;
  if (record.active === null || active === null) return null;
  const verdict = judged(record, input, 'progressing');
  const { phase, reason, message, culprit = null, gate, againAt } = verdict;
  const isOver = phase === 'healthy' || phase === 'givenUp';
  const { namespace, name, activeAttempt: attempt } = record;
  const step = { namespace, name, revision: active.revision, digest: record.active, attempt };
  const state = toldState(phase) ?? 'failed';
  return {
    ...(isOver ? { judged: { ...step, state, reason, message, phase, culprit } } : {}),
    ...{ gate, againAt },
  };
}

function look(record: BundleRecord, input: HealthInput, gate: GateMemory | null) {
  const active = input.active?.(record) ?? null;
  const strategy = active?.strategy ?? DEFAULT_STRATEGY;
  const standing = standingOf(record, {
    files: input.files,
    pods: input.pods ?? [],
    bindings: active?.bindings ?? NO_BINDINGS,
    minReadyMs: strategy.minReadySeconds * 1000,
    steadyMs: steady => {
      if (gate === null) return Infinity;
      return gate.steady === steady ? gate.steadyMs : 0;
    },
    now: input.now,
  });
  return { strategy, standing };
}

/** What becomes of the revision that is active. */
function judged(record: BundleRecord, input: HealthInput, phase: Phase): Verdict {
  // A person's word: pods that are ready do not make it good again.
  if (phase === 'givenUp' && record.reason === UNDONE) {
    return { phase, reason: record.reason, message: record.message };
  }
  const onTrial = isOnTrial(record);
  const before = onTrial ? (input.gate?.(record) ?? null) : null;
  const { strategy, standing: seen } = look(record, input, before);
  const isGivenUp = phase === 'givenUp';
  const isUnproven = onTrial || isGivenUp;
  const standing = isUnproven ? withRequired(record, { standing: seen, strategy }, input) : seen;
  // It goes back as soon as that can be done: pods that get ready meanwhile do not make it good, unless no way back is left.
  if (isGivenUp && undoneTo(record, strategy) !== null) {
    const stays = standing.is === 'ready' && input.cannotReturn?.(record) === true;
    if (!stays) return { phase, reason: record.reason, message: record.message };
  }
  const gate = before === null ? null : withProgress(before, standing);
  const deadlineMs = strategy.progressDeadlineSeconds * 1000;
  const minReadyMs = strategy.minReadySeconds * 1000;
  const left = gate === null ? Infinity : leftMs(gate, { deadlineMs, minReadyMs });
  const event = eventOf(standing, { onTrial, isOverdue: left <= 0 });
  const next = move(phase, event);
  const trial = gate === null ? {} : { gate };
  if (next === null) return { phase, reason: record.reason, message: record.message, ...trial };
  const { reason, message, culprit } = standing;
  if (event === 'deadline') {
    const isLate = standing.is !== 'failed';
    const late = `no progress for ${strategy.progressDeadlineSeconds} s: ${message}`;
    const why = [isLate ? late : message, staysBecause(record, strategy)].flatMap(one => one ?? []);
    const word = isLate ? 'ProgressDeadlineExceeded' : reason;
    return { phase: next.to, reason: word, message: why.join('; '), culprit };
  }
  const overAt = left === Infinity ? undefined : input.now + left;
  const times = [standing.againAt, standing.heldUntil, overAt];
  const againAt = Math.min(...times.flatMap(at => at ?? []));
  const again = standing.is === 'ready' || againAt === Infinity ? {} : { againAt };
  return { phase: next.to, reason, message, culprit, ...again, ...trial };
}

/** Ready, but not to be started alone, where its rollout asks for that: no progress, so that the deadline counts. */
function withRequired(
  record: BundleRecord,
  { standing, strategy }: { readonly standing: Standing; readonly strategy: BundleStrategy },
  { aloneFault }: HealthInput,
): Standing {
  if (standing.is !== 'ready' || !(strategy.require ?? []).includes('aloneReady')) return standing;
  const fault = aloneFault?.(record) ?? null;
  if (fault === null) return standing;
  const message = `this node could not start it alone: ${fault.reason}: ${fault.message}`;
  return { ...standing, is: 'made', reason: NOT_ALONE_READY, message };
}

function eventOf(
  { is }: Standing,
  { onTrial, isOverdue }: { readonly onTrial: boolean; readonly isOverdue: boolean },
): ActivationEvent {
  if (is === 'failed') return onTrial ? 'deadline' : 'broke';
  if (is === 'ready') return 'ready';
  return isOverdue ? 'deadline' : is;
}
