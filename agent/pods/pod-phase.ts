/**
 * The phase of a pod from the states of its containers: `getPhase` of the kubelet (`pkg/kubelet/kubelet_pods.go`),
 * behaviour rows 117, 121, 190 to 192. Pure.
 */
import { isSidecar, restartsAfter } from './restart-rules.js';
import type { Container, ContainerStatus, PodSpec } from '../../protocol/pod.js';

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

export type Statuses = ReadonlyMap<string, ContainerStatus>;

/** Of init and app containers together: their names are unique in a pod. */
export function byName(...lists: readonly (readonly ContainerStatus[])[]): Statuses {
  return new Map(lists.flat().map(status => [status.name, status]));
}

/** The exit code of the run that ended last; null when none did or it runs. */
function exitCodeOf({ state, lastState }: ContainerStatus): number | null {
  if (state?.terminated !== undefined) return state.terminated.exitCode;
  return state?.waiting === undefined ? null : (lastState?.terminated?.exitCode ?? null);
}

/** True when an app container is there that began: then the pod was initialized. */
export function hasAppStarted(spec: PodSpec, statuses: Statuses): boolean {
  return spec.containers.some(({ name }) => {
    const state = statuses.get(name)?.state;
    return state?.running !== undefined || state?.terminated !== undefined;
  });
}

interface Initialization {
  readonly pending: number;
  /** Failed, and the restart policy leaves it so. */
  readonly failed: number;
}

function initialization(spec: PodSpec, statuses: Statuses): Initialization {
  let pending = 0;
  let failed = 0;
  for (const container of (spec.initContainers ?? []).filter(one => !isSidecar(one))) {
    const status = statuses.get(container.name);
    const exitCode = status === undefined ? null : exitCodeOf(status);
    if (exitCode === null) pending += 1;
    else if (exitCode !== 0 && !restartsAfter(container, spec, exitCode)) failed += 1;
  }
  return { pending, failed };
}

interface Tally {
  running: number;
  waiting: number;
  unknown: number;
}

/** Adds the sidecars that run or never ran; those that ended do not count. Returns how many have not started. */
function addSidecars(spec: PodSpec, statuses: Statuses, tally: Tally): number {
  let notStarted = 0;
  for (const { name } of (spec.initContainers ?? []).filter(isSidecar)) {
    const status = statuses.get(name);
    if (status === undefined) tally.unknown += 1;
    else if (status.state?.running !== undefined) {
      if (status.started !== true) notStarted += 1;
      tally.running += 1;
    } else if (exitCodeOf(status) === null) {
      notStarted += 1;
      if (status.state?.waiting === undefined) tally.unknown += 1;
      else tally.waiting += 1;
    }
  }
  return notStarted;
}

interface Ended {
  readonly container: Container;
  readonly exitCode: number;
  /** It waits to be started again. */
  readonly waits: boolean;
}

/** All that ran has ended: whether it is over depends on who is to run again. */
function phaseOfEnded(ended: readonly Ended[], spec: PodSpec): Phase {
  const again = ({ container, exitCode }: Ended) => restartsAfter(container, spec, exitCode);
  if (ended.some(again)) return 'Running';
  return ended.every(({ exitCode, waits }) => exitCode === 0 && !waits) ? 'Succeeded' : 'Failed';
}

export function phaseOf(spec: PodSpec, statuses: Statuses): Phase {
  const init = initialization(spec, statuses);
  const tally: Tally = { running: 0, waiting: 0, unknown: 0 };
  const sidecarsNotStarted = addSidecars(spec, statuses, tally);
  const ended: Ended[] = [];
  for (const container of spec.containers) {
    const status = statuses.get(container.name);
    const exitCode = status === undefined ? null : exitCodeOf(status);
    if (status === undefined) tally.unknown += 1;
    else if (status.state?.running !== undefined) tally.running += 1;
    else if (exitCode !== null) {
      ended.push({ container, exitCode, waits: status.state?.waiting !== undefined });
    } else if (status.state?.waiting !== undefined) tally.waiting += 1;
    else tally.unknown += 1;
  }
  if (init.failed > 0) return 'Failed';
  // A sidecar that is restarted takes nothing back once the app containers have run.
  const isWaitingForSidecars = sidecarsNotStarted > 0 && !hasAppStarted(spec, statuses);
  if (init.pending > 0 || isWaitingForSidecars || tally.waiting > 0) return 'Pending';
  if (tally.unknown > 0) return 'Pending';
  if (tally.running > 0) return 'Running';
  return ended.length === 0 ? 'Pending' : phaseOfEnded(ended, spec);
}
