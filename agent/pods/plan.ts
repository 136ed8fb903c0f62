/**
 * From what is wanted and what is there to the steps between them: the kubelet's `computePodActions` over all
 * pods, as a pure function.
 *
 * Equal input gives equal output; planning again after the steps were taken gives none. Never sees the engine's
 * types, never reads the time, never logs. Nothing is ended for being unwanted while a source has not spoken.
 * Kubelet behaviour rows 64, 72, 74, 76 to 80, 83 to 87.
 */
import { failureKey, podBackOffMax, type FailureKind, type Memory } from './back-off.js';
import {
  deadlineOf,
  rememberedCompletion,
  type Completion,
  type Completions,
} from './completion.js';
import type { Desired, DesiredPod } from './desired.js';
import type { Health } from './health.js';
import { planInit } from './plan-init.js';
import { collect, retire, stopSandboxes } from './plan-teardown.js';
import {
  earliest,
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
import type { ObservedContainer, ObservedPods, ObservedSandbox } from '../runtime/runtime.js';
import { describeStep, type Step } from './steps.js';

export interface PlanInput {
  readonly desired: Desired;
  readonly observed: ObservedPods;
  readonly memory: Memory;
  readonly health: Health;
  readonly completions: Completions;
  /** The longest wait between two restarts on this node (row 88). */
  readonly backOffMaxMs: number;
  /** Uids that have a data directory on this node. */
  readonly podData: ReadonlySet<string>;
  readonly now: number;
}

/** The steps for one pod name, in order; `waitFor` says which of them may go on at once. */
export interface PodPlan {
  /** The pod's key, or `data/<uid>` for what a pod left behind. */
  readonly key: string;
  readonly desired: DesiredPod | null;
  /** The sandbox that stays; null when there is none. */
  readonly sandbox: ObservedSandbox | null;
  readonly steps: readonly Step[];
  /** When to plan again although nothing happens, milliseconds since 1970. */
  readonly againAt: number | null;
}

interface PodPlanContext extends PodContext {
  /** Null: it has not ended. */
  readonly completion: Completion | null;
}

interface Actions {
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

/** What ends of itself, or has to: sidecars and whatever else is alive, then the sandbox. */
function end(there: Instances, pod: DesiredPod, reason: string): Step[] {
  const { uid } = pod;
  const graceSeconds = gracePeriod(pod.pod.spec.terminationGracePeriodSeconds);
  return [
    ...stopContainers(there.containers.filter(isAlive), { uid, graceSeconds, there, reason }),
    ...stopSandboxes(uid, there, reason),
  ];
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
  const stops = end(there, pod, reason);
  const again = runsAgain(pod, there);
  if (again.length === 0) return { steps: stops, sandbox: null, againAt: null };
  const held = heldBy(context, ['sandbox', 'volumes']);
  if (held !== null) return { steps: stops, sandbox: null, againAt: held };
  const init = planInit(null, there, context);
  const verdicts = again.map(view => judge(view, null, context));
  const due = init.isDone ? again.filter((_, index) => verdicts[index]?.is !== 'waiting') : [];
  const steps: Step[] = [
    ...stops,
    { do: 'prepareVolumes', uid, reason },
    { do: 'runSandbox', uid, ...next },
    // The instances of the old sandbox are ended above.
    ...init.steps.filter(step => step.do !== 'stopContainer' && step.do !== 'runPreStop'),
    ...due.flatMap(view => create(pod, view, { sandboxId: null, reason })),
    ...due.map(({ name: container }): Step => {
      return { do: 'startContainer', uid, container, id: null, reason };
    }),
  ];
  const waits = init.isDone ? waitsOf(verdicts) : [init.againAt];
  return { steps, sandbox: null, againAt: earliest(...waits) };
}

/** The sandbox stays: each container for itself (row 76). */
function maintain(sandbox: ObservedSandbox, there: Instances, context: PodContext): Actions {
  const { pod } = context;
  const { uid } = pod;
  const init = planInit(sandbox.id, there, context);
  if (init.hasFailed) {
    return { steps: end(there, pod, 'an init container failed'), sandbox, againAt: null };
  }
  const views = viewsOf(pod, there, sandbox.id);
  const verdicts = views.map(view => judge(view, sandbox.id, context));
  if (init.isDone && verdicts.every(verdict => verdict.is === 'done')) {
    const steps = end(there, pod, 'all containers of the pod have ended');
    return { steps, sandbox, againAt: null };
  }
  const place = { pod, there, sandboxId: sandbox.id };
  const apps = init.isDone
    ? views.flatMap((view, index) => {
        const verdict = verdicts[index];
        return verdict === undefined ? [] : stepsFor(view, verdict, place);
      })
    : [];
  const waits = init.isDone ? waitsOf(verdicts) : [];
  const againAt = earliest(init.againAt, ...waits);
  const steps = [...init.steps, ...apps];
  if (!steps.some(step => step.do === 'startContainer')) return { steps, sandbox, againAt };
  const held = heldBy(context, ['volumes']);
  if (held !== null) return { steps: [], sandbox, againAt: earliest(held, againAt) };
  const reason = 'a container is to be started';
  return { steps: [{ do: 'prepareVolumes', uid, reason }, ...steps], sandbox, againAt };
}

/** Null while the pod may go on. */
function whyEnded(there: Instances, { pod, now, completion }: PodPlanContext): string | null {
  if (completion !== null) return completion.reason || 'the pod has ended';
  const deadline = deadlineOf(pod, there);
  return deadline !== null && now >= deadline ? 'DeadlineExceeded' : null;
}

function planPod(there: Instances, context: PodPlanContext): Actions {
  const sandbox = judgeSandbox(context.pod, there);
  const ended = whyEnded(there, context);
  const actions =
    ended !== null
      ? {
          steps: end(there, context.pod, ended),
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
      ended === null ? deadlineOf(context.pod, there) : null,
    ),
  };
}

/**
 * Row 64: the pod that had the name ends fully before the next begins. Its images are fetched before that, and
 * while they cannot be had it goes on.
 */
function planReplacement(retiring: readonly Step[], context: PodPlanContext): Actions {
  const { pod, memory, now } = context;
  const next = planPod(NO_INSTANCES, context);
  const views = [initViewsOf, viewsOf].flatMap(all => all(pod, NO_INSTANCES, null));
  const times = views.map(
    view => memory.failures.get(failureKey('image', pod.uid, view.image))?.retryAt ?? 0,
  );
  const heldUntil = Math.max(0, ...times);
  if (heldUntil > now && retiring.some(step => step.do === 'stopContainer')) {
    return { steps: [], sandbox: null, againAt: heldUntil };
  }
  const rest = next.steps.filter(step => step.do !== 'pullImage');
  const pulls =
    rest.length === 0 ? [] : views.map(view => pull(pod, view, 'a new pod takes the place'));
  const steps = [...pulls, ...retiring, ...rest];
  return { steps, sandbox: null, againAt: next.againAt };
}

interface Gathering {
  readonly sandboxes: ObservedSandbox[];
  readonly containers: ObservedContainer[];
}

interface Group {
  desired: DesiredPod | null;
  readonly byUid: Map<string, Gathering>;
}

function groupByKey({ desired, observed }: PlanInput): Map<string, Group> {
  const groups = new Map<string, Group>();
  const groupOf = (key: string) => {
    const group: Group = groups.get(key) ?? { desired: null, byUid: new Map<string, Gathering>() };
    groups.set(key, group);
    return group;
  };
  const instancesOf = ({ pod }: ObservedSandbox | ObservedContainer) => {
    const { byUid } = groupOf(`${pod.namespace}/${pod.name}`);
    const instances: Gathering = byUid.get(pod.uid) ?? { sandboxes: [], containers: [] };
    byUid.set(pod.uid, instances);
    return instances;
  };
  for (const pod of desired.pods) groupOf(pod.key).desired = pod;
  for (const sandbox of observed.sandboxes) instancesOf(sandbox).sandboxes.push(sandbox);
  for (const container of observed.containers) instancesOf(container).containers.push(container);
  return groups;
}

function sorted<T>(entries: Iterable<[string, T]>): [string, T][] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** A pod that no source names is unwanted once the source that it came from has spoken. */
function isKnownUnwanted({ sandboxes }: Instances, { complete, spoken }: Desired): boolean {
  return complete || (sandboxes.length > 0 && sandboxes.every(({ source }) => spoken.has(source)));
}

function planKey(group: Group, input: PlanInput, wantedUids: ReadonlySet<string>): Actions {
  const { memory, now } = input;
  const pod = group.desired;
  const others = sorted(group.byUid).filter(([uid]) => uid !== pod?.uid);
  const reason = pod === null ? 'no source wants it' : 'the manifest makes another pod of it';
  const uids = [...others.map(([uid]) => uid), ...(pod === null ? [] : [pod.uid])];
  const held = uids.map(uid => memory.failures.get(failureKey('stop', uid))?.retryAt ?? 0);
  const heldUntil = Math.max(0, ...held);
  if (heldUntil > now) return { steps: [], sandbox: null, againAt: heldUntil };
  const retiring = others.flatMap(([uid, there]) =>
    retire(uid, there, { reason, keepData: wantedUids.has(uid) }),
  );
  if (pod === null) {
    const isUnwanted = others.every(([, there]) => isKnownUnwanted(there, input.desired));
    return { steps: isUnwanted ? retiring : [], sandbox: null, againAt: null };
  }
  const { health, completions } = input;
  const completion = rememberedCompletion(completions, pod);
  const backOffMaxMs = podBackOffMax(pod, input.backOffMaxMs);
  const context: PodPlanContext = { pod, memory, health, backOffMaxMs, completion, now };
  const there = group.byUid.get(pod.uid);
  const hasBegun =
    there !== undefined &&
    (there.sandboxes.some(one => one.ready) || there.containers.some(isAlive));
  if (pod.rejection !== null && !hasBegun) {
    // What runs under the name goes on until its successor may begin.
    return { steps: [], sandbox: null, againAt: pod.rejection.againAt };
  }
  if (retiring.length > 0 && there === undefined) return planReplacement(retiring, context);
  const actions = planPod(there ?? NO_INSTANCES, context);
  return { ...actions, steps: [...retiring, ...actions.steps] };
}

/** The steps by pod name, sorted by it; only pods with steps or with a time to plan again. */
export function plan(input: PlanInput): readonly PodPlan[] {
  const groups = groupByKey(input);
  const wantedUids = new Set(input.desired.pods.map(pod => pod.uid));
  const plans: PodPlan[] = [];
  for (const [key, group] of sorted(groups)) {
    const actions = planKey(group, input, wantedUids);
    if (actions.steps.length === 0 && actions.againAt === null) continue;
    plans.push({ key, desired: group.desired, ...actions });
  }
  if (!input.desired.complete) return plans;
  const known = new Set([
    ...wantedUids,
    ...[...groups.values()].flatMap(group => [...group.byUid.keys()]),
  ]);
  for (const uid of [...input.podData].filter(one => !known.has(one)).sort()) {
    const retryAt = input.memory.failures.get(failureKey('stop', uid))?.retryAt ?? 0;
    const againAt = retryAt > input.now ? retryAt : null;
    const step: Step = { do: 'removePodData', uid, reason: 'no pod has this uid' };
    const steps = againAt === null ? [step] : [];
    plans.push({ key: `data/${uid}`, desired: null, sandbox: null, steps, againAt });
  }
  return plans;
}

/** For people: what is being done, what is to be done, what waits for its time. */
export function planText(plans: readonly PodPlan[], inProgress: readonly PodPlan[]): string {
  const busy = new Set(inProgress.map(({ key }) => key));
  const steps = (podPlan: PodPlan) => podPlan.steps.map(step => `  ${describeStep(step)}`);
  const lines = [
    ...inProgress.flatMap(podPlan => [`${podPlan.key}: in progress`, ...steps(podPlan)]),
    ...plans
      .filter(({ key }) => !busy.has(key))
      .flatMap(podPlan => {
        const { key, againAt } = podPlan;
        const when = againAt === null ? '' : `, again at ${new Date(againAt).toISOString()}`;
        return [`${key}: ${podPlan.steps.length} steps${when}`, ...steps(podPlan)];
      }),
  ];
  return lines.length === 0 ? 'nothing to do' : lines.join('\n');
}
