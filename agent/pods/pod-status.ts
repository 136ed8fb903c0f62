/**
 * What a pod looks like now, as a v1 PodStatus in the kubelet's words.
 *
 * Computed anew each time from what is wanted, what is there and what is remembered; only times, addresses and what
 * is gone from the engine are taken from the status before. Kubelet behaviour rows 75, 190 to 201; `pkg/kubelet`,
 * `kubelet_pods.go`. Pure.
 */
import { failureKey, type Memory } from './back-off.js';
import type { Completion } from './completion.js';
import { iso, shownRun, statesOf, type ContainerCase } from './container-state.js';
import { CONFIG_SEEN, type DesiredPod, type Rejection } from './desired.js';
import { healthOf, type Health } from './health.js';
import { conditionsOf, conditionSince } from './pod-conditions.js';
import { byName, phaseOf, type Phase } from './pod-phase.js';
import { qosClass } from './pod-resources.js';
import {
  hasBegun,
  initViewsOf,
  viewsOf,
  type ContainerView,
  type Instances,
} from './plan-views.js';
import { restartsOf, type KnownRuns } from './status-history.js';
import type { StopUnderWay } from './stops-under-way.js';
import type { EngineId, ObservedContainer } from '../runtime/runtime.js';
import { EVICTED } from '../volumes/evictions.js';
import type { Container, ContainerStatus, PodCondition, PodStatus } from '../../protocol/pod.js';

/** How a pod that is over is shown (rows 122, 189, 192). */
export type CompletionWords = Pick<Completion, 'phase' | 'reason' | 'message'>;

export interface StatusInput {
  readonly desired: DesiredPod;
  readonly there: Instances;
  readonly memory: Memory;
  readonly now: number;
  /** Of the node, the first is its address; none when it has none. */
  readonly hostIPs: readonly string[];
  /** `docker` or `podman`: the scheme of container ids. */
  readonly runtimeName: string;
  /** The engine makes mounts read-only with all that is below them. */
  readonly recursiveReadOnly: boolean;
  readonly previous: PodStatus | null;
  readonly runs: KnownRuns;
  readonly health: Health;
  /** Containers whose postStart hook is under way. */
  readonly startingHooks: ReadonlySet<EngineId>;
  /** Containers that are being stopped: they serve nobody any more. */
  readonly stops: ReadonlyMap<EngineId, StopUnderWay>;
  /** What containers that ended have left. */
  readonly messages: ReadonlyMap<EngineId, string>;
  /** Null: it goes on. */
  readonly completion: CompletionWords | null;
  /** The longest wait between two restarts on this node. */
  readonly backOffMaxMs: number;
}

/** On a pod whose former version runs on: admission does not let the next begin, or its manifest is refused. */
export const UPDATE_REJECTED = 'UpdateRejected';
/** The same where the new version only has to wait, as for a ConfigMap that is not there yet. */
export const UPDATE_WAITING = 'UpdateWaiting';

/** On what runs on in the place of a version that may not begin. */
export function heldUpdate(
  { phase, reason, message }: Pick<Rejection, 'phase' | 'reason' | 'message'>,
  times: { readonly previous: readonly PodCondition[]; readonly now: string },
): PodCondition {
  const type = phase === 'Failed' ? UPDATE_REJECTED : UPDATE_WAITING;
  return conditionSince(type, { status: 'True', reason, message }, times);
}

/** Without what `heldUpdate` adds. */
export function withoutHeldUpdate(conditions: readonly PodCondition[]): PodCondition[] {
  return conditions.filter(({ type }) => type !== UPDATE_REJECTED && type !== UPDATE_WAITING);
}

/** As the kubelet shows mounts since Kubernetes 1.33. */
function mountStatuses(container: Container, input: StatusInput): Partial<ContainerStatus> {
  const mounts = container.volumeMounts ?? [];
  if (mounts.length === 0) return {};
  const modeOf = (asked = 'Disabled') =>
    asked === 'Enabled' || (asked === 'IfPossible' && input.recursiveReadOnly)
      ? 'Enabled'
      : 'Disabled';
  return {
    volumeMounts: mounts.map(({ name, mountPath, readOnly, recursiveReadOnly }) => ({
      name,
      mountPath,
      ...(readOnly === true ? { readOnly, recursiveReadOnly: modeOf(recursiveReadOnly) } : {}),
    })),
  };
}

function resourceStatuses({ resources = {} }: Container): Partial<ContainerStatus> {
  const { requests } = resources;
  return { ...(requests === undefined ? {} : { allocatedResources: requests }), resources };
}

interface Shown {
  readonly status: ContainerStatus;
  readonly runsAgain: boolean;
}

