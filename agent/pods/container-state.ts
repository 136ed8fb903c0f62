/**
 * The state of one container in the kubelet's words, from its runs on the engine, from what failed and from what was
 * shown of it before. Kubelet behaviour rows 110, 119, 125, 127, 195 to 200; `convertToAPIContainerStatuses` of
 * `pkg/kubelet/kubelet_pods.go`. Pure.
 */
import { crashKey, failureKey, podBackOffMax, restartDueAt, type Failure } from './back-off.js';
import { backOffMessage } from './pod-events.js';
import { isFinished, type ContainerView } from './plan-views.js';
import type { StatusInput } from './pod-status.js';
import type { EngineId, ObservedContainer } from '../runtime/runtime.js';
import { allContainers, type ContainerState } from '../../protocol/pod.js';
import type { ContainerStatus } from '../../protocol/pod.js';

/** For this long after a step failed its own word is shown, then that of the wait (rows 111, 125). */
export const FAILURE_SHOWN_MS = 5_000;
/** Shared by the containers of a pod (row 199). */
const POD_MESSAGE_BYTES_MAX = 12 * 1024;

/** Row 119. */
export const INIT_CONTAINER_GONE =
  'Unable to get init container status from container runtime and pod has been initialized, ' +
  'treat it as exited normally';
/** Row 197. */
const CONTAINER_GONE = 'The container could not be located when the pod was terminated';
const RUNNING_CONTAINER_GONE =
  'The container could not be located when the pod was deleted.  ' +
  'The container used to be Running';
const LOST_EXIT_CODE = 137;

/** Words that say more than "waiting for the next try". */
const KEPT_WORDS: ReadonlySet<string> = new Set(['ErrImageNeverPull', 'InvalidImageName']);

/** One container of the manifest and what there is of it. */
export interface ContainerCase {
  readonly view: ContainerView;
  readonly isInit: boolean;
  /** The sandbox that is up. */
  readonly sandboxId: EngineId | null;
  /** An app container of the pod has begun in that sandbox, or the pod is over. */
  readonly isInitialized: boolean;
  /** As it was shown before. */
  readonly previous: ContainerStatus | null;
}

export interface States {
  readonly state: ContainerState;
  readonly lastState: ContainerState;
  /** It is over, and it is to run again. */
  readonly runsAgain: boolean;
}

