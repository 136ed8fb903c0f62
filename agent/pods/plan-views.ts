/**
 * What the engine has of one pod, container by container, and what that means under the pod's restart policy.
 * Kubelet behaviour rows 76 to 79, 83 to 87. Pure.
 */
import { crashKey, failureKey, newestFirst, restartDueAt, type Memory } from './back-off.js';
import type { DesiredPod } from './desired.js';
import type { EngineId, ObservedContainer, ObservedSandbox } from '../runtime/runtime.js';

/** SIGTERM always gets this long, grace 0 included (row 69). */
export const MIN_GRACE_S = 2;
/** For a container whose sandbox, and with it the stored grace, is gone. */
const UNKNOWN_GRACE_S = 30;

export interface Instances {
  readonly sandboxes: readonly ObservedSandbox[];
  readonly containers: readonly ObservedContainer[];
}

export const NO_INSTANCES: Instances = { sandboxes: [], containers: [] };

export interface PodContext {
  readonly pod: DesiredPod;
  readonly memory: Memory;
  readonly now: number;
}

export interface ContainerView {
  readonly name: string;
  readonly image: string;
  readonly hash: string;
  /** Newest first, without those that were made for another manifest or sandbox and never started. */
  readonly instances: readonly ObservedContainer[];
  /** Those. */
  readonly stale: readonly ObservedContainer[];
  /** The attempt of the next instance: the restart count. */
  readonly nextAttempt: number;
}

/** What a container's newest instance means for it. */
export type Verdict =
  | { readonly is: 'kept' }
  | { readonly is: 'done' }
  | { readonly is: 'waiting'; readonly until: number }
  | { readonly is: 'start'; readonly id: EngineId; readonly reason: string }
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

/** The containers of the manifest, in its order. */
export function viewsOf(
  pod: DesiredPod,
  there: Instances,
  sandboxId: EngineId | null,
): ContainerView[] {
  return pod.pod.spec.containers.map(({ name, image = '' }) => {
    const hash = pod.containerHashes.get(name) ?? '';
    const all = newestFirst(there.containers.filter(one => one.name === name));
    const isStale = (one: ObservedContainer) =>
      one.state === 'created' && (one.hash !== hash || one.sandboxId !== sandboxId);
    return {
      name,
      image,
      hash,
      instances: all.filter(one => !isStale(one)),
      stale: all.filter(isStale),
      nextAttempt: (all[0]?.attempt ?? -1) + 1,
    };
  });
}

/** True when the policy leaves a container that ended as it is (row 83); an edit makes it run again. */
export function isFinished(pod: DesiredPod, container: ObservedContainer, hash: string): boolean {
  if (container.state !== 'exited' || container.hash !== hash) return false;
  const policy = pod.pod.spec.restartPolicy;
  return policy === 'Never' || (policy === 'OnFailure' && container.exitCode === 0);
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

/** `sandboxId` is the sandbox that stays; null when it has to be made again. */
export function judge(
  view: ContainerView,
  sandboxId: EngineId | null,
  context: PodContext,
): Verdict {
  const { pod, memory, now } = context;
  const [newest] = view.instances;
  if (newest !== undefined && isFinished(pod, newest, view.hash)) return { is: 'done' };
  const inPlace = newest !== undefined && newest.sandboxId === sandboxId;
  const unchanged = newest?.hash === view.hash;
  if (inPlace && newest.state === 'running' && unchanged) return { is: 'kept' };
  const held = heldUntil(view, context);
  if (held !== null) return { is: 'waiting', until: held };
  if (newest === undefined) return { is: 'replace', reason: 'there is no such container' };
  if (!unchanged) return { is: 'replace', reason: `Container ${view.name} definition changed` };
  if (newest.state === 'exited') {
    const crash = memory.crashes.get(crashKey(pod.uid, view.name, view.hash));
    const until = restartDueAt(newest, crash, now);
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
 * does what has not run yet once something did; with OnFailure not what succeeded. Edited containers do.
 */
export function runsAgain(pod: DesiredPod, views: readonly ContainerView[]): ContainerView[] {
  const ranAsIs = (view: ContainerView) => view.instances[0]?.hash === view.hash;
  if (pod.pod.spec.restartPolicy !== 'Never') {
    return views.filter(({ instances: [newest], hash }) => {
      return newest === undefined || !isFinished(pod, newest, hash);
    });
  }
  const edited = views.filter(view => view.instances.length > 0 && !ranAsIs(view));
  if (edited.length === 0 && views.some(ranAsIs)) return [];
  return views.filter(view => !ranAsIs(view));
}
