/**
 * How long to wait before a container is started again, an image pulled again, a failed step tried again.
 *
 * What is remembered is one explicit value, `Memory`, that functions here turn into the next one; what was
 * forgotten over a restart of the agent is derived from the engine's exited containers where it can be.
 * Numbers of the kubelet: behaviour rows 84 to 87 and 125. Pure.
 */
import type { DesiredPod } from './desired.js';
import type { Health } from './health.js';
import type { ObservedContainer, ObservedPods } from '../runtime/runtime.js';
import { parseDurationMs } from '../../protocol/duration.js';
import { BACK_OFF_MAX } from '../../protocol/pod-own-annotations.js';

/** First delay; it doubles up to the longest. The very first restart does not wait at all. */
export const BACK_OFF_FIRST_MS = 10_000;
export const BACK_OFF_MAX_MS = 300_000;
/** A run longer than this makes the next restart the first again. */
export const BACK_OFF_RESET_MS = 600_000;

/** What was decided when a container was first seen to have ended. */
export interface Crash {
  readonly containerId: string;
  /** From the end of that run to the next start. */
  readonly delayMs: number;
  /** When the end was first seen, by this node's clock. */
  readonly seenAt: number;
}

/** A step that did not succeed, and when it may be tried again. */
export interface Failure {
  readonly reason: string;
  readonly message: string;
  readonly failedAt: number;
  readonly retryAt: number;
  readonly count: number;
}

/** All that the loop remembers between two plans; losing it costs some patience, nothing else. */
export interface Memory {
  readonly crashes: ReadonlyMap<string, Crash>;
  readonly failures: ReadonlyMap<string, Failure>;
  /** `uid/id` of the containers on the engine that a probe wanted to be killed: they have failed (row 108). */
  readonly kills: ReadonlySet<string>;
  /** `crashKey` of the containers whose images were fetched before their version begins. */
  readonly fetched: ReadonlySet<string>;
}

export const EMPTY_MEMORY: Memory = {
  crashes: new Map(),
  failures: new Map(),
  kills: new Set(),
  fetched: new Set(),
};

/** An image that must not be pulled is looked for again like this, without end (row 127): a person brings it by hand. */
export const MISSING_IMAGE_RETRY_MS = 10_000;

/** Nothing that the pod did: once there is room it begins, before the trial of its revision is over. */
const DISK_FULL_RETRY_MAX_MS = 10_000;
const DISK_FULL = /\b(ENOSPC|EDQUOT)\b/;

/** What can fail on its own; each kind has its own series of delays. */
export type FailureKind = 'image' | 'volumes' | 'sandbox' | 'container' | 'stop';

const FAILURE_DELAYS: Readonly<Record<FailureKind, { firstMs: number; maxMs: number }>> = {
  image: { firstMs: BACK_OFF_FIRST_MS, maxMs: BACK_OFF_MAX_MS },
  volumes: { firstMs: 500, maxMs: 122_000 },
  sandbox: { firstMs: 1_000, maxMs: 60_000 },
  container: { firstMs: 1_000, maxMs: 60_000 },
  stop: { firstMs: 1_000, maxMs: 60_000 },
};

/**
 * The key of a failure begins with the pod's uid, so that it can be forgotten with the pod. `detail` is the
 * image, or the container with its hash: an edit of what failed starts afresh (row 87).
 */
export function failureKey(kind: FailureKind, uid: string, detail = ''): string {
  return `${uid}/${kind}/${detail}`;
}

/** Milliseconds, never above the node's own (P19). An annotation that is no duration of at least a second is not heard. */
export function podBackOffMax({ pod }: DesiredPod, nodeMaxMs: number): number {
  const wanted = parseDurationMs(pod.metadata.annotations?.[BACK_OFF_MAX] ?? '');
  return wanted === null || wanted < 1_000 ? nodeMaxMs : Math.min(wanted, nodeMaxMs);
}

export function crashKey(uid: string, container: string, hash: string): string {
  return `${uid}/${container}/${hash}`;
}

/** 0, 10, 20, 40, 80, 160, 300, 300 s …; `previousMs` null = there was no restart before. */
export function nextRestartDelay(previousMs: number | null): number {
  if (previousMs === null) return 0;
  return Math.min(Math.max(BACK_OFF_FIRST_MS, previousMs * 2), BACK_OFF_MAX_MS);
}

