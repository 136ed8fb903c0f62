/** Readings of what the engine has, and of what is shown of it, that the loop needs. Pure. */
import type { PodReport } from '../ports.js';
import { isAlive } from './plan-views.js';
import type { EngineId, ObservedPods, PodIdentity } from '../runtime/runtime.js';

/** All but these. */
export function without(observed: ObservedPods, ids: ReadonlySet<EngineId>): ObservedPods {
  if (ids.size === 0) return observed;
  return {
    sandboxes: observed.sandboxes.filter(({ id }) => !ids.has(id)),
    containers: observed.containers.filter(({ id }) => !ids.has(id)),
  };
}

/** True while a sandbox or container of this pod runs. */
export function isRunning({ sandboxes, containers }: ObservedPods, uid: string): boolean {
  return (
    sandboxes.some(one => one.pod.uid === uid && one.ready) ||
    containers.some(one => one.pod.uid === uid && isAlive(one))
  );
}

/** By uid: `status.startTime`, milliseconds since 1970. */
export function startTimes(reports: readonly PodReport[]): ReadonlyMap<string, number> {
  const times = reports.map(({ pod }): [string, number] => [
    pod.metadata?.uid ?? '',
    Date.parse(pod.status?.startTime ?? ''),
  ]);
  return new Map(times.filter(([, time]) => !Number.isNaN(time)));
}

/** By uid: whose the sandboxes and containers are. */
export function identitiesOf({
  sandboxes,
  containers,
}: ObservedPods): ReadonlyMap<string, PodIdentity> {
  return new Map([...sandboxes, ...containers].map(({ pod }) => [pod.uid, pod]));
}
