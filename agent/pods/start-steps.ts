/** The steps that bring one container of a pod from what it is to what it should be, in a sandbox that stays or is made. Pure. */
import { crashKey } from './back-off.js';
import type { DesiredPod } from './desired.js';
import {
  gracePeriod,
  isAlive,
  type ContainerView,
  type Instances,
  type PodContext,
  type Verdict,
} from './plan-views.js';
import type { EngineId } from '../runtime/runtime.js';
import type { Step } from './steps.js';
import { stopContainers } from './stop-order.js';

export function pull(
  { uid }: DesiredPod,
  view: ContainerView,
  why: { readonly reason: string; readonly isAhead: boolean },
): Step {
  return { do: 'pullImage', uid, container: view.name, image: view.image, ...why };
}

/**
 * Pull and create, so that only stop and start remain to be done. An image that was fetched for this version before is
 * not asked for again.
 */
export function create(
  { pod, memory }: Pick<PodContext, 'pod' | 'memory'>,
  view: ContainerView,
  at: { readonly sandboxId: EngineId | null; readonly reason: string },
): Step[] {
  const { uid } = pod;
  const { name: container, nextAttempt: attempt, round } = view;
  const key = crashKey(uid, container, view.hash);
  return [
    pull(pod, view, { reason: at.reason, isAhead: memory.fetched.has(key) }),
    { do: 'createContainer', uid, container, attempt, round, ...at },
  ];
}

interface Place {
  readonly context: PodContext;
  readonly there: Instances;
  readonly sandboxId: EngineId | null;
}

/** What the verdict asks for; nothing for a container that is kept, done or waits. */
export function stepsFor(view: ContainerView, verdict: Verdict, place: Place): Step[] {
  const { context, there, sandboxId } = place;
  const { pod } = context;
  const { uid } = pod;
  const podGrace = gracePeriod(pod.pod.spec.terminationGracePeriodSeconds);
  const alive = view.instances.filter(isAlive);
  switch (verdict.is) {
    case 'kept':
    case 'done':
    case 'waiting':
      return [];
    case 'kill': {
      const { reason } = verdict;
      const graceSeconds = verdict.graceSeconds ?? podGrace;
      return stopContainers(alive, { uid, graceSeconds, there, reason });
    }
    case 'start':
    case 'replace': {
      const { reason } = verdict;
      const id = verdict.is === 'start' ? verdict.id : null;
      return [
        ...(verdict.is === 'start' ? [] : create(context, view, { sandboxId, reason })),
        ...stopContainers(alive, { uid, graceSeconds: podGrace, there, reason }),
        { do: 'startContainer', uid, container: view.name, id, reason },
      ];
    }
  }
}
