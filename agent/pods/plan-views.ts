/**
 * What the engine has of one pod, container by container, and what that means under the pod's restart policy.
 * Kubelet behaviour rows 76 to 79, 83 to 87. Pure.
 */
import { crashKey, failureKey, newestFirst, restartDueAt, type Memory } from './back-off.js';
import type { DesiredPod } from './desired.js';
import { healthOf, type Health, type ProbeKill } from './health.js';
import { isRestartable, restartAllAt } from './restart-rules.js';
import type { EngineId, ObservedContainer, ObservedSandbox } from '../runtime/runtime.js';
import type { Container } from '../../protocol/pod.js';

/** SIGTERM always gets this long, grace 0 included (row 69). */
export const MIN_GRACE_S = 2;
/** For a container whose sandbox, and with it the stored grace, is gone. */
const UNKNOWN_GRACE_S = 30;

const RESTART_ALL = 'all containers of the pod are to be restarted';

export interface Instances {
  readonly sandboxes: readonly ObservedSandbox[];
  readonly containers: readonly ObservedContainer[];
}

export const NO_INSTANCES: Instances = { sandboxes: [], containers: [] };

export interface PodContext {
  readonly pod: DesiredPod;
  readonly memory: Memory;
  readonly health: Health;
  /** The longest wait between two restarts, by this node's setting and the pod's annotation (row 88). */
  readonly backOffMaxMs: number;
  readonly now: number;
}

export interface ContainerView {
  readonly name: string;
  /** With defaults. */
  readonly container: Container;
  readonly isSidecar: boolean;
  readonly image: string;
  readonly hash: string;
  /** Newest first, without those that were made for another manifest or sandbox and never started. */
  readonly instances: readonly ObservedContainer[];
  /** Those. */
  readonly stale: readonly ObservedContainer[];
  /** The attempt of the next instance: the restart count. */
  readonly nextAttempt: number;
  /** All containers are to be restarted, and this one was not since (row 89). */
  readonly isOutdated: boolean;
}

/** What a container's newest instance means for it. */
export type Verdict =
  | { readonly is: 'kept' }
  | { readonly is: 'done' }
  | { readonly is: 'waiting'; readonly until: number }
  | { readonly is: 'start'; readonly id: EngineId; readonly reason: string }
  /** It runs and must not; its end brings the next plan. */
  | { readonly is: 'kill'; readonly reason: string; readonly graceSeconds: number | null }
  | { readonly is: 'replace'; readonly reason: string };

export function gracePeriod(seconds: number | undefined): number {
  return Math.max(MIN_GRACE_S, seconds ?? UNKNOWN_GRACE_S);
}

export function isAlive(container: ObservedContainer): boolean {
  return container.state === 'running' || container.state === 'unknown';
}

export function earliest(...times: readonly (number | null)[]): number | null {
  const given = times.filter(time => time !== null);
  return given.length === 0 ? null : Math.min(...given);
}

function viewOf(
  container: Container,
  { pod, there, sandboxId }: { pod: DesiredPod; there: Instances; sandboxId: EngineId | null },
): ContainerView {
  const { name, image = '' } = container;
  const hash = pod.containerHashes.get(name) ?? '';
  const all = newestFirst(there.containers.filter(one => one.name === name));
  const isStale = (one: ObservedContainer) =>
    one.state === 'created' && (one.hash !== hash || one.sandboxId !== sandboxId);
  const instances = all.filter(one => !isStale(one));
  const [newest] = instances;
  const since = restartAllAt(pod.pod, there.containers);
  return {
    name,
    container,
    isSidecar: isSidecar(pod, container),
    image,
    hash,
    instances,
    stale: all.filter(isStale),
    nextAttempt: (all[0]?.attempt ?? -1) + 1,
    isOutdated: since !== null && newest !== undefined && newest.createdAt.getTime() < since,
  };
}

function isSidecar({ pod }: DesiredPod, container: Container): boolean {
  return (
    container.restartPolicy === 'Always' && (pod.spec.initContainers ?? []).includes(container)
  );
}

/** The app containers of the manifest, in its order. */
export function viewsOf(
  pod: DesiredPod,
  there: Instances,
  sandboxId: EngineId | null,
): ContainerView[] {
  return pod.pod.spec.containers.map(one => viewOf(one, { pod, there, sandboxId }));
}

/** The init containers and sidecars of the manifest, in its order. */
export function initViewsOf(
  pod: DesiredPod,
  there: Instances,
  sandboxId: EngineId | null,
): ContainerView[] {
  const containers = pod.pod.spec.initContainers ?? [];
  return containers.map(one => viewOf(one, { pod, there, sandboxId }));
}

