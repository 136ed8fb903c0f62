/**
 * From what is wanted and what is there to the steps between them, over all pods, as a pure function: who has which
 * name, who gives it up and who takes it. What one pod needs stands in `plan-pod.ts`.
 *
 * Equal input gives equal output; planning again after the steps were taken gives none. Never sees the engine's
 * types, never reads the time, never logs. Nothing is ended for being unwanted while a source has not spoken.
 * Kubelet behaviour rows 64 to 68, 72, 74.
 */
import type { WaitingVersion } from './acting-wishes.js';
import { failureKey, podBackOffMax, type Memory } from './back-off.js';
import { rememberedCompletion, type Completions } from './completion.js';
import type { Desired, DesiredPod } from './desired.js';
import type { Health } from './health.js';
import { planPod, type Actions, type PodPlanContext } from './plan-pod.js';
import { retire } from './plan-teardown.js';
import { earliest, hasBegun, isAlive, NO_INSTANCES, type Instances } from './plan-views.js';
import type {
  EngineId,
  ObservedContainer,
  ObservedPods,
  ObservedSandbox,
} from '../runtime/runtime.js';
import { describeStep, type Step } from './steps.js';
import { allContainers } from '../../protocol/pod.js';

export interface PlanInput {
  /** What is acted on. */
  readonly desired: Desired;
  /** New versions that what is acted on stands in for; none when left out. */
  readonly waiting?: readonly WaitingVersion[];
  readonly observed: ObservedPods;
  readonly memory: Memory;
  readonly health: Health;
  readonly completions: Completions;
  /** The longest wait between two restarts on this node (row 88). */
  readonly backOffMaxMs: number;
  /** What has begun to be ended for good: it ends fully, even if its pod is wanted again (row 67). */
  readonly condemned: ReadonlySet<EngineId>;
  /** By uid: seconds that an end may take at most, where there is less time than the manifest gives. */
  readonly graceLimits: ReadonlyMap<string, number>;
  /** By uid: `status.startTime`, milliseconds since 1970, as far as there is a status. */
  readonly startedAt: ReadonlyMap<string, number>;
  /** Uids that have a data directory on this node. */
  readonly podData: ReadonlySet<string>;
  /** Uids of pods that have ended whose volumes are still there. */
  readonly podVolumes: ReadonlySet<string>;
  readonly now: number;
}

/** The steps for one pod name, in order; `waitFor` says which of them may go on at once. */
export interface PodPlan {
  /** The pod's key, `images/<key>` for a version that waits, or `data/<uid>` for what a pod left behind. */
  readonly key: string;
  readonly desired: DesiredPod | null;
  /** The sandbox that stays; null when there is none. */
  readonly sandbox: ObservedSandbox | null;
  readonly steps: readonly Step[];
  /** When to plan again although nothing happens, milliseconds since 1970. */
  readonly againAt: number | null;
  /** Images are fetched beforehand, and nothing else. */
  readonly isFetching: boolean;
}

/** Of the plan that fetches the images of a version that waits, while what it replaces goes on. */
export function fetchingKey({ key }: DesiredPod): string {
  return `images/${key}`;
}

function planFetching({ pod, images }: WaitingVersion, { memory, now }: PlanInput): PodPlan {
  const steps: Step[] = [];
  let againAt: number | null = null;
  for (const { container } of images) {
    const { name, image = '' } = container;
    const retryAt = memory.failures.get(failureKey('image', pod.uid, image))?.retryAt ?? 0;
    if (retryAt > now) {
      againAt = earliest(againAt, retryAt);
      continue;
    }
    const reason = 'the new version waits for it';
    const { uid } = pod;
    steps.push({ do: 'pullImage', uid, container: name, image, reason, isAhead: false });
  }
  return { key: fetchingKey(pod), desired: pod, sandbox: null, steps, againAt, isFetching: true };
}

/**
 * Row 64: the pod that had the name ends fully before the next begins. Its images are fetched before that, and
 * while they cannot be had it goes on.
 */
