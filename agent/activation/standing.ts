/**
 * How far the pods of a revision are, from the pods as they are: all there, all ready or completed for long enough, or one of
 * them failed for good. Pure; an agent's restart changes nothing. Never repeats container output.
 */
import { counted } from '../../protocol/counted.js';
import { LAST_WORDS_MAX } from '../../protocol/last-words.js';
import type { ContainerStatus } from 'kubernetes-types/core/v1.js';
import { isPodKey } from '../../protocol/bundle-manifest.js';
import {
  bindingText,
  IMAGE_DIGESTS_ANNOTATION,
  type ImageBindings,
} from '../../protocol/image-binding.js';
import { bundleKey } from '../intake/decide.js';
import type { OwnedFile } from '../journal/journal.js';
import { UPDATE_REJECTED, UPDATE_WAITING } from '../pods/pod-status.js';
import { isSidecar, restartsAfter } from '../pods/restart-rules.js';
import type { BundleName, PodReport } from '../ports.js';
import { formerText, heldUntil } from './former.js';

/** In a message. */
const PODS_NAMED = 5;
/** Of a container that is on its way: no complaint by themselves. */
const BEGINNING: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing']);

export interface Standing {
  readonly is: 'pending' | 'made' | 'ready' | 'failed';
  readonly reason: string;
  readonly message: string;
  /** Pods of this revision that are there, less those of others that still are. */
  readonly made: number;
  /** Pods whose containers are all ready or completed. */
  readonly ready: number;
  /** Names the containers, once every one of them is ready or completed; else null. */
  readonly steady: string | null;
  /** When time alone may change something, milliseconds since 1970. */
  readonly againAt?: number;
  /** Until when something former is ending in its own time, milliseconds since 1970; left out: nothing is. */
  readonly heldUntil?: number;
  /** Whose words tell why. */
  readonly culprit: Culprit | null;
}

export interface Culprit {
  /** `namespace/name`. */
  readonly pod: string;
  readonly container: string;
  /** Its termination message, else the end of its log: container output, which leaves the node sealed or not at all. Null: there is none. */
  readonly lastWords: string | null;
}

