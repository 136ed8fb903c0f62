/**
 * What the probes of one running container make of their results: when each is due, what they say together, and when they
 * want it killed.
 *
 * The worker of the kubelet (`pkg/kubelet/prober/worker.go`, behaviour rows 91 to 98, 107 to 109) as functions over values. Times are
 * milliseconds of a clock that never jumps. Unlike the kubelet's ticker, which a delay only blocks, the first probe comes when
 * the delay is over. Pure.
 */
import type { ContainerHealth, ProbeKill } from '../pods/health.js';
import { PROBE_DEFAULTS } from '../../protocol/pod-defaults.js';
import type { Container, Probe } from '../../protocol/pod.js';

export const PROBE_KINDS = ['startup', 'liveness', 'readiness'] as const;
export type ProbeKind = (typeof PROBE_KINDS)[number];

/** What is counted. */
export type ProbeResult = 'success' | 'failure';

interface Settings {
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
  readonly graceSeconds: number | null;
}

/** One probe of one container. */
export interface Worker {
  readonly settings: Settings;
  /** What it says, past its thresholds (row 95). */
  readonly says: ProbeResult;
  /** How many of the last results in a row were `last`. */
  readonly last: ProbeResult | null;
  readonly run: number;
  /** Row 96: over for this container. */
  readonly isDone: boolean;
  /** Not before this, whatever opens the gate: initial delay and jitter. */
  readonly firstAt: number;
  readonly dueAt: number;
}

/** All probes of one container: one value from its start to its end. */
export interface ContainerProbes {
  readonly name: string;
  readonly isStarted: boolean;
  readonly kill: ProbeKill | null;
  readonly workers: Readonly<Partial<Record<ProbeKind, Worker>>>;
}

export function probeOf(container: Container, kind: ProbeKind): Probe | undefined {
  return container[`${kind}Probe`];
}

export function hasProbes(container: Container): boolean {
  return PROBE_KINDS.some(kind => probeOf(container, kind) !== undefined);
}

/** What an earlier life of the agent knew about a container that went on running. */
export type Remembered = Pick<ContainerHealth, 'started' | 'ready'>;

export interface Beginning {
  readonly startedAt: number;
  readonly now: number;
  /** Null for a container that nothing is known about. Else nothing flips because the agent was started again (row 75). */
  readonly remembered: Remembered | null;
  /**
   * 0 to 1 for a container that ran before the agent did: the part of its period that a worker waits, so that not all probe
   * at once (row 98). Null for one that was started since: its start spreads it.
   */
  readonly jitter: ((kind: ProbeKind) => number) | null;
}

function settingsOf(probe: Probe): Settings {
  const seconds = (value: number | undefined, otherwise: number) => (value || otherwise) * 1000;
  return {
    initialDelayMs: seconds(probe.initialDelaySeconds, 0),
    periodMs: seconds(probe.periodSeconds, PROBE_DEFAULTS.periodSeconds),
    successThreshold: probe.successThreshold || PROBE_DEFAULTS.successThreshold,
    failureThreshold: probe.failureThreshold || PROBE_DEFAULTS.failureThreshold,
    graceSeconds: probe.terminationGracePeriodSeconds ?? null,
  };
}

/** Before the first result: not ready, alive (row 92). */
export function beginProbes(container: Container, beginning: Beginning): ContainerProbes {
  const { startedAt, now, remembered, jitter } = beginning;
  const isStarted = container.startupProbe === undefined || remembered?.started === true;
  const workers: Partial<Record<ProbeKind, Worker>> = {};
  for (const kind of PROBE_KINDS) {
    const probe = probeOf(container, kind);
    if (probe === undefined) continue;
    const settings = settingsOf(probe);
    const wait = jitter === null ? 0 : jitter(kind) * settings.periodMs;
    const firstAt = Math.max(startedAt + settings.initialDelayMs, now + wait);
    const wasReady = kind === 'readiness' && isStarted && remembered?.ready === true;
    workers[kind] = {
      settings,
      says: kind === 'liveness' || wasReady ? 'success' : 'failure',
      last: null,
      run: 0,
      isDone: kind === 'startup' && isStarted,
      firstAt,
      dueAt: firstAt,
    };
  }
  return { name: container.name, isStarted, kill: null, workers };
}