function shownContainer(one: ContainerCase, input: StatusInput): Shown {
  const { view, isInit, previous } = one;
  const { container } = view;
  const { state, lastState, runsAgain } = statesOf(one, input);
  const newest = shownRun(view);
  const isRunning = state.running !== undefined;
  const health =
    newest !== undefined && isRunning ? healthOf(input.health, newest.id, container) : null;
  // The kubelet says ready until the process is gone; its endpoints know better, and here there are none.
  const isLeaving =
    newest !== undefined && (input.stops.has(newest.id) || (health?.kill ?? null) !== null);
  // A plain init container is ready when it is done, and only then.
  const isPlainInit = isInit && !view.isSidecar;
  const isDone = state.terminated?.exitCode === 0;
  const known = input.runs[container.name];
  const lostRestarts = known === undefined ? 0 : known.restarts + (runsAgain ? 1 : 0);
  const restartCount = newest === undefined ? lostRestarts : restartsOf(newest, known);
  const gone = newest === undefined && !runsAgain ? previous : null;
  const containerID =
    newest === undefined ? gone?.containerID : `${input.runtimeName}://${newest.id}`;
  const status: ContainerStatus = {
    name: container.name,
    state,
    lastState,
    ready: isPlainInit ? isDone : health?.ready === true && !isLeaving,
    started: health?.started ?? false,
    restartCount,
    image: newest === undefined || newest.hash === view.hash ? view.image : newest.image,
    imageID: newest?.imageId ?? gone?.imageID ?? '',
    ...(containerID === undefined ? {} : { containerID }),
    ...(newest === undefined ? {} : resourceStatuses(container)),
    ...mountStatuses(container, input),
  };
  return { status, runsAgain };
}

interface ShownContainers {
  readonly init: readonly Shown[];
  readonly app: readonly Shown[];
}

function shownContainers(input: StatusInput): ShownContainers {
  const { desired, there, previous } = input;
  const sandboxId = there.sandboxes.find(one => one.ready)?.id ?? null;
  const init = initViewsOf(desired, there, sandboxId);
  const app = viewsOf(desired, there, sandboxId);
  const hasBegun = (one: ObservedContainer) =>
    one.startedAt !== null && (sandboxId === null || one.sandboxId === sandboxId);
  const isInitialized =
    input.completion?.phase === 'Succeeded' || app.some(view => view.instances.some(hasBegun));
  const before = byName(previous?.initContainerStatuses ?? [], previous?.containerStatuses ?? []);
  const show = (isInit: boolean) => (view: ContainerView) => {
    const was = before.get(view.name) ?? null;
    return shownContainer({ view, isInit, sandboxId, isInitialized, previous: was }, input);
  };
  return { init: init.map(show(true)), app: app.map(show(false)) };
}

function startTime({ desired, there, previous }: StatusInput): string {
  if (previous?.startTime !== undefined) return previous.startTime;
  const made = [...there.sandboxes, ...there.containers].map(one => one.createdAt.getTime());
  const seen = Date.parse(desired.pod.metadata.annotations?.[CONFIG_SEEN] ?? '');
  return iso(Math.min(...made, ...(Number.isNaN(seen) || made.length > 0 ? [] : [seen])));
}

/** What is in the way of the whole pod: the kubelet tells it in events alone. */
function podFailure({ desired, memory }: StatusInput): { reason?: string; message?: string } {
  const failure =
    memory.failures.get(failureKey('volumes', desired.uid)) ??
    memory.failures.get(failureKey('sandbox', desired.uid));
  return failure === undefined ? {} : why(failure.reason, failure.message);
}

interface PhaseAndWhy {
  readonly phase: Phase;
  readonly reason?: string;
  readonly message?: string;
}

function why(reason: string, message: string): { reason?: string; message?: string } {
  return { ...(reason === '' ? {} : { reason }), ...(message === '' ? {} : { message }) };
}

/** Terminal phases are sticky (row 192), and none is shown while something of the pod is to run again. */
function phaseAndWhy(input: StatusInput, shown: ShownContainers): PhaseAndWhy {
  const { completion, desired } = input;
  if (completion !== null) {
    return { phase: completion.phase, ...why(completion.reason, completion.message) };
  }
  const statuses = byName(
    shown.init.map(({ status }) => status),
    shown.app.map(({ status }) => status),
  );
  const phase = phaseOf(desired.pod.spec, statuses);
  const isOver = phase === 'Succeeded' || phase === 'Failed';
  const goesOn = isOver && shown.app.some(one => one.runsAgain) && !hasFailedInit(shown);
  return { phase: goesOn ? 'Running' : phase, ...podFailure(input) };
}

