/**
 * What a pod looks like now, as a v1 PodStatus in the kubelet's words.
 *
 * Computed anew each time from what is wanted, what is there and what is remembered; only the times of
 * conditions and the last address are taken from the status before. Kubelet behaviour rows 190 to 198, 201. Pure.
 */
import { crashKey, failureKey, restartDueAt, type Failure, type Memory } from './back-off.js';
import { CONFIG_SEEN, type DesiredPod } from './desired.js';
import { backOffMessage } from './pod-events.js';
import { qosClass } from './pod-resources.js';
import { isFinished, viewsOf, type ContainerView, type Instances } from './plan-views.js';
import { conditionsOf } from './pod-conditions.js';
import type { ObservedContainer } from '../runtime/runtime.js';
import type { ContainerState, ContainerStatus, PodStatus } from '../../protocol/pod.js';

export interface StatusInput {
  readonly desired: DesiredPod;
  readonly there: Instances;
  readonly memory: Memory;
  readonly now: number;
  readonly hostIP: string;
  /** `docker` or `podman`: the scheme of container ids. */
  readonly runtimeName: string;
  readonly previous: PodStatus | null;
}

/** For this long after a failed pull its own word is shown, then that of the wait (row 125). */
export const PULL_FAILURE_SHOWN_MS = 2_000;

/** Words that say more than "waiting for the next try". */
const KEPT_WORDS: ReadonlySet<string> = new Set(['ErrImageNeverPull', 'InvalidImageName']);