/**
 * When a probe is to be made, now or in the past = at once; null = not before something else happens. A pod that is ending
 * is asked for its readiness alone (row 109).
 */
export function dueAt(probes: ContainerProbes, kind: ProbeKind, isEnding: boolean): number | null {
  const worker = probes.workers[kind];
  if (worker === undefined || worker.isDone) return null;
  if (isEnding && kind !== 'readiness') return null;
  // Row 93.
  if (kind !== 'startup' && !probes.isStarted) return null;
  return worker.dueAt;
}

/** The next beat of a worker's period after `at`: a beat that passed during a long probe is made up for at once. */
function afterProbe(worker: Worker, { begunAt, now }: Attempt): Worker {
  return { ...worker, dueAt: Math.max(begunAt + worker.settings.periodMs, now) };
}

export interface Attempt {
  readonly begunAt: number;
  readonly now: number;
}

/** A probe that says nothing about the container, because it could not be made: it counts for nothing. */
export function skipProbe(
  probes: ContainerProbes,
  kind: ProbeKind,
  attempt: Attempt,
): ContainerProbes {
  const worker = probes.workers[kind];
  if (worker === undefined) return probes;
  return { ...probes, workers: { ...probes.workers, [kind]: afterProbe(worker, attempt) } };
}

/** Opens the gate: readiness is asked at once, liveness at its next beat (row 93). */
function startedAt(probes: ContainerProbes, now: number): ContainerProbes {
  const { liveness, readiness } = probes.workers;
  const beat = (worker: Worker) => {
    const { periodMs } = worker.settings;
    const beats = Math.max(0, Math.ceil((now - worker.firstAt) / periodMs));
    return worker.firstAt + beats * periodMs;
  };
  return {
    ...probes,
    isStarted: true,
    workers: {
      ...probes.workers,
      ...(liveness === undefined ? {} : { liveness: { ...liveness, dueAt: beat(liveness) } }),
      ...(readiness === undefined
        ? {}
        : { readiness: { ...readiness, dueAt: Math.max(now, readiness.firstAt) } }),
    },
  };
}

/** Counts a result (rows 95 to 97, 107). */
export function countResult(
  probes: ContainerProbes,
  kind: ProbeKind,
  { result, ...attempt }: Attempt & { readonly result: ProbeResult },
): ContainerProbes {
  const before = probes.workers[kind];
  if (before === undefined || before.isDone) return probes;
  const { settings } = before;
  const run = before.last === result ? before.run + 1 : 1;
  const threshold = result === 'success' ? settings.successThreshold : settings.failureThreshold;
  const isPast = run >= threshold;
  const isDone = isPast && (kind === 'startup' || (kind === 'liveness' && result === 'failure'));
  const worker: Worker = {
    ...afterProbe(before, attempt),
    says: isPast ? result : before.says,
    last: result,
    run,
    isDone,
  };
  const counted = { ...probes, workers: { ...probes.workers, [kind]: worker } };
  if (!isPast || kind === 'readiness') return counted;
  if (result === 'failure') return { ...counted, kill: killOf(probes.name, kind, settings) };
  return kind === 'startup' ? startedAt(counted, attempt.now) : counted;
}

function killOf(container: string, probe: 'startup' | 'liveness', settings: Settings): ProbeKill {
  return {
    probe,
    message: `Container ${container} failed ${probe} probe`,
    graceSeconds: settings.graceSeconds,
  };
}

/** Row 108: without a readiness probe a container is ready as soon as it is started. */
export function healthOfProbes({ isStarted, kill, workers }: ContainerProbes): ContainerHealth {
  const { readiness } = workers;
  const isReady = readiness === undefined || readiness.says === 'success';
  return { started: isStarted, ready: isStarted && isReady, kill };
}

export function isSameHealth(a: ContainerHealth, b: ContainerHealth): boolean {
  return a.started === b.started && a.ready === b.ready && a.kill === b.kill;
}
