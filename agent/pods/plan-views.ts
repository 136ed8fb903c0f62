/**
 * What the engine has of one pod, container by container, and what that means under the pod's restart policy.
 * Kubelet behaviour rows 76 to 79, 83 to 87. Pure.
 */
import {
  crashKey,
  failureKey,
  newestFirst,
  restartDueAt,
  wasKilled,
  type Memory,
} from './back-off.js';
import type { DesiredPod } from './desired.js';
import { healthOf, type Health, type ProbeKill } from './health.js';
import { isRestartable, roundOf, UNKNOWN_EXIT_CODE } from './restart-rules.js';
import type { EngineId, ObservedContainer, ObservedSandbox } from '../runtime/runtime.js';
import type { Container } from '../../protocol/pod.js';

/** SIGTERM always gets this long, grace 0 included (row 69). */
export const MIN_GRACE_S = 2;
/** What a pod that ends for good has at least, so that its hooks run whatever its grace is (row 68). */
const MIN_ENDING_GRACE_S = 1;
/** For a container whose sandbox, and with it the stored grace, is gone. */
const UNKNOWN_GRACE_S = 30;

export interface Instances {
  readonly sandboxes: readonly ObservedSandbox[];
  readonly containers: readonly ObservedContainer[];
  /** Of the same uid, ended and being removed: they count for the attempts and for nothing else (row 67). */
  readonly former?: Instances;
}

export const NO_INSTANCES: Instances = { sandboxes: [], containers: [] };

export interface PodContext {
  readonly pod: DesiredPod;
  readonly memory: Memory;
  readonly health: Health;
  /** The longest wait between two restarts, by this node's setting and the pod's annotation (row 88). */
  readonly backOffMaxMs: number;
  /** Seconds that an end may take at most; null = what the manifest says. */
  readonly graceLimit: number | null;
  /** `status.startTime`, milliseconds since 1970; null before there is a status. */
  readonly startedAt: number | null;
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
  /** How often all containers were restarted in the sandbox that stays: what the next instance bears (row 89). */
  readonly round: number;
  /** All containers are to be restarted, and this one was not since. */
  readonly isOutdated: boolean;
}

/** What a container's newest instance means for it. */
export type Verdict =
  /** Nothing is to be done about it. */
  | { readonly is: 'kept' }
  | { readonly is: 'done' }
  | { readonly is: 'waiting'; readonly until: number }
  | { readonly is: 'start'; readonly id: EngineId; readonly reason: string }
  /** It runs and must not; its end brings the next plan. */
  | { readonly is: 'kill'; readonly reason: string; readonly graceSeconds: number | null }
  | { readonly is: 'replace'; readonly reason: string };

/** Of a container of a pod that goes on. With 0 there is no time for its hook (row 112). */
export function gracePeriod(seconds: number | undefined): number {
  return seconds ?? UNKNOWN_GRACE_S;
}

/** Of a pod that ends for good; `limit` where there is less time. */
export function endingGrace(seconds: number | undefined, limit: number | null = null): number {
  const given = gracePeriod(seconds);
  return Math.max(MIN_ENDING_GRACE_S, Math.min(given, limit ?? given));
}

export function isAlive(container: ObservedContainer): boolean {
  return container.state === 'running' || container.state === 'unknown';
}

