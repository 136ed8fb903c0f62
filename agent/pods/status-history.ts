/**
 * What is remembered of a pod's status from one look to the next and over a restart of the agent: the status itself,
 * and which run of each container was seen last.
 *
 * The engine's labels say how often a container was restarted as long as one of its runs is there; with what is
 * remembered the count never falls when they were removed by hand. A container that was edited counts from 0, as an edited static pod
 * is a new pod to a kubelet. Kubelet behaviour rows 75, 90, 193. Pure.
 */
import { newestFirst } from './back-off.js';
import type { ObservedContainer } from '../runtime/runtime.js';
import type { ContainerStatus, PodStatus } from '../../protocol/pod.js';

/** The newest run of a container that was seen to have started. */
export interface KnownRun {
  readonly id: string;
  readonly attempt: number;
  readonly createdAt: number;
  /** The restart count as it was shown for it. */
  readonly restarts: number;
  /** Of what it was made from; memories of older agents have none. */
  readonly hash?: string;
}

/** By container name. */
export type KnownRuns = Readonly<Record<string, KnownRun>>;

export interface RememberedStatus {
  readonly status: PodStatus;
  readonly runs: KnownRuns;
}

type Run = Pick<ObservedContainer, 'id' | 'attempt' | 'createdAt' | 'hash'>;

function follows(run: Run, known: KnownRun): boolean {
  if (run.id === known.id) return false;
  const laterMs = run.createdAt.getTime() - known.createdAt;
  return laterMs > 0 || (laterMs === 0 && run.attempt > known.attempt);
}

/** The restart count of a run, given the one before. */
export function restartsOf(run: Run, known: KnownRun | undefined): number {
  if (known === undefined) return run.attempt;
  if (!follows(run, known)) return known.restarts;
  if (known.hash !== undefined && known.hash !== run.hash) return 0;
  return known.restarts + Math.max(1, run.attempt - known.attempt);
}

/** Of no container: whatever runs next under that name was made of something else. */
const LEFT = '';

/** A container that the pod has no more: one that comes back under its name begins at 0, as an edited one does. */
function withoutLeft(
  known: KnownRuns,
  { names, there }: { names: Names; there: Names },
): KnownRuns {
  return Object.fromEntries(
    Object.entries(known).flatMap(([name, run]) => {
      if (names.has(name)) return [[name, run]];
      return there.has(name) ? [[name, { ...run, hash: LEFT }]] : [];
    }),
  );
}

type Names = ReadonlySet<string>;

/** With the runs that are on the engine now; a run that never started leaves no trace. `names`: of the containers that the pod has. */
export function noteRuns(
  known: KnownRuns,
  containers: readonly ObservedContainer[],
  names: Names,
): KnownRuns {
  const next: Record<string, KnownRun> = { ...known };
  const started = containers.filter(one => one.startedAt !== null);
  const seen = new Set<string>();
  for (const run of newestFirst(started)) {
    const before = known[run.name];
    if (seen.has(run.name)) continue;
    seen.add(run.name);
    if (before !== undefined && !follows(run, before)) continue;
    const { id, attempt, hash } = run;
    const createdAt = run.createdAt.getTime();
    next[run.name] = { id, attempt, createdAt, hash, restarts: restartsOf(run, before) };
  }
  return withoutLeft(next, { names, there: new Set(started.map(({ name }) => name)) });
}

function containerKey({ name, state, lastState, ready, restartCount }: ContainerStatus): unknown {
  return [
    name,
    ready,
    restartCount,
    state?.running?.startedAt,
    state?.terminated?.containerID,
    state?.terminated?.exitCode,
    lastState?.terminated?.containerID,
  ];
}

/** Differs when so much changed that it is to be on the disk: never because of time alone, or of a message. */
export function historyKey({ status, runs }: RememberedStatus): string {
  return JSON.stringify([
    status.phase,
    status.reason,
    status.startTime,
    status.podIP,
    status.conditions?.map(one => [one.type, one.status, one.lastTransitionTime]),
    status.initContainerStatuses?.map(containerKey),
    status.containerStatuses?.map(containerKey),
    runs,
  ]);
}