export interface PodWorld {
  /** Those that are to lie in the directory. */
  readonly files: readonly OwnedFile[];
  readonly pods: readonly PodReport[];
  readonly bindings: ImageBindings;
  readonly minReadyMs: number;
  /**
   * For how long exactly these containers have been ready or completed, by a clock that nobody sets: what the engine says of
   * times is rounded, and jumps with the clock.
   */
  readonly steadyMs: (steady: string) => number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Of the bundle, whatever revision they are. */
export function podsOf(bundle: BundleName, pods: readonly PodReport[]): PodReport[] {
  const key = bundleKey(bundle);
  return pods.filter(pod => pod.bundle !== null && bundleKey(pod.bundle) === key);
}

/** Of the revision whose files are to lie in the directory. */
export function standingOf(bundle: BundleName, world: PodWorld): Standing {
  const key = bundleKey(bundle);
  const pods = podsOf(bundle, world.pods);
  const wanted = world.files.filter(file => bundleKey(file) === key && isPodKey(file.pod));
  const isOf = (pod: PodReport, file: OwnedFile) =>
    pod.manifestDigest === file.manifest &&
    pod.outdated !== true &&
    pod.pod.metadata?.deletionTimestamp === undefined &&
    hasNameOf(pod, file) &&
    isBoundTo(pod, world.bindings);
  const present = wanted.flatMap(file => pods.find(pod => isOf(pod, file)) ?? []);
  const old = pods.filter(pod => !wanted.some(file => isOf(pod, file)));
  const since = present.map(({ pod }) => settledSince(pod, world.now));
  const count = {
    made: present.length - old.length,
    ready: since.filter(at => at !== null).length,
  };
  const failed = pods.find(
    pod =>
      isRefused(pod) ||
      (isFailed(pod) && present.includes(pod)) ||
      wanted.some(file => isRejected(pod, file)),
  );
  if (failed)
    return {
      is: 'failed',
      ...failureOf(failed),
      ...count,
      steady: null,
      culprit: culpritOf([failed]),
    };
  if (present.length < wanted.length || old.length > 0) {
    const former = old.map(pod => {
      const why = conditionOf(pod, UPDATE_WAITING) ?? conditionOf(pod, UPDATE_REJECTED);
      if (why !== undefined) return `${pod.key}: ${why.reason}: ${why.message}`;
      return formerText(pod, world.now);
    });
    const there = `${present.length} of ${wanted.length} pods are of this revision`;
    const message = [there, ...former.slice(0, PODS_NAMED)].join('; ');
    const until = heldUntil(old, world.now);
    return {
      is: 'pending',
      reason: until === null ? 'PodsPending' : 'StoppingFormer',
      ...{ message, ...count, steady: null, culprit: null },
      ...(until === null ? {} : { heldUntil: until }),
    };
  }
  return { ...settling(present, since, world), ...count };
}

function isFailed({ pod }: PodReport): boolean {
  return pod.status?.phase === 'Failed';
}

/** The pod runner took the file but not the pod: nothing of it runs, so it has no manifest. */
function isRefused(pod: PodReport): boolean {
  return isFailed(pod) && pod.manifestDigest === null;
}

/**
 * What may not take the pod's place is this file's content, and not what a person wrote there or what was read of the file before it
 * was written.
 */
function isRejected(pod: PodReport, file: OwnedFile): boolean {
  if (conditionOf(pod, UPDATE_REJECTED) === undefined || !hasNameOf(pod, file)) return false;
  return pod.rejected === file.manifest || pod.rejected === file.content;
}

/** Of what was there before, and runs on while an edit may not begin. */
function conditionOf({ pod }: PodReport, type: string) {
  return pod.status?.conditions?.find(one => one.type === type);
}

function failureOf(pod: PodReport) {
  const { reason, message } = conditionOf(pod, UPDATE_REJECTED) ?? pod.pod.status ?? {};
  const why = isRefused(pod) ? [message] : [reason, message];
  return {
    reason: isRefused(pod) ? 'PodRefused' : 'PodFailed',
    message: [`pod ${pod.key} failed`, ...why.filter(part => part)].join(': '),
  };
}

/** A manifest may stay as it is and its images not. */
function isBoundTo({ pod }: PodReport, bindings: ImageBindings): boolean {
  const said = pod.metadata?.annotations?.[IMAGE_DIGESTS_ANNOTATION] ?? null;
  return said === bindingText(pod, bindings);
}

/** With the node's suffix, or of a kubelet that was given the suffixed name. */
export function hasNameOf(pod: PodReport, file: OwnedFile): boolean {
  const name = pod.key.slice(pod.key.indexOf('/') + 1);
  return name === file.pod || name.startsWith(`${file.pod}-`);
}

function settling(
  pods: readonly PodReport[],
  since: readonly (number | null)[],
  { now, minReadyMs, steadyMs }: PodWorld,
): Omit<Standing, 'made' | 'ready'> {
  const waiting = pods.filter((_, i) => since[i] === null);
  if (waiting.length > 0) {
    const names = waiting.slice(0, PODS_NAMED).map(waitingFor).join(', ');
    const message = `waiting for ${names}`;
    const culprit = culpritOf(waiting);
    return { is: 'made', reason: 'ContainersPending', message, steady: null, culprit };
  }
  const last = Math.max(0, ...since.map(at => at ?? 0));
  const steady = pods.map(runsOf).join(' ');
  const againAt = Math.max(last + minReadyMs, now + minReadyMs - steadyMs(steady));
  if (againAt > now) {
    const young = pods.filter((_, i) => (since[i] ?? 0) + minReadyMs > now);
    const restarts = young.slice(0, PODS_NAMED).flatMap(restartsOf).join(', ');
    const message =
      `every container is ready or completed; ${minReadyMs / 1000} ${minReadyMs === 1000 ? 'second has' : 'seconds have'} to pass` +
      (restarts === '' ? '' : `; ${restarts}`);
    return { is: 'made', reason: 'Settling', message, againAt, steady, culprit: culpritOf(young) };
  }
  const message = counted(pods.length, 'pod');
  return { is: 'ready', reason: 'ContainersSettled', message, steady, culprit: null };
}

/** Each run of a container has a name of its own. */
function runsOf(report: PodReport): string {
  const runs = statusesOf(report).map(
    ({ name, containerID = '', restartCount }) => `${name}:${containerID}:${restartCount}`,
  );
  return `${report.key}(${runs.join(',')})`;
}

function statusesOf({ pod }: PodReport): readonly ContainerStatus[] {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses];
}

/** Of what runs by now and ended badly before. */
function restartsOf(report: PodReport): string[] {
  return statusesOf(report).flatMap(({ name, restartCount, lastState }) => {
    const code = lastState?.terminated?.exitCode ?? 0;
    if (restartCount === 0 || code === 0) return [];
    return [`${report.key} (${name}: restarts ${restartCount}, last exit code ${code})`];
  });
}

