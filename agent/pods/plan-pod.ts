/**
 * The steps for one pod whose name is free: its sandbox, its init containers, its app containers, its end. The kubelet's
 * `computePodActions`; behaviour rows 76 to 80, 83 to 89, 115 to 122, 189. Pure.
 */
import { failureKey, type FailureKind } from './back-off.js';
import { deadlineOf, type Completion } from './completion.js';
import { planInit } from './plan-init.js';
import { collect, stopSandboxes } from './plan-teardown.js';
import {
  earliest,
  endingGrace,
  gracePeriod,
  initViewsOf,
  isAlive,
  judge,
  judgeSandbox,
  NO_INSTANCES,
  runsAgain,
  viewsOf,
  type Instances,
  type PodContext,
  type Verdict,
} from './plan-views.js';
import { create, pull, stepsFor } from './start-steps.js';
import { stopContainers } from './stop-order.js';
import type { ObservedSandbox } from '../runtime/runtime.js';
import type { Step } from './steps.js';

export interface PodPlanContext extends PodContext {
  /** Null: it has not ended. */
  readonly completion: Completion | null;
  /** Its volumes are still there. */
  readonly hasVolumes: boolean;
}

export interface Actions {
  readonly steps: readonly Step[];
  readonly sandbox: ObservedSandbox | null;
  readonly againAt: number | null;
}

/** The latest time that one of these failures holds the pod back; null when none does. */
function heldBy(context: PodContext, kinds: readonly FailureKind[]): number | null {
  const { pod, memory, now } = context;
  const times = kinds.map(kind => memory.failures.get(failureKey(kind, pod.uid))?.retryAt ?? 0);
  const latest = Math.max(0, ...times);
  return latest > now ? latest : null;
}

function waitsOf(verdicts: readonly Verdict[]): (number | null)[] {
  return verdicts.map(verdict => (verdict.is === 'waiting' ? verdict.until : null));
}

/** Whatever is alive, sidecars last, then the sandbox. */
function endAll(
  there: Instances,
  uid: string,
  { reason, graceSeconds }: { readonly reason: string; readonly graceSeconds: number },
): Step[] {
  return [
    ...stopContainers(there.containers.filter(isAlive), { uid, graceSeconds, there, reason }),
    ...stopSandboxes(uid, there, reason),
  ];
}

function podGrace({ pod }: PodContext): number | undefined {
  return pod.pod.spec.terminationGracePeriodSeconds;
}

/** The pod has ended, or has to. */
function end(there: Instances, context: PodContext, reason: string): Step[] {
  const graceSeconds = endingGrace(podGrace(context), context.graceLimit);
  return endAll(there, context.pod.uid, { reason, graceSeconds });
}

/** Row 132: what has ended for good needs its volumes no more, least of all in memory. */
function endOfVolumes({ pod, completion, hasVolumes }: PodPlanContext): Step[] {
  if (completion === null || !hasVolumes) return [];
  return [{ do: 'removeVolumes', uid: pod.uid, reason: 'the pod has ended' }];
}

/** Images of containers whose turn comes later are fetched beside the first ones, as far as nothing holds them up. */
function pullAhead(context: PodContext, started: readonly Step[], reason: string): Step[] {
  const { pod, memory, now } = context;
  const pulled = new Set(started.flatMap(step => (step.do === 'pullImage' ? [step.image] : [])));
  const views = [initViewsOf, viewsOf].flatMap(all => all(pod, NO_INSTANCES, null));
  return views.flatMap(view => {
    const failure = memory.failures.get(failureKey('image', pod.uid, view.image));
    if (pulled.has(view.image) || (failure?.retryAt ?? 0) > now) return [];
    pulled.add(view.image);
    return [pull(pod, view, { reason, isAhead: true })];
  });
}