export function iso(time: Date | number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

function terminated(one: ObservedContainer, scheme: string): ContainerState {
  return {
    terminated: {
      exitCode: one.exitCode ?? 137,
      reason: one.reason === '' ? 'ContainerStatusUnknown' : one.reason,
      ...(one.message === '' ? {} : { message: one.message }),
      ...(one.startedAt === null ? {} : { startedAt: iso(one.startedAt) }),
      ...(one.finishedAt === null ? {} : { finishedAt: iso(one.finishedAt) }),
      containerID: `${scheme}://${one.id}`,
    },
  };
}

function running(one: ObservedContainer): ContainerState {
  return { running: one.startedAt === null ? {} : { startedAt: iso(one.startedAt) } };
}

function waiting(reason: string, message = ''): ContainerState {
  return { waiting: message === '' ? { reason } : { reason, message } };
}

function imageWaiting(image: string, failure: Failure, now: number): ContainerState {
  const { reason, message, failedAt } = failure;
  if (KEPT_WORDS.has(reason) || now - failedAt < PULL_FAILURE_SHOWN_MS) {
    return waiting(reason, message);
  }
  return waiting('ImagePullBackOff', `Back-off pulling image "${image}": ${reason}: ${message}`);
}

/** Why the container does not run, as far as a failed step says it. */
function failedState(view: ContainerView, input: StatusInput): ContainerState | null {
  const { desired, memory, now } = input;
  const { failures } = memory;
  const image = failures.get(failureKey('image', desired.uid, view.image));
  if (image !== undefined) return imageWaiting(view.image, image, now);
  const own = failures.get(failureKey('container', desired.uid, `${view.name}/${view.hash}`));
  if (own !== undefined) return waiting(own.reason, own.message);
  const pod =
    failures.get(failureKey('volumes', desired.uid)) ??
    failures.get(failureKey('sandbox', desired.uid));
  return pod === undefined ? null : waiting('ContainerCreating', pod.message);
}

interface States {
  readonly state: ContainerState;
  readonly lastState: ContainerState;
}

function statesOf(view: ContainerView, input: StatusInput): States {
  const { desired, memory, now, runtimeName } = input;
  const [newest, ...older] = view.instances;
  const dead = older.find(one => one.state === 'exited');
  const before = dead === undefined ? {} : terminated(dead, runtimeName);
  const creating = failedState(view, input) ?? waiting('ContainerCreating');
  if (newest === undefined || newest.state === 'created') {
    return { state: creating, lastState: before };
  }
  if (newest.state === 'running') {
    const isCurrent = newest.hash === view.hash;
    if (isCurrent) return { state: running(newest), lastState: before };
    return { state: creating, lastState: running(newest) };
  }
  const ended = terminated(newest, runtimeName);
  if (isFinished(desired, newest, view.hash)) return { state: ended, lastState: before };
  const crash = memory.crashes.get(crashKey(desired.uid, view.name, view.hash));
  if (crash !== undefined && crash.delayMs > 0 && restartDueAt(newest, crash, { now }) > now) {
    const message = backOffMessage(desired, view.name, crash);
    return { state: waiting('CrashLoopBackOff', message), lastState: ended };
  }
  const failed = failedState(view, input);
  if (failed !== null) return { state: failed, lastState: ended };
  return { state: ended, lastState: before };
}

function containerStatus(view: ContainerView, input: StatusInput): ContainerStatus {
  const { state, lastState } = statesOf(view, input);
  const [newest] = view.instances;
  const isRunning = state.running !== undefined;
  return {
    name: view.name,
    state,
    lastState,
    ready: isRunning,
    started: isRunning,
    restartCount: newest?.attempt ?? 0,
    image: view.image,
    imageID: newest?.imageId ?? '',
    ...(newest === undefined ? {} : { containerID: `${input.runtimeName}://${newest.id}` }),
  };
}

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** Rows 190 to 192; `getPhase` of the kubelet. */
export function phaseOf(
  statuses: readonly ContainerStatus[],
  restartPolicy: string | undefined,
): Phase {
  let stopped = 0;
  let succeeded = 0;
  let isRunning = false;
  for (const { state, lastState } of statuses) {
    if (state?.running !== undefined || lastState?.running !== undefined) isRunning = true;
    else if (state?.terminated !== undefined) {
      stopped += 1;
      if (state.terminated.exitCode === 0) succeeded += 1;
    } else if (lastState?.terminated !== undefined) stopped += 1;
    else return 'Pending';
  }
  if (isRunning) return 'Running';
  if (stopped === 0) return 'Pending';
  if (restartPolicy === 'Always') return 'Running';
  if (stopped === succeeded) return 'Succeeded';
  return restartPolicy === 'Never' ? 'Failed' : 'Running';
}

function startTime({ desired, there }: StatusInput): string {
  const made = [...there.sandboxes, ...there.containers].map(one => one.createdAt.getTime());
  const seen = Date.parse(desired.pod.metadata.annotations?.[CONFIG_SEEN] ?? '');
  return iso(Math.min(...made, ...(Number.isNaN(seen) || made.length > 0 ? [] : [seen])));
}

/** Why the pod as a whole cannot begin; empty when nothing is in its way. */
function podFailure({ desired, memory }: StatusInput): { reason?: string; message?: string } {
  const failure =
    memory.failures.get(failureKey('volumes', desired.uid)) ??
    memory.failures.get(failureKey('sandbox', desired.uid));
  return failure === undefined ? {} : { reason: failure.reason, message: failure.message };
}

export function podStatus(input: StatusInput): PodStatus {
  const { desired, there, hostIP, previous } = input;
  const sandbox = there.sandboxes.find(one => one.ready);
  const views = viewsOf(desired, there, sandbox?.id ?? null);
  const containerStatuses = views.map(view => containerStatus(view, input));
  const phase = phaseOf(containerStatuses, desired.pod.spec.restartPolicy);
  const podIP = sandbox === undefined || sandbox.ip === '' ? (previous?.podIP ?? '') : sandbox.ip;
  return {
    phase,
    ...podFailure(input),
    conditions: conditionsOf({
      phase,
      containerStatuses,
      hasSandbox: sandbox !== undefined,
      previous: previous?.conditions ?? [],
      now: iso(input.now),
    }),
    ...(hostIP === '' ? {} : { hostIP, hostIPs: [{ ip: hostIP }] }),
    ...(podIP === '' ? {} : { podIP, podIPs: [{ ip: podIP }] }),
    startTime: startTime(input),
    containerStatuses,
    qosClass: qosClass(desired.pod),
  };
}