export function iso(time: Date | number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

function cut(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString('utf8');
}

function lost(message: string): ContainerState {
  const reason = 'ContainerStatusUnknown';
  return { terminated: { exitCode: LOST_EXIT_CODE, reason, message } };
}

/** The engine's own error first, then what the program left (row 199). */
function terminated(one: ObservedContainer, input: StatusInput): ContainerState {
  if (one.state === 'unknown') return lost(CONTAINER_GONE);
  const { desired, messages, runtimeName } = input;
  const said = [one.message, messages.get(one.id) ?? ''].filter(text => text !== '').join(': ');
  const share = Math.floor(POD_MESSAGE_BYTES_MAX / allContainers(desired.pod).length);
  return {
    terminated: {
      exitCode: one.exitCode ?? LOST_EXIT_CODE,
      reason: one.reason === '' ? 'ContainerStatusUnknown' : one.reason,
      ...(said === '' ? {} : { message: cut(said, share) }),
      ...(one.startedAt === null ? {} : { startedAt: iso(one.startedAt) }),
      ...(one.finishedAt === null ? {} : { finishedAt: iso(one.finishedAt) }),
      containerID: `${runtimeName}://${one.id}`,
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
  if (KEPT_WORDS.has(reason) || now - failedAt < FAILURE_SHOWN_MS) {
    return waiting(reason, message);
  }
  return waiting('ImagePullBackOff', `Back-off pulling image "${image}": ${reason}: ${message}`);
}

/** Why the container does not run, as far as a failed step or admission says it. */
function failedState({ view }: ContainerCase, input: StatusInput): ContainerState | null {
  const { desired, memory, now } = input;
  const { name, image, hash } = view;
  const { failures } = memory;
  const pull = failures.get(failureKey('image', desired.uid, image));
  if (pull !== undefined) return imageWaiting(image, pull, now);
  const own = failures.get(failureKey('container', desired.uid, `${name}/${hash}`));
  if (own !== undefined) return waiting(own.reason, own.message);
  const pod =
    failures.get(failureKey('volumes', desired.uid)) ??
    failures.get(failureKey('sandbox', desired.uid));
  const message = pod?.message ?? desired.rejection?.message;
  return message === undefined ? null : waiting(defaultReason(input), message);
}

/** What a container that was not started waits for (row 195). */
function defaultReason({ desired }: StatusInput): string {
  const hasInit = (desired.pod.spec.initContainers ?? []).length > 0;
  return hasInit ? 'PodInitializing' : 'ContainerCreating';
}

function toBeMade(one: ContainerCase, input: StatusInput): ContainerState {
  return failedState(one, input) ?? waiting(defaultReason(input));
}

/** It never ran, its pod is over, and its turn had come: shown as the kubelet's `TerminatePod` does (row 197). */
function neverRan({ isInit, isInitialized }: ContainerCase, input: StatusInput): boolean {
  const { completion, desired } = input;
  if (completion === null || isInit) return false;
  return isInitialized || (desired.pod.spec.initContainers ?? []).length === 0;
}

/** Nothing of it is on the engine. */
function absent(one: ContainerCase, input: StatusInput): States {
  const { previous, view, isInit, isInitialized } = one;
  const before = previous?.state;
  if (isInit && !view.isSidecar && isInitialized) {
    const known = before?.terminated?.exitCode === 0 ? before.terminated : {};
    const ended = { ...known, exitCode: 0, reason: 'Completed', message: INIT_CONTAINER_GONE };
    return { state: { terminated: ended }, lastState: {}, runsAgain: false };
  }
  if (input.completion !== null && before?.waiting === undefined && before !== undefined) {
    const state = before.terminated === undefined ? lost(CONTAINER_GONE) : before;
    return { state, lastState: previous?.lastState ?? {}, runsAgain: false };
  }
  if (neverRan(one, input)) {
    return { state: lost(CONTAINER_GONE), lastState: previous?.lastState ?? {}, runsAgain: false };
  }
  const lastState =
    before?.terminated !== undefined
      ? before
      : before?.running !== undefined
        ? lost(RUNNING_CONTAINER_GONE)
        : (previous?.lastState ?? {});
  return { state: toBeMade(one, input), lastState, runsAgain: true };
}

/** Its newest run has ended. */
function ended(newest: ObservedContainer, one: ContainerCase, input: StatusInput): States {
  const { desired, memory, now, completion } = input;
  const { view, isInit, sandboxId } = one;
  const { name, hash } = view;
  const state = terminated(newest, input);
  const lastState = formerState(one, input);
  const isDone = { state, lastState, runsAgain: false };
  if (completion !== null) return isDone;
  const isPlainInit = isInit && !view.isSidecar;
  // With a new sandbox all init containers run again (row 118).
  const isOfOld = sandboxId !== null && newest.sandboxId !== sandboxId;
  if (isPlainInit && one.isInitialized) return isDone;
  if (newest.hash !== hash || view.isOutdated || (isPlainInit && isOfOld)) {
    return { state: toBeMade(one, input), lastState: state, runsAgain: true };
  }
  if (isFinished({ pod: desired, memory }, newest, hash)) return isDone;
  const crash = memory.crashes.get(crashKey(desired.uid, name, hash));
  const own = memory.failures.get(failureKey('container', desired.uid, `${name}/${hash}`));
  const hasJustFailed = own !== undefined && now - own.failedAt < FAILURE_SHOWN_MS;
  const maxMs = podBackOffMax(desired, input.backOffMaxMs);
  if (crash !== undefined && restartDueAt(newest, crash, { now, maxMs }) > now && !hasJustFailed) {
    const delayMs = Math.min(crash.delayMs, maxMs);
    const message = backOffMessage(desired, name, { ...crash, delayMs });
    return { state: waiting('CrashLoopBackOff', message), lastState: state, runsAgain: true };
  }
  const failed = failedState(one, input);
  if (failed !== null) return { state: failed, lastState: state, runsAgain: true };
  return { ...isDone, runsAgain: true };
}

/** The end of the run before the newest. */
function formerState({ view, previous }: ContainerCase, input: StatusInput): ContainerState {
  const newest = shownRun(view);
  const dead = view.instances.find(run => run !== newest && run.state === 'exited');
  if (dead !== undefined) return terminated(dead, input);
  // Removed since: as it was shown.
  const shown = previous?.state?.terminated;
  // Shown as lost while it was on its way: there was no run before the first.
  if (newest?.attempt === 0 && shown?.containerID === undefined) return previous?.lastState ?? {};
  const isOther = shown?.containerID !== `${input.runtimeName}://${newest?.id ?? ''}`;
  if (shown !== undefined && isOther) return { terminated: shown };
  return previous?.lastState ?? {};
}

/** The one that runs, if the one after it was only made so far; else the newest. */
export function shownRun({ instances }: ContainerView): ObservedContainer | undefined {
  const [newest] = instances;
  if (newest?.state !== 'created') return newest;
  return instances.find(run => run.state === 'running') ?? newest;
}

export function statesOf(one: ContainerCase, input: StatusInput): States {
  const { view } = one;
  const newest = shownRun(view);
  if (newest === undefined) return absent(one, input);
  switch (newest.state) {
    case 'created': {
      if (neverRan(one, input)) {
        const lastState = formerState(one, input);
        return { state: lost(CONTAINER_GONE), lastState, runsAgain: false };
      }
      return { state: toBeMade(one, input), lastState: formerState(one, input), runsAgain: true };
    }
    case 'running': {
      const lastState = formerState(one, input);
      // Not shown as running before its postStart hook is through (row 110).
      const isStarting = input.startingHooks.has(newest.id);
      const state = isStarting ? waiting(defaultReason(input)) : running(newest);
      return { state, lastState, runsAgain: false };
    }
    default:
      return ended(newest, one, input);
  }
}