/** True when the policy leaves a container that ended as it is (rows 83, 89); an edit makes it run again. */
export function isFinished(pod: DesiredPod, container: ObservedContainer, hash: string): boolean {
  if (container.state !== 'exited' || container.hash !== hash) return false;
  return !isRestartable(pod.pod, container.name, container.exitCode ?? 137);
}

/** When a failed pull, create or start may be tried again; null = now. */
function heldUntil(view: ContainerView, { pod, memory, now }: PodContext): number | null {
  const keys = [
    failureKey('image', pod.uid, view.image),
    failureKey('container', pod.uid, `${view.name}/${view.hash}`),
  ];
  const times = keys.map(key => memory.failures.get(key)?.retryAt ?? 0).filter(at => at > now);
  return times.length === 0 ? null : Math.max(...times);
}

/** The kubelet's sentence (row 108). */
function killVerdict(name: string, { probe, graceSeconds }: ProbeKill): Verdict {
  const reason = `Container ${name} failed ${probe} probe, will be restarted`;
  return { is: 'kill', reason, graceSeconds };
}

/** `sandboxId` is the sandbox that stays; null when it has to be made again. */
export function judge(
  view: ContainerView,
  sandboxId: EngineId | null,
  context: PodContext,
): Verdict {
  const { pod, memory, now } = context;
  const [newest] = view.instances;
  const isAsked = newest !== undefined && !view.isOutdated;
  if (isAsked && isFinished(pod, newest, view.hash)) return { is: 'done' };
  const inPlace = newest !== undefined && newest.sandboxId === sandboxId;
  const unchanged = newest?.hash === view.hash;
  if (inPlace && newest.state === 'running' && unchanged) {
    if (view.isOutdated) return { is: 'kill', reason: RESTART_ALL, graceSeconds: null };
    const { kill } = healthOf(context.health, newest.id, view.container);
    return kill === null ? { is: 'kept' } : killVerdict(view.name, kill);
  }
  const held = heldUntil(view, context);
  if (held !== null) return { is: 'waiting', until: held };
  if (newest === undefined) return { is: 'replace', reason: 'there is no such container' };
  if (!unchanged) return { is: 'replace', reason: `Container ${view.name} definition changed` };
  if (newest.state === 'exited') {
    const crash = memory.crashes.get(crashKey(pod.uid, view.name, view.hash));
    const until = restartDueAt(newest, crash, { now, maxMs: context.backOffMaxMs });
    if (until > now) return { is: 'waiting', until };
    return { is: 'replace', reason: `it ended with exit code ${newest.exitCode ?? 'unknown'}` };
  }
  if (!inPlace) return { is: 'replace', reason: 'its sandbox has to be made again' };
  if (newest.state === 'created') {
    return { is: 'start', id: newest.id, reason: 'it was created and never started' };
  }
  return { is: 'replace', reason: 'the engine does not know its state' };
}

/** Row 77: the newest sandbox if it can stay, else why it cannot and the attempt of the next. */
export function judgeSandbox(
  pod: DesiredPod,
  there: Instances,
): { readonly keep: ObservedSandbox } | { readonly attempt: number; readonly reason: string } {
  const sandboxes = newestFirst(there.sandboxes);
  const [newest] = sandboxes;
  if (newest === undefined) {
    const left = there.containers.length > 0;
    return { attempt: 0, reason: left ? 'the sandbox is gone' : 'there is no sandbox' };
  }
  const next = newest.attempt + 1;
  if (newest.hash !== pod.sandboxHash) return { attempt: next, reason: 'the sandbox changed' };
  if (sandboxes.filter(one => one.ready).length > 1) {
    return { attempt: next, reason: 'there is more than one sandbox' };
  }
  if (newest.ready) return { keep: newest };
  const used = there.containers.some(one => one.sandboxId === newest.id);
  return { attempt: used ? next : newest.attempt, reason: 'the sandbox is not running' };
}

/**
 * What a pod without a usable sandbox still has to run. Row 78: with Never nothing runs a second time, nor
 * does what has not run yet once something did, an init container among it; with OnFailure not what succeeded.
 * Edited containers do.
 */
export function runsAgain(pod: DesiredPod, there: Instances): ContainerView[] {
  const views = viewsOf(pod, there, null);
  const ranAsIs = (view: ContainerView) => view.instances[0]?.hash === view.hash;
  const isFinal = ({ instances: [newest], hash, isOutdated }: ContainerView) =>
    newest !== undefined && !isOutdated && isFinished(pod, newest, hash);
  if (pod.pod.spec.restartPolicy !== 'Never') return views.filter(view => !isFinal(view));
  const edited = views.filter(view => view.instances.length > 0 && !ranAsIs(view));
  const hasRun = [...initViewsOf(pod, there, null), ...views].some(ranAsIs);
  if (edited.length === 0 && hasRun) return [];
  return views.filter(view => !ranAsIs(view));
}
