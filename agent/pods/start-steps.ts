/** The steps that bring one container of a pod from what it is to what it should be, in a sandbox that stays or is made. Pure. */
import type { DesiredPod } from './desired.js';
import {
  gracePeriod,
  isAlive,
  type ContainerView,
  type Instances,
  type Verdict,
} from './plan-views.js';
import type { EngineId } from '../runtime/runtime.js';
import type { Step } from './steps.js';
import { stopContainers } from './stop-order.js';

export function pull({ uid }: DesiredPod, view: ContainerView, reason: string): Step {
  return { do: 'pullImage', uid, container: view.name, image: view.image, reason };
}

/** Pull and create, so that only stop and start remain to be done. */
export function create(
  pod: DesiredPod,
  view: ContainerView,
  at: { readonly sandboxId: EngineId | null; readonly reason: string },
): Step[] {
  const { uid } = pod;
  const { name: container, nextAttempt: attempt } = view;
  return [pull(pod, view, at.reason), { do: 'createContainer', uid, container, attempt, ...at }];
}

interface Place {
  readonly pod: DesiredPod;
  readonly there: Instances;
  readonly sandboxId: EngineId | null;
}

/** What the verdict asks for; nothing for a container that is kept, done or waits. */
export function stepsFor(view: ContainerView, verdict: Verdict, place: Place): Step[] {
  const { pod, there, sandboxId } = place;
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
      const graceSeconds = gracePeriod(verdict.graceSeconds ?? podGrace);
      return stopContainers(alive, { uid, graceSeconds, there, reason });
    }
    case 'start':
    case 'replace': {
      const { reason } = verdict;
      const id = verdict.is === 'start' ? verdict.id : null;
      return [
        ...(verdict.is === 'start' ? [] : create(pod, view, { sandboxId, reason })),
        ...stopContainers(alive, { uid, graceSeconds: podGrace, there, reason }),
        { do: 'startContainer', uid, container: view.name, id, reason },
      ];
    }
  }
}
