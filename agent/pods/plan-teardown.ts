/**
 * The steps that end a whole pod, and those that clear away what a living pod no longer needs.
 * Kubelet behaviour rows 68 to 70, 72, 202. Pure.
 */
import { newestFirst } from './back-off.js';
import {
  earliest,
  endingGrace,
  gracePeriod,
  initViewsOf,
  isAlive,
  viewsOf,
  type ContainerView,
  type Instances,
  type PodContext,
} from './plan-views.js';
import type { EngineId, ObservedContainer } from '../runtime/runtime.js';
import type { Step } from './steps.js';
import { stopContainers } from './stop-order.js';

/** The sandbox's process has nothing to finish (row 70). */
const SANDBOX_GRACE_S = 10;
/** An older dead container stays this long, so that the gap between two runs can still be read (row 202). */
const DEAD_CONTAINER_AGE_MS = 60_000;

export function stopSandboxes(uid: string, there: Instances, reason: string): Step[] {
  return newestFirst(there.sandboxes)
    .filter(one => one.ready)
    .map(({ id }) => ({ do: 'stopSandbox', uid, id, graceSeconds: SANDBOX_GRACE_S, reason }));
}

/** All steps that end a pod of which nothing is to stay; `keepData` when another name has taken its uid. */
export function retire(
  uid: string,
  there: Instances,
  why: {
    readonly reason: string;
    readonly keepData: boolean;
    /** Seconds that the end may take at most; null = what the engine says of the pod. */
    readonly graceLimit: number | null;
  },
): Step[] {
  const { reason, graceLimit } = why;
  const sandboxes = newestFirst(there.sandboxes);
  const containers = newestFirst(there.containers);
  const kept = containers.find(one => one.graceSeconds !== null)?.graceSeconds ?? undefined;
  const podGrace = sandboxes[0]?.terminationGracePeriodSeconds ?? kept;
  const graceSeconds = endingGrace(podGrace, graceLimit);
  return [
    ...stopContainers(containers.filter(isAlive), { uid, graceSeconds, there, reason }),
    ...stopSandboxes(uid, there, reason),
    ...containers.map(({ name: container, id }): Step => {
      return { do: 'removeContainer', uid, container, id, reason };
    }),
    ...sandboxes.map(({ id }): Step => ({ do: 'removeSandbox', uid, id, reason })),
    ...(why.keepData ? [] : [{ do: 'removePodData', uid, reason } satisfies Step]),
  ];
}

interface Garbage {
  readonly stops: readonly ObservedContainer[];
  readonly removals: readonly ObservedContainer[];
  readonly againAt: number | null;
}

/** Keeps the newest dead container of a name: the last run, and where the restart count is read. */
function garbageOf(
  view: ContainerView,
  at: {
    readonly isStarting: boolean;
    readonly stopping: ReadonlySet<EngineId>;
    readonly now: number;
  },
): Garbage {
  const { isStarting, stopping, now } = at;
  const [newest, ...older] = view.instances;
  if (newest === undefined) return { stops: [], removals: view.stale, againAt: null };
  const stops = older.filter(isAlive);
  const dead = [
    ...(newest.state === 'exited' || stopping.has(newest.id) ? [newest] : []),
    ...older.filter(one => one.state !== 'created'),
  ];
  const [, ...surplus] = dead;
  const neverStarted = older.filter(one => one.state === 'created');
  const isWaiting = newest.state === 'exited' && !isStarting && stops.length === 0;
  const dueAt = (newest.finishedAt?.getTime() ?? 0) + DEAD_CONTAINER_AGE_MS;
  const isYoung = isWaiting && dueAt > now && dueAt <= now + DEAD_CONTAINER_AGE_MS;
  const removals = [...view.stale, ...neverStarted];
  if (!isYoung || surplus.length === 0) {
    return { stops, removals: [...removals, ...surplus], againAt: null };
  }
  return { stops, removals: [...removals, ...surplus.slice(1)], againAt: dueAt };
}

/**
 * What stands beside the steps that a living pod needs: containers that the manifest no longer has, dead ones
 * beyond the newest, empty old sandboxes.
 */
export function collect(
  there: Instances,
  sandboxId: EngineId | null,
  context: PodContext & { readonly starting: readonly Step[] },
): { readonly steps: readonly Step[]; readonly againAt: number | null } {
  const { pod, now, starting } = context;
  const { uid } = pod;
  const steps: Step[] = [];
  const gone = new Set<EngineId>();
  const stopping = new Set(
    starting.flatMap(step => (step.do === 'stopContainer' ? [step.id] : [])),
  );
  const graceSeconds = gracePeriod(pod.pod.spec.terminationGracePeriodSeconds);
  const stop = (one: ObservedContainer, reason: string) => {
    if (stopping.has(one.id)) return;
    steps.push(...stopContainers([one], { uid, graceSeconds, there, reason }));
  };
  const remove = ({ name: container, id }: ObservedContainer, reason: string) => {
    gone.add(id);
    steps.push({ do: 'removeContainer', uid, container, id, reason });
  };
  for (const one of newestFirst(there.containers)) {
    if (pod.containerHashes.has(one.name)) continue;
    const reason = 'the manifest no longer has it';
    if (isAlive(one)) stop(one, reason);
    remove(one, reason);
  }
  let againAt: number | null = null;
  const views = [...initViewsOf(pod, there, sandboxId), ...viewsOf(pod, there, sandboxId)];
  for (const view of views) {
    const isStarting = starting.some(
      step => step.do === 'startContainer' && step.container === view.name,
    );
    const garbage = garbageOf(view, { isStarting, stopping, now });
    for (const one of garbage.stops) stop(one, 'a newer one has taken its place');
    for (const one of garbage.removals) remove(one, 'it is of no more use');
    againAt = earliest(againAt, garbage.againAt);
  }
  const [newest, ...older] = newestFirst(there.sandboxes);
  const isReplaced = starting.some(
    step => step.do === 'runSandbox' && step.attempt !== newest?.attempt,
  );
  const replaced = newest !== undefined && isReplaced ? [newest, ...older] : older;
  for (const { id } of replaced) {
    if (there.containers.some(one => one.sandboxId === id && !gone.has(one.id))) continue;
    steps.push({ do: 'removeSandbox', uid, id, reason: 'a newer one has taken its place' });
  }
  return { steps, againAt };
}