/** The newest is the one with the highest attempt; the engine's time decides between equals. */
export function newestFirst<T extends { attempt: number; createdAt: Date; id: string }>(
  items: readonly T[],
): T[] {
  return items.toSorted(
    (a, b) =>
      b.attempt - a.attempt ||
      b.createdAt.getTime() - a.createdAt.getTime() ||
      (a.id < b.id ? -1 : 1),
  );
}

function ranLong(container: ObservedContainer): boolean {
  const { startedAt, finishedAt } = container;
  if (startedAt === null || finishedAt === null) return false;
  return finishedAt.getTime() - startedAt.getTime() > BACK_OFF_RESET_MS;
}

/** The longest delay of the series that fits into a gap between two runs. */
function seriesFloor(gapMs: number): number {
  let delay = 0;
  let next = nextRestartDelay(delay);
  while (next <= gapMs && next > delay) {
    delay = next;
    next = nextRestartDelay(delay);
  }
  return delay;
}

/**
 * The delay after a run that ended while nobody remembered the ones before: the gap before that run shows how
 * long was waited then. Without the run before, the number of restarts says it.
 */
function derivedDelay(ended: ObservedContainer, earlier: readonly ObservedContainer[]): number {
  if (ended.attempt === 0) return 0;
  const before = earlier.find(one => one.finishedAt !== null);
  if (before?.finishedAt === undefined || before.finishedAt === null) {
    let delay: number | null = null;
    for (let i = 0; i <= Math.min(ended.attempt, 8); i++) delay = nextRestartDelay(delay);
    return delay ?? 0;
  }
  if (before.hash !== ended.hash) return 0;
  if (ranLong(before)) return BACK_OFF_FIRST_MS;
  const gapMs = ended.createdAt.getTime() - before.finishedAt.getTime();
  return nextRestartDelay(seriesFloor(gapMs));
}

/**
 * Decides the delay of each run that has ended and was not judged yet. Call it with each observation, before
 * `plan`; twice with the same observation is the same as once.
 */
export function noteExits(memory: Memory, observed: ObservedPods, now: number): Memory {
  const groups = new Map<string, ObservedContainer[]>();
  for (const container of observed.containers) {
    const key = `${container.pod.uid}/${container.name}`;
    groups.set(key, [...(groups.get(key) ?? []), container]);
  }
  const crashes = new Map<string, Crash>(memory.crashes);
  for (const group of groups.values()) {
    const [newest, ...earlier] = newestFirst(group);
    if (newest?.state !== 'exited') continue;
    const key = crashKey(newest.pod.uid, newest.name, newest.hash);
    const known = memory.crashes.get(key);
    if (known?.containerId === newest.id) continue;
    const delayMs = ranLong(newest)
      ? 0
      : known === undefined
        ? derivedDelay(newest, earlier)
        : nextRestartDelay(known.delayMs);
    crashes.set(key, { containerId: newest.id, delayMs, seenAt: now });
  }
  return { ...memory, crashes };
}

/**
 * When a container that ended may start again: from its end (row 85), or from when that was seen if the engine's
 * time lies later. A clock that was put back holds nothing up. 0 = at once.
 */
export function restartDueAt(
  ended: ObservedContainer,
  crash: Crash | undefined,
  { now, maxMs = BACK_OFF_MAX_MS }: { readonly now: number; readonly maxMs?: number },
): number {
  if (crash?.containerId !== ended.id) return 0;
  const from = Math.min(ended.finishedAt?.getTime() ?? 0, crash.seenAt);
  return from > now ? 0 : from + Math.min(crash.delayMs, maxMs);
}

/**
 * A clock that was put back holds nothing up: what failed in what is the future now waits as long as it would have from now on. Call it
 * with each observation, before `plan`; twice is the same as once.
 */
export function notePutBack(memory: Memory, now: number): Memory {
  const failures = [...memory.failures];
  if (failures.every(([, { failedAt }]) => failedAt <= now)) return memory;
  const moved = failures.map(([key, failure]): [string, Failure] => {
    const { failedAt, retryAt } = failure;
    return failedAt <= now
      ? [key, failure]
      : [key, { ...failure, failedAt: now, retryAt: now + (retryAt - failedAt) }];
  });
  return { ...memory, failures: new Map(moved) };
}