/** An init container that failed and stays so: what comes after it never runs. */
function hasFailedInit({ init }: ShownContainers): boolean {
  return init.some(({ status: { state }, runsAgain }) => {
    return !runsAgain && state?.terminated !== undefined && state.terminated.exitCode !== 0;
  });
}

function addresses(input: StatusInput): Partial<PodStatus> {
  const { desired, there, previous } = input;
  const hostIPs = input.hostIPs.map(ip => ({ ip }));
  const hostIP = hostIPs[0]?.ip ?? '';
  const isHost = desired.pod.spec.hostNetwork === true;
  const found = there.sandboxes.find(one => one.ready)?.ips ?? [];
  const now = isHost ? hostIPs : found.map(ip => ({ ip }));
  const podIPs = now.length > 0 ? now : (previous?.podIPs ?? []);
  const podIP = podIPs[0]?.ip ?? '';
  return {
    ...(hostIP === '' ? {} : { hostIP, hostIPs }),
    ...(podIP === '' ? {} : { podIP, podIPs }),
  };
}

function isUp(there: Instances): boolean {
  return there.containers.length > 0 && hasBegun(there);
}

/** Why nothing of the pod is up, after a start of the node too; null when something is, or nothing holds it back. */
function heldStart({ desired, there, completion }: StatusInput): Rejection | null {
  return completion === null && !isUp(there) ? desired.rejection : null;
}

/**
 * P22: a pod that was ended for what it used, and waits to begin anew; the kubelet's eviction leaves it so. Its containers
 * are gone with its data.
 */
function evictedStatus(input: StatusInput, message: string): PodStatus {
  const { desired, previous } = input;
  const spec = { ...desired.pod.spec, initContainers: [] };
  const times = { previous: previous?.conditions ?? [], now: iso(input.now) };
  const cause = { status: 'True', reason: 'TerminationByKubelet', message } as const;
  const statuses = byName();
  const ended = { spec, phase: 'Failed', statuses, hasSandbox: false } as const;
  return {
    phase: 'Failed',
    reason: EVICTED,
    message,
    conditions: [
      conditionSince('DisruptionTarget', cause, times),
      ...conditionsOf({ ...ended, ...times }),
    ],
    ...addresses(input),
    startTime: startTime(input),
    qosClass: qosClass(desired.pod),
  };
}

/** Row 179: a pod that may not begin. */
function rejectedStatus(input: StatusInput, statuses: Partial<PodStatus>): PodStatus | null {
  const held = heldStart(input);
  if (held?.phase !== 'Failed') return null;
  if (held.reason === EVICTED) return evictedStatus(input, held.message);
  return {
    phase: 'Failed',
    reason: held.reason,
    message: `Pod was rejected: ${held.message}`,
    startTime: startTime(input),
    ...(input.there.containers.length === 0 ? {} : statuses),
    qosClass: qosClass(input.desired.pod),
  };
}

/** What of an earlier manifest of the same pod runs on. */
function updateHeld(input: StatusInput): PodCondition[] {
  const { desired, there, previous, now } = input;
  const { rejection, refusedEdit, heldEdit } = desired;
  const why =
    heldEdit ?? rejection ?? (refusedEdit && { phase: 'Failed' as const, ...refusedEdit });
  if (why === undefined || !isUp(there)) return [];
  return [heldUpdate(why, { previous: previous?.conditions ?? [], now: iso(now) })];
}

export function podStatus(input: StatusInput): PodStatus {
  const { desired, there, previous } = input;
  const shown = shownContainers(input);
  const initContainerStatuses = shown.init.map(({ status }) => status);
  const containerStatuses = shown.app.map(({ status }) => status);
  const statuses = {
    ...(initContainerStatuses.length === 0 ? {} : { initContainerStatuses }),
    containerStatuses,
  };
  const rejected = rejectedStatus(input, statuses);
  if (rejected !== null) return rejected;
  const phase = phaseAndWhy(input, shown);
  const { spec } = desired.pod;
  const held = heldStart(input);
  const isHost = spec.hostNetwork === true;
  const conditions = conditionsOf({
    spec,
    phase: phase.phase,
    statuses: byName(initContainerStatuses, containerStatuses),
    hasSandbox: there.sandboxes.some(one => one.ready && (isHost || one.ip !== '')),
    previous: previous?.conditions ?? [],
    now: iso(input.now),
  });
  return {
    ...phase,
    ...(held === null ? {} : { reason: held.reason, message: held.message }),
    conditions: [...conditions, ...updateHeld(input)],
    ...addresses(input),
    startTime: startTime(input),
    ...statuses,
    qosClass: qosClass(desired.pod),
  };
}