/** The sandbox cannot stay: everything in it ends, a new one is made for what is to run again (row 77). */
function rebuild(
  there: Instances,
  next: { readonly attempt: number; readonly reason: string },
  context: PodContext,
): Actions {
  const { pod } = context;
  const { uid } = pod;
  const { reason } = next;
  const graceSeconds = gracePeriod(podGrace(context));
  const stops = endAll(there, uid, { reason, graceSeconds });
  const again = runsAgain(context, there);
  if (again.length === 0) return { steps: stops, sandbox: null, againAt: null };
  const held = heldBy(context, ['sandbox', 'volumes']);
  if (held !== null) return { steps: stops, sandbox: null, againAt: held };
  const init = planInit(null, there, context);
  const verdicts = again.map(view => judge(view, null, context));
  const isDue = (verdict: Verdict | undefined) =>
    verdict?.is === 'start' || verdict?.is === 'replace';
  const due = init.isDone ? again.filter((_, index) => isDue(verdicts[index])) : [];
  // The instances of the old sandbox are ended above.
  const starts: Step[] = [
    ...init.steps.filter(step => step.do !== 'stopContainer' && step.do !== 'runPreStop'),
    ...due.flatMap(view => create(context, view, { sandboxId: null, reason })),
    ...due.map(({ name: container }): Step => {
      return { do: 'startContainer', uid, container, id: null, reason };
    }),
  ];
  const steps: Step[] = [
    ...stops,
    { do: 'prepareVolumes', uid, reason },
    { do: 'runSandbox', uid, ...next },
    ...starts,
    ...(init.isDone ? [] : pullAhead(context, starts, reason)),
  ];
  const waits = init.isDone ? waitsOf(verdicts) : [init.againAt];
  return { steps, sandbox: null, againAt: earliest(...waits) };
}

/** The sandbox stays: each container for itself (row 76). */
function maintain(sandbox: ObservedSandbox, there: Instances, context: PodContext): Actions {
  const { pod } = context;
  const { uid } = pod;
  const views = viewsOf(pod, there, sandbox.id);
  const outdated = [...initViewsOf(pod, there, sandbox.id), ...views]
    .filter(({ isOutdated }) => isOutdated)
    .flatMap(({ instances }) => instances.filter(isAlive));
  if (outdated.length > 0) {
    // Row 89: all end before the first begins again.
    const reason = 'all containers of the pod are to be restarted';
    const ending = { uid, graceSeconds: gracePeriod(podGrace(context)), there, reason };
    return { steps: stopContainers(outdated, ending), sandbox, againAt: null };
  }
  const init = planInit(sandbox.id, there, context);
  if (init.hasFailed) {
    return { steps: end(there, context, 'an init container failed'), sandbox, againAt: null };
  }
  const verdicts = init.isDone ? views.map(view => judge(view, sandbox.id, context)) : [];
  if (init.isDone && verdicts.every(verdict => verdict.is === 'done')) {
    const steps = end(there, context, 'all containers of the pod have ended');
    return { steps, sandbox, againAt: null };
  }
  const place = { context, there, sandboxId: sandbox.id };
  const apps = verdicts.flatMap((verdict, index) => {
    const view = views[index];
    return view === undefined ? [] : stepsFor(view, verdict, place);
  });
  const againAt = earliest(init.againAt, ...waitsOf(verdicts));
  const steps = [...init.steps, ...apps];
  const starting = new Set(
    steps.flatMap(step => (step.do === 'startContainer' ? [step.container] : [])),
  );
  if (starting.size === 0) return { steps, sandbox, againAt };
  const held = heldBy(context, ['volumes']);
  if (held !== null) {
    const others = steps.filter(step => !('container' in step) || !starting.has(step.container));
    return { steps: others, sandbox, againAt: earliest(held, againAt) };
  }
  const reason = 'a container is to be started';
  return { steps: [{ do: 'prepareVolumes', uid, reason }, ...steps], sandbox, againAt };
}

/** Null while the pod may go on. */
function whyEnded(there: Instances, context: PodPlanContext): string | null {
  const { now, completion } = context;
  if (completion !== null) return completion.reason || 'the pod has ended';
  const deadline = deadlineOf(context, there);
  return deadline !== null && now >= deadline ? 'DeadlineExceeded' : null;
}

export function planPod(there: Instances, context: PodPlanContext): Actions {
  const sandbox = judgeSandbox(context.pod, there);
  const ended = whyEnded(there, context);
  const actions =
    ended !== null
      ? {
          steps: [...end(there, context, ended), ...endOfVolumes(context)],
          sandbox: 'keep' in sandbox ? sandbox.keep : null,
          againAt: null,
        }
      : 'keep' in sandbox
        ? maintain(sandbox.keep, there, context)
        : rebuild(there, sandbox, context);
  const garbage = collect(there, actions.sandbox?.id ?? null, {
    ...context,
    starting: actions.steps,
  });
  return {
    steps: [...actions.steps, ...garbage.steps],
    sandbox: actions.sandbox,
    againAt: earliest(
      actions.againAt,
      garbage.againAt,
      ended === null ? deadlineOf(context, there) : null,
    ),
  };
}
