/**
 * The STATUS, READY and RESTARTS texts of a pod, computed as Kubernetes' own printer does it
 * (kubernetes `pkg/printers/internalversion/printers.go`, printPod, 1.33): not `status.phase`, but the most telling
 * container. The hub's Tables and the commands at the device print the same words. Pure.
 */
import type { Container, ContainerStatus, PodSpec, PodStatus } from 'kubernetes-types/core/v1.js';
import { age } from './human-duration.js';

export interface PodSummaryText {
  readonly ready: string;
  readonly status: string;
  readonly restarts: string;
}

interface Tally {
  reason: string;
  ready: number;
  restarts: number;
  /** RFC 3339 of the newest restart; empty = none. */
  lastRestart: string;
}

type Terminated = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;

function exitText(terminated: Terminated): string {
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

function countRestarts(tally: Tally, status: ContainerStatus): void {
  tally.restarts += status.restartCount;
  const finished = status.lastState?.terminated?.finishedAt ?? '';
  if (finished > tally.lastRestart) tally.lastRestart = finished;
}

/** A sidecar: an init container that goes on running. */
function isRestartable(container: Container | undefined): boolean {
  return container?.restartPolicy === 'Always';
}

function initReason(status: ContainerStatus, done: number, total: number): string {
  const { terminated, waiting } = status.state ?? {};
  if (terminated) return `Init:${exitText(terminated)}`;
  if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
  return `Init:${done}/${total}`;
}

/** Counts the init containers; true while one of them is what the pod waits for. */
function tallyInit(tally: Tally, sidecars: Tally, pod: PodParts): boolean {
  const specs = new Map((pod.spec.initContainers ?? []).map(c => [c.name, c]));
  for (const [index, status] of (pod.status.initContainerStatuses ?? []).entries()) {
    const sidecar = isRestartable(specs.get(status.name));
    countRestarts(tally, status);
    if (sidecar) countRestarts(sidecars, status);
    if (status.state?.terminated?.exitCode === 0) continue;
    if (sidecar && status.started) {
      if (status.ready) tally.ready++;
      continue;
    }
    tally.reason = initReason(status, index, specs.size);
    return true;
  }
  return false;
}

function tallyContainers(tally: Tally, status: PodStatus): void {
  let running = false;
  for (const container of [...(status.containerStatuses ?? [])].reverse()) {
    countRestarts(tally, container);
    const state = container.state ?? {};
    if (state.waiting?.reason) tally.reason = state.waiting.reason;
    else if (state.terminated) tally.reason = exitText(state.terminated);
    else if (container.ready && state.running) {
      running = true;
      tally.ready++;
    }
  }
  if (tally.reason === 'Completed' && running) {
    tally.reason = isTrue(status, 'Ready') ? 'Running' : 'NotReady';
  }
}

function isTrue(status: PodStatus, type: string): boolean {
  return (status.conditions ?? []).some(c => c.type === type && c.status === 'True');
}

export interface PodParts {
  readonly spec: Partial<PodSpec>;
  readonly status: PodStatus;
  /** It has a `deletionTimestamp`. */
  readonly isDeleted?: boolean;
}

export function podSummary(pod: PodParts, nowMs: number): PodSummaryText {
  const { spec, status } = pod;
  const containers =
    (spec.containers ?? []).length + (spec.initContainers ?? []).filter(isRestartable).length;
  const tally: Tally = {
    reason: status.reason || (status.phase ?? 'Unknown'),
    ready: 0,
    restarts: 0,
    lastRestart: '',
  };
  const sidecars: Tally = { ...tally };
  const initialising = tallyInit(tally, sidecars, pod);
  if (!initialising || isTrue(status, 'Initialized')) {
    // Once the pod is initialised, finished init containers no longer count.
    tally.restarts = sidecars.restarts;
    tally.lastRestart = sidecars.lastRestart;
    tallyContainers(tally, status);
  }
  const isOver = status.phase === 'Succeeded' || status.phase === 'Failed';
  if (pod.isDeleted === true && !isOver) tally.reason = 'Terminating';
  const ago = tally.restarts > 0 && tally.lastRestart !== '';
  return {
    ready: `${tally.ready}/${containers}`,
    status: tally.reason,
    restarts: `${tally.restarts}${ago ? ` (${age(tally.lastRestart, nowMs)} ago)` : ''}`,
  };
}