/** The first container that ended badly, else the first that is not ready. */
function culpritOf(pods: readonly PodReport[]): Culprit | null {
  const all = pods.flatMap(report => statusesOf(report).map(status => ({ report, status })));
  const endedBadly = all.find(({ status: { state, lastState } }) =>
    [state, lastState].some(one => (one?.terminated?.exitCode ?? 0) !== 0),
  );
  const found = endedBadly ?? all.find(({ status }) => !status.ready);
  if (!found) return null;
  const { name: container, state, lastState } = found.status;
  const { key: pod, lastLines } = found.report;
  const message = (state?.terminated ?? lastState?.terminated)?.message ?? '';
  const words = message === '' ? (lastLines?.get(container) ?? '') : message;
  const lastWords = words === '' ? null : words.slice(-LAST_WORDS_MAX).toWellFormed();
  return { pod, container, lastWords };
}

/** The pod with the first of its containers that says why it is not there. */
function waitingFor({ key, pod, stopping = [] }: PodReport): string {
  const { reason, message, initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const sidecars = sidecarsOf(pod);
  const running = initContainerStatuses.find(
    ({ name, state }) => state?.running !== undefined && !sidecars.has(name),
  );
  if (running !== undefined) return `${key} (${running.name}: still runs)`;
  const [stop] = stopping;
  if (stop !== undefined) return `${key} (${stop.container}: is being stopped)`;
  const statuses = [...initContainerStatuses, ...containerStatuses];
  const word = statuses.map(complaintOf).find(complaint => complaint !== null);
  if (word !== undefined) return `${key} (${word})`;
  const why = [reason, message].filter(part => part).join(': ');
  return why === '' ? key : `${key} (${why})`;
}

function complaintOf(status: ContainerStatus): string | null {
  const { name, state, lastState, ready, started } = status;
  const { reason = '', message = '' } = state?.waiting ?? {};
  const code = (state?.terminated ?? lastState?.terminated)?.exitCode ?? 0;
  const last = code === 0 ? '' : `last exit code ${code}`;
  if (reason === 'CrashLoopBackOff') {
    return `${name}: ${[reason, last].filter(part => part !== '').join(', ')}`;
  }
  if (reason !== '' && (message !== '' || !BEGINNING.has(reason))) {
    return `${name}: ${[reason, message].filter(part => part !== '').join(': ')}`;
  }
  if (state?.running === undefined || ready)
    return last === '' || ready ? null : `${name}: ${last}`;
  const why = started === false ? 'has not started' : 'is not ready';
  return `${name}: ${[why, last].filter(part => part !== '').join(', ')}`;
}

function sidecarsOf({ spec }: PodReport['pod']): ReadonlySet<string> {
  return new Set((spec?.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
}

/** When the last container became ready or was completed; null while one is neither. */
function settledSince(pod: PodReport['pod'], now: number): number | null {
  const { spec, status } = pod;
  const wanted = spec?.containers ?? [];
  const statuses = status?.containerStatuses ?? [];
  if (statuses.length < wanted.length) return null;
  const sidecars = sidecarsOf(pod);
  const beside = (status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name));
  const isOver = status?.phase === 'Succeeded';
  const isCompleted = ({ name }: ContainerStatus) => {
    const container = wanted.find(one => one.name === name);
    // What ended well and is to run again is not completed: a probe may have ended it.
    return isOver || !(container && spec && restartsAfter(container, spec, 0));
  };
  const times = [...statuses, ...(isOver ? [] : beside)].map(one =>
    containerSince(one, isCompleted(one)),
  );
  if (times.some(at => at === null)) return null;
  const ready = status?.conditions?.find(({ type }) => type === 'ContainersReady');
  const readyAt = ready?.status === 'True' ? Date.parse(ready.lastTransitionTime ?? '') || 0 : 0;
  // A clock that was set back puts starts into the future; what runs then has run.
  return Math.max(0, ...[...times, readyAt].map(at => at ?? 0).filter(at => at <= now));
}

function containerSince({ state, ready }: ContainerStatus, isCompleted: boolean): number | null {
  if (state?.running) return ready ? Date.parse(state.running.startedAt ?? '') || 0 : null;
  if (state?.terminated?.exitCode !== 0 || !isCompleted) return null;
  return Date.parse(state.terminated.finishedAt ?? '') || 0;
}
