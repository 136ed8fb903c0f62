/**
 * Pods that start after others: the annotation `flotilla.dev/start-after`.
 *
 * Holds back the first start of a pod, and its start after the node itself was started; never a restart. A pod in a
 * circle of such pods is refused, because it could never begin. What users of static pods ask for (P20). Pure.
 */
import { rejected, waiting, type Gate, type GateContext } from './gate.js';
import { CONFIG_SEEN, type DesiredPod } from '../pods/desired.js';
import { podFullName } from '../../protocol/pod-identity.js';
import {
  START_AFTER_PATH,
  startAfterOf,
  type PodReference,
} from '../../protocol/pod-start-after.js';

export const WAITING_FOR = 'WaitingFor';

function shown({ namespace, name }: PodReference): string {
  return `${namespace}/${name}`;
}

interface Known {
  readonly find: (reference: PodReference) => DesiredPod | null;
}

function knownPods({ desired, node }: GateContext): Known {
  const byKey = new Map(desired.pods.map(pod => [pod.key, pod]));
  return {
    find: ({ namespace, name }) =>
      byKey.get(`${namespace}/${podFullName(name, node.name)}`) ?? null,
  };
}

/** The way from the pod back to itself; null when there is none. */
function circleOf(pod: DesiredPod, known: Known): string[] | null {
  const visited = new Set<string>();
  const walk = (from: DesiredPod): string[] | null => {
    for (const reference of startAfterOf(from.pod).pods) {
      const next = known.find(reference);
      if (next === null) continue;
      if (next.key === pod.key) return [shown(reference)];
      if (visited.has(next.key)) continue;
      visited.add(next.key);
      const rest = walk(next);
      if (rest !== null) return [shown(reference), ...rest];
    }
    return null;
  };
  const way = walk(pod);
  const own = way?.at(-1);
  return way === null || own === undefined ? null : [own, ...way];
}

/** Why the pod is still waited for; null when it is ready, or done. */
function lacking(reference: PodReference, known: Known, context: GateContext): string | null {
  const other = known.find(reference);
  if (other === null) return `pod ${shown(reference)}, which no manifest describes`;
  const status = context.reports.find(({ pod }) => pod.metadata?.uid === other.uid)?.pod.status;
  const isReady = status?.conditions?.some(
    ({ type, status: value }) => type === 'Ready' && value === 'True',
  );
  if (isReady === true || status?.phase === 'Succeeded') return null;
  const why = status?.reason === undefined ? '' : `, ${status.reason}`;
  return `pod ${shown(reference)}, which is not ready (${status?.phase ?? 'Pending'}${why})`;
}

/** From when the pod was first seen by this run of the agent; null without a time-out. */
function deadline({ pod }: DesiredPod, timeoutMs: number | null, now: number): number | null {
  if (timeoutMs === null) return null;
  const seen = Date.parse(pod.metadata.annotations?.[CONFIG_SEEN] ?? '');
  return (Number.isNaN(seen) ? now : seen) + timeoutMs;
}

export const startAfterGate: Gate = (pod, context) => {
  const { pods, timeoutMs } = startAfterOf(pod.pod);
  if (pods.length === 0) return null;
  const known = knownPods(context);
  const circle = circleOf(pod, known);
  if (circle !== null) {
    const message = `${START_AFTER_PATH}: pods wait for each other: ${circle.join(' -> ')}`;
    return rejected('StartAfterCycle', message);
  }
  const until = deadline(pod, timeoutMs, context.now);
  if (until !== null && until <= context.now) return null;
  const missing = pods.flatMap(reference => lacking(reference, known, context) ?? []);
  if (missing.length === 0) return null;
  const message = `${START_AFTER_PATH}: waits for ${missing.join('; ')}`;
  const limit = until === null ? '' : `; starts at ${new Date(until).toISOString()} in any case`;
  return waiting(WAITING_FOR, message + limit, until);
};
