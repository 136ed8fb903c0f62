/**
 * When a pod has ended for good, and as what: its app containers by the restart policy, a failed init container under
 * Never, its deadline. Kubelet behaviour rows 117, 121, 122, 189, 192; that it is remembered although the engine forgets
 * is better than the kubelet (P17). Pure.
 */
import { CONFIG_HASH, CONFIG_SEEN, type DesiredPod } from './desired.js';
import { DEADLINE_MESSAGE } from './pod-events.js';
import { initViewsOf, isOver, viewsOf, type Instances, type PodContext } from './plan-views.js';

export interface Completion {
  readonly uid: string;
  /** `kubernetes.io/config.hash` of the document that ended. */
  readonly configHash: string;
  readonly phase: 'Succeeded' | 'Failed';
  /** Empty, `DeadlineExceeded` or `Evicted`. */
  readonly reason: string;
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly finishedAt: number;
}

/** By uid. */
export type Completions = ReadonlyMap<string, Completion>;

/** What is remembered of this pod as it is written now; null when it has not ended. */
export function rememberedCompletion(completions: Completions, pod: DesiredPod): Completion | null {
  const found = completions.get(pod.uid);
  const hash = pod.pod.metadata.annotations?.[CONFIG_HASH];
  return found?.configHash === hash ? (found ?? null) : null;
}

/** When the pod began: as its status says, else by the oldest thing of it on the engine, else when it was first seen. */
function beganAt(
  { pod, startedAt }: Pick<PodContext, 'pod' | 'startedAt'>,
  { sandboxes, containers }: Instances,
): number | null {
  if (startedAt !== null) return startedAt;
  const made = [...sandboxes, ...containers].map(one => one.createdAt.getTime());
  if (made.length > 0) return Math.min(...made);
  const seen = Date.parse(pod.pod.metadata.annotations?.[CONFIG_SEEN] ?? '');
  return Number.isNaN(seen) ? null : seen;
}

/** Row 189: milliseconds since 1970; null without a deadline. */
export function deadlineOf(
  context: Pick<PodContext, 'pod' | 'startedAt'>,
  there: Instances,
): number | null {
  const seconds = context.pod.pod.spec.activeDeadlineSeconds;
  const from = beganAt(context, there);
  return seconds === undefined || from === null ? null : from + seconds * 1000;
}

/** Null while anything of it is to run. */
export function completionOf(
  context: Pick<PodContext, 'pod' | 'memory' | 'startedAt' | 'now'>,
  there: Instances,
): Completion | null {
  const { pod, now } = context;
  const base = { uid: pod.uid, configHash: pod.pod.metadata.annotations?.[CONFIG_HASH] ?? '' };
  const views = viewsOf(pod, there, null);
  if (views.every(view => isOver(context, view))) {
    const last = views.flatMap(({ instances: [newest] }) => newest ?? []);
    const phase = last.every(one => one.exitCode === 0) ? 'Succeeded' : 'Failed';
    const finishedAt = Math.max(0, ...last.map(one => one.finishedAt?.getTime() ?? now));
    return { ...base, phase, reason: '', message: '', finishedAt };
  }
  const hasNoApp = views.every(({ instances }) => instances.length === 0);
  const failed = initViewsOf(pod, there, null).find(
    view => isOver(context, view) && view.instances[0]?.exitCode !== 0,
  );
  if (hasNoApp && failed !== undefined) {
    const finishedAt = failed.instances[0]?.finishedAt?.getTime() ?? now;
    return { ...base, phase: 'Failed', reason: '', message: '', finishedAt };
  }
  const deadline = deadlineOf(context, there);
  if (deadline === null || now < deadline) return null;
  const why = { reason: 'DeadlineExceeded', message: DEADLINE_MESSAGE };
  return { ...base, phase: 'Failed', ...why, finishedAt: now };
}