function planReplacement(retiring: readonly Step[], context: PodPlanContext): Actions {
  const { pod, memory, now } = context;
  const next = planPod(NO_INSTANCES, context);
  const images = allContainers(pod.pod).map(({ image = '' }) => image);
  const times = images.map(
    image => memory.failures.get(failureKey('image', pod.uid, image))?.retryAt ?? 0,
  );
  const heldUntil = Math.max(0, ...times);
  if (heldUntil > now && retiring.some(step => step.do === 'stopContainer')) {
    return { steps: [], sandbox: null, againAt: heldUntil };
  }
  const isPull = (step: Step) => step.do === 'pullImage';
  const rest = next.steps.filter(step => !isPull(step));
  const steps = [...next.steps.filter(isPull), ...retiring, ...rest];
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

/** What of a pod has begun to be ended for good, and the rest; null where there is none. */
function split(
  there: Instances | undefined,
  condemned: ReadonlySet<EngineId>,
): { readonly doomed: Instances | null; readonly living: Instances | null } {
  const part = (isDoomed: boolean): Instances | null => {
    const belongs = ({ id }: { id: EngineId }) => condemned.has(id) === isDoomed;
    const sandboxes = (there?.sandboxes ?? []).filter(belongs);
    const containers = (there?.containers ?? []).filter(belongs);
    return sandboxes.length + containers.length === 0 ? null : { sandboxes, containers };
  };
  return { doomed: part(true), living: part(false) };
}

function isDoomed(there: Instances, condemned: ReadonlySet<EngineId>): boolean {
  return [...there.sandboxes, ...there.containers].every(({ id }) => condemned.has(id));
}

/** Its containers run in a sandbox that is dead. */
function isStranded({ sandboxes, containers }: Instances): boolean {
  return sandboxes.every(({ ready }) => !ready) && containers.some(isAlive);
}

function contextOf(pod: DesiredPod, input: PlanInput): PodPlanContext {
  const { memory, health, completions, now } = input;
  return {
    pod,
    memory,
    health,
    backOffMaxMs: podBackOffMax(pod, input.backOffMaxMs),
    graceLimit: input.graceLimits.get(pod.uid) ?? null,
    startedAt: input.startedAt.get(pod.uid) ?? null,
    completion: rememberedCompletion(completions, pod),
    hasVolumes: input.podVolumes.has(pod.uid),
    now,
  };
}

function planKey(group: Group, input: PlanInput, wantedUids: ReadonlySet<string>): Actions {
  const { memory, now, graceLimits } = input;
  const pod = group.desired;
  const others = sorted(group.byUid).filter(([uid]) => uid !== pod?.uid);
  const reason = pod === null ? 'no source wants it' : 'the manifest makes another pod of it';
  const uids = [...others.map(([uid]) => uid), ...(pod === null ? [] : [pod.uid])];
  const held = uids.map(uid => memory.failures.get(failureKey('stop', uid))?.retryAt ?? 0);
  const heldUntil = Math.max(0, ...held);
  if (heldUntil > now) return { steps: [], sandbox: null, againAt: heldUntil };
  const retireAll = (which: typeof others) =>
    which.flatMap(([uid, there]) => {
      const graceLimit = graceLimits.get(uid) ?? null;
      return retire(uid, there, { reason, keepData: wantedUids.has(uid), graceLimit });
    });
  const retiring = retireAll(others);
  if (pod === null) {
    const isUnwanted = others.every(([, there]) => isKnownUnwanted(there, input.desired));
    return { steps: isUnwanted ? retiring : [], sandbox: null, againAt: null };
  }
  const context = contextOf(pod, input);
  const { doomed, living } = split(group.byUid.get(pod.uid), input.condemned);
  if (doomed !== null) {
    // Row 67: it ends fully, then begins again under the same uid.
    const why = { reason: 'it was removed meanwhile', keepData: living !== null };
    const ending = retire(pod.uid, doomed, { ...why, graceLimit: context.graceLimit });
    const next =
      pod.rejection !== null && living === null
        ? { steps: [], sandbox: null, againAt: pod.rejection.againAt }
        : planPod(living ?? { ...NO_INSTANCES, former: doomed }, context);
    return { ...next, steps: [...retiring, ...ending, ...next.steps] };
  }
  if (pod.rejection !== null && (living === null || !hasBegun(living))) {
    // What runs under the name goes on until its successor may begin; what has begun to end ends fully (row 67), and so
    // does what lost its sandbox and cannot be made again, for nobody remembers its manifest.
    const isOver = (there: Instances) => isDoomed(there, input.condemned) || isStranded(there);
    const steps = retireAll(others.filter(([, there]) => isOver(there)));
    return { steps, sandbox: null, againAt: pod.rejection.againAt };
  }
  if (retiring.length > 0 && living === null) return planReplacement(retiring, context);
  const actions = planPod(living ?? NO_INSTANCES, context);
  return { ...actions, steps: [...retiring, ...actions.steps] };
}

const uidOf = ({ uid }: DesiredPod) => uid;

/** The steps by pod name, sorted by it; only pods with steps or with a time to plan again. */
export function plan(input: PlanInput): readonly PodPlan[] {
  const groups = groupByKey(input);
  const { waiting = [] } = input;
  const wantedUids = new Set([...input.desired.pods, ...waiting.map(one => one.pod)].map(uidOf));
  const plans: PodPlan[] = [];
  for (const [key, group] of sorted(groups)) {
    const actions = planKey(group, input, wantedUids);
    if (actions.steps.length === 0 && actions.againAt === null) continue;
    plans.push({ key, desired: group.desired, ...actions, isFetching: false });
  }
  const fetching = waiting.map(one => planFetching(one, input));
  plans.push(...fetching.filter(({ steps, againAt }) => steps.length > 0 || againAt !== null));
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
    const nothing = { desired: null, sandbox: null, isFetching: false } as const;
    plans.push({ key: `data/${uid}`, ...nothing, steps, againAt });
  }
  return plans;
}

/** What may not begin, and why; none of it has steps because of that. */
function heldLines(pods: readonly DesiredPod[]): string[] {
  return pods.flatMap(({ key, heldEdit, rejection }) => {
    const why = heldEdit ?? rejection;
    if (why === null) return [];
    const what = heldEdit === undefined ? 'waits' : 'the version before runs on, the new one waits';
    return [`${key}: ${what}: ${why.reason}: ${why.message}`];
  });
}

/** What `planText` says then. */
export const NOTHING_TO_DO = 'nothing to do';

/** For people: what is being done, what is to be done, what waits for its time or may not begin. */
export function planText(
  plans: readonly PodPlan[],
  inProgress: readonly PodPlan[],
  pods: readonly DesiredPod[] = [],
): string {
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
    ...heldLines(pods),
  ];
  return lines.length === 0 ? NOTHING_TO_DO : lines.join('\n');
}