/** Call it with each observation, before `plan`; what is gone from the engine is forgotten. */
export function noteKills(memory: Memory, observed: ObservedPods, health: Health): Memory {
  const keys = observed.containers
    .map(({ pod, id }) => ({ id, key: `${pod.uid}/${id}` }))
    .filter(({ id, key }) => memory.kills.has(key) || (health.get(id)?.kill ?? null) !== null)
    .map(({ key }) => key);
  if (keys.length === memory.kills.size && keys.every(key => memory.kills.has(key))) return memory;
  return { ...memory, kills: new Set(keys) };
}

export function wasKilled(memory: Memory, { pod, id }: ObservedContainer): boolean {
  return memory.kills.has(`${pod.uid}/${id}`);
}

interface Failed {
  readonly kind: FailureKind;
  readonly reason: string;
  readonly message: string;
}

function delaysOf({ kind, reason, message }: Failed) {
  if (reason === 'ErrImageNeverPull')
    return { firstMs: MISSING_IMAGE_RETRY_MS, maxMs: MISSING_IMAGE_RETRY_MS };
  const { firstMs, maxMs } = FAILURE_DELAYS[kind];
  return DISK_FULL.test(message)
    ? { firstMs, maxMs: Math.min(maxMs, DISK_FULL_RETRY_MAX_MS) }
    : { firstMs, maxMs };
}

/** A step failed: the next try waits twice as long as the last one did. */
export function noteFailure(
  memory: Memory,
  what: { kind: FailureKind; key: string; reason: string; message: string },
  now: number,
): Memory {
  const { firstMs, maxMs } = delaysOf(what);
  const count = (memory.failures.get(what.key)?.count ?? 0) + 1;
  const delayMs = Math.min(firstMs * 2 ** Math.min(count - 1, 20), maxMs);
  const { reason, message } = what;
  const failure: Failure = { reason, message, failedAt: now, retryAt: now + delayMs, count };
  return { ...memory, failures: new Map(memory.failures).set(what.key, failure) };
}

export function noteSuccess(memory: Memory, key: string): Memory {
  if (!memory.failures.has(key)) return memory;
  const failures = new Map(memory.failures);
  failures.delete(key);
  return { ...memory, failures };
}

/** The image of this container is there: its version need not wait for it. */
export function noteFetched(memory: Memory, key: string): Memory {
  return { ...memory, fetched: new Set(memory.fetched).add(key) };
}

/** Forgets what was fetched for other versions than these, which are still to begin. */
export function keepFetched(memory: Memory, versions: readonly DesiredPod[]): Memory {
  if (memory.fetched.size === 0) return memory;
  const keys = versions.flatMap(({ uid, containerHashes }) =>
    [...containerHashes].map(([name, hash]) => crashKey(uid, name, hash)),
  );
  return { ...memory, fetched: new Set(keys.filter(key => memory.fetched.has(key))) };
}

/** Everything of these pods that waits for its time may be tried at once; how often it failed is forgotten. */
export function retryNow(memory: Memory, uids: ReadonlySet<string>): Memory {
  const isMeant = (key: string) => uids.has(key.slice(0, key.indexOf('/')));
  const crashes = [...memory.crashes].map(([key, crash]): [string, Crash] => [
    key,
    isMeant(key) ? { ...crash, delayMs: 0 } : crash,
  ]);
  const failures = [...memory.failures].filter(([key]) => !isMeant(key));
  return { ...memory, crashes: new Map(crashes), failures: new Map(failures) };
}

/** ConfigMaps or Secrets came or changed: containers that could not be made may lack them no more. */
export function retryConfig(memory: Memory): Memory {
  const isMeant = ({ reason }: Failure) => reason === 'CreateContainerConfigError';
  const failures = [...memory.failures].filter(([, failure]) => !isMeant(failure));
  if (failures.length === memory.failures.size) return memory;
  return { ...memory, failures: new Map(failures) };
}

/** Drops what is remembered of pods that are neither wanted nor there. */
export function forget(memory: Memory, known: ReadonlySet<string>): Memory {
  const keep = <T>(map: ReadonlyMap<string, T>) =>
    new Map([...map].filter(([key]) => known.has(key.slice(0, key.indexOf('/')))));
  return { ...memory, crashes: keep(memory.crashes), failures: keep(memory.failures) };
}

/** A duration as Go prints it: `10s`, `1m20s`, `5m0s`. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