/** Something of it is up: what admission says of it now is about an edit. */
export function hasBegun({ sandboxes, containers }: Instances): boolean {
  return sandboxes.some(one => one.ready) || containers.some(isAlive);
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
  const former = there.former?.containers ?? [];
  const attempts = [...there.containers, ...former]
    .filter(one => one.name === name)
    .map(({ attempt }) => attempt);
  const hash = pod.containerHashes.get(name) ?? '';
  const all = newestFirst(there.containers.filter(one => one.name === name));
  const roundIn = (id: EngineId) =>
    roundOf(pod.pod, there.containers, { sandboxId: id, hashes: pod.containerHashes });
  const round = sandboxId === null ? 0 : roundIn(sandboxId);
  const isStale = (one: ObservedContainer) =>
    one.state === 'created' &&
    (one.hash !== hash || one.sandboxId !== sandboxId || one.round < round);
  const instances = all.filter(one => !isStale(one));
  const [newest] = instances;
  return {
    name,
    container,
    isSidecar: isSidecar(pod, container),
    image,
    hash,
    instances,
    stale: all.filter(isStale),
    nextAttempt: Math.max(-1, ...attempts) + 1,
    round,
    isOutdated: newest !== undefined && newest.round < roundIn(newest.sandboxId),
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

/**
 * True when the policy leaves a container that ended as it is (rows 83, 89); an edit makes it run again. What a probe ended
 * has failed, whatever its program said at the end.
 */
export function isFinished(
  { pod, memory }: Pick<PodContext, 'pod' | 'memory'>,
  container: ObservedContainer,
  hash: string,
): boolean {
  if (container.state !== 'exited' || container.hash !== hash) return false;
  const code = container.exitCode ?? UNKNOWN_EXIT_CODE;
  const hasFailed = code === 0 && wasKilled(memory, container);
  return !isRestartable(pod.pod, container.name, hasFailed ? UNKNOWN_EXIT_CODE : code);
}

/** True when nothing of this container is to run any more, as far as the policy says. */
export function isOver(
  context: Pick<PodContext, 'pod' | 'memory'>,
  { instances: [newest], hash, isOutdated }: ContainerView,
): boolean {
  return newest !== undefined && !isOutdated && isFinished(context, newest, hash);
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
function killVerdict(pod: DesiredPod, name: string, { probe, graceSeconds }: ProbeKill): Verdict {
  const next = isRestartable(pod.pod, name, UNKNOWN_EXIT_CODE) ? ', will be restarted' : '';
  return { is: 'kill', reason: `Container ${name} failed ${probe} probe${next}`, graceSeconds };
}

/** `sandboxId` is the sandbox that stays; null when it has to be made again. */
export function judge(
  view: ContainerView,
  sandboxId: EngineId | null,
  context: PodContext,
): Verdict {
  const { pod, memory, now } = context;
  const [newest] = view.instances;
  if (isOver(context, view)) return { is: 'done' };
  const inPlace = newest !== undefined && newest.sandboxId === sandboxId;
  const unchanged = newest?.hash === view.hash;
  // What was admitted goes on, and what was not does not begin.
  if (!unchanged && pod.rejection !== null) return { is: 'kept' };
  if (inPlace && newest.state === 'running' && unchanged) {
    const { kill } = healthOf(context.health, newest.id, view.container);
    return kill === null ? { is: 'kept' } : killVerdict(pod, view.name, kill);
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
    const former = (there.former?.sandboxes ?? []).map(({ attempt }) => attempt);
    const reason = left ? 'the sandbox is gone' : 'there is no sandbox';
    return { attempt: Math.max(-1, ...former) + 1, reason };
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
 * What a pod without a usable sandbox still has to run. Row 78: with Never nothing runs a second time, nor does what has
 * not run yet once something did, and nothing at all after an init container that failed or was cut off; with OnFailure
 * not what succeeded. Edited containers do.
 */
export function runsAgain(context: PodContext, there: Instances): ContainerView[] {
  const { pod } = context;
  const views = viewsOf(pod, there, null);
  const open = views.filter(view => !isOver(context, view));
  if (pod.pod.spec.restartPolicy !== 'Never') return open;
  const runsAsIs = (view: ContainerView) => {
    const { instances, hash, isOutdated, container } = view;
    const [newest] = instances;
    if (newest?.hash !== hash || isOutdated) return false;
    if ((container.restartPolicy ?? 'Never') !== 'Never') return false;
    return newest.state !== 'exited' || isOver(context, view);
  };
  const wasCut = (view: ContainerView) =>
    runsAsIs(view) && (view.instances[0]?.exitCode ?? UNKNOWN_EXIT_CODE) !== 0;
  const hasBegun = views.some(runsAsIs) || initViewsOf(pod, there, null).some(wasCut);
  const next = open.filter(view => !runsAsIs(view));
  return hasBegun && next.every(({ instances }) => instances.length === 0) ? [] : next;
}
