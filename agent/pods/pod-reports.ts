/**
 * All pods as they are shown and reported: the wanted ones, those that are ending, those whose manifest is
 * refused. Kubelet behaviour rows 63, 71, 179, 201 done better. Pure.
 */
import type { Memory } from './back-off.js';
import { iso } from './container-state.js';
import {
  CONFIG_SOURCE,
  type Desired,
  type DesiredPod,
  type RefusedPod,
  type Rejection,
} from './desired.js';
import type { Health } from './health.js';
import { hostAddresses } from './field-values.js';
import type { NodeFacts } from './pod-spec.js';
import { heldUpdate, podStatus, withoutHeldUpdate, type CompletionWords } from './pod-status.js';
import { endingGrace, type Instances } from './plan-views.js';
import { noteRuns, type RememberedStatus } from './status-history.js';
import type { StopUnderWay } from './stops-under-way.js';
import type { PodReport } from '../ports.js';
import type { EngineId, ObservedPods } from '../runtime/runtime.js';
import { podFullName } from '../../protocol/pod-identity.js';
import type { Pod, PodStatus } from '../../protocol/pod.js';

/** A pod that is no longer wanted and not yet gone. */
export interface EndingPod {
  /** What it was made from; null when that was forgotten over a restart of the agent. */
  readonly desired: DesiredPod | null;
  readonly since: number;
}

export interface ReportsInput {
  readonly desired: Desired;
  /** Null before the engine was looked at: then what is remembered stands. */
  readonly observed: ObservedPods | null;
  readonly memory: Memory;
  readonly now: number;
  readonly node: Pick<NodeFacts, 'name' | 'hostIP' | 'hostIPs'>;
  readonly runtimeName: string;
  readonly recursiveReadOnly: boolean;
  readonly health: Health;
  readonly startingHooks: ReadonlySet<EngineId>;
  readonly stops: ReadonlyMap<EngineId, StopUnderWay>;
  readonly messages: ReadonlyMap<EngineId, string>;
  readonly tails: ReadonlyMap<EngineId, string>;
  /** By uid: the pods that are over. */
  readonly completions: ReadonlyMap<string, CompletionWords>;
  readonly backOffMaxMs: number;
  /** By uid. */
  readonly ending: ReadonlyMap<string, EndingPod>;
  /** By key: what goes on in the place of a version that may not begin, and bears `heldEdit`. */
  readonly standIns?: ReadonlyMap<string, DesiredPod>;
  /** By uid. */
  readonly remembered: ReadonlyMap<string, RememberedStatus>;
}

export interface Reports {
  /** Sorted by key; a pod that ends while its successor waits stands beside it. */
  readonly reports: readonly PodReport[];
  /** By uid: for the next time. */
  readonly remembered: ReadonlyMap<string, RememberedStatus>;
}

const NOTHING_OBSERVED: ObservedPods = { sandboxes: [], containers: [] };

export function instancesOf(observed: ObservedPods | null, uid: string): Instances {
  const { sandboxes, containers } = observed ?? NOTHING_OBSERVED;
  return {
    sandboxes: sandboxes.filter(one => one.pod.uid === uid),
    containers: containers.filter(one => one.pod.uid === uid),
  };
}

/** Counts and states would be guesses. */
const NOT_LOOKED_AT: PodStatus = {
  phase: 'Unknown',
  reason: 'ContainerRuntimeUnknown',
  message: 'The container engine has not answered since the agent was started.',
};

function statusOf(desired: DesiredPod, input: ReportsInput): RememberedStatus {
  const { uid } = desired;
  const before = input.remembered.get(uid);
  if (input.observed === null) return before ?? { status: NOT_LOOKED_AT, runs: {} };
  const there = instancesOf(input.observed, uid);
  const runs = before?.runs ?? {};
  const status = podStatus({
    ...input,
    desired,
    there,
    runs,
    hostIPs: hostAddresses(input.node),
    previous: before?.status ?? null,
    completion: input.completions.get(uid) ?? null,
  });
  return {
    status,
    runs: noteRuns(runs, there.containers, new Set(desired.containerHashes.keys())),
  };
}

/** Its ending and the start of what takes its place are still to come. */
function runsFormer({ uid, sandboxHash, containerHashes }: DesiredPod, input: ReportsInput) {
  const { sandboxes, containers } = instancesOf(input.observed, uid);
  return (
    sandboxes.some(({ ready, hash }) => ready && hash !== sandboxHash) ||
    containers.some(
      ({ state, name, hash }) => state === 'running' && hash !== containerHashes.get(name),
    )
  );
}

function stoppingOf(uid: string, { observed, stops }: ReportsInput): Pick<PodReport, 'stopping'> {
  const stopping = instancesOf(observed, uid).containers.flatMap(({ id, name, state }) => {
    const stop = state === 'running' ? stops.get(id) : undefined;
    return stop === undefined ? [] : [{ container: name, ...stop }];
  });
  return stopping.length === 0 ? {} : { stopping };
}

function lastLinesOf(uid: string, { observed, tails }: ReportsInput): Pick<PodReport, 'lastLines'> {
  const ended = instancesOf(observed, uid).containers.filter(({ id }) => tails.has(id));
  const byAttempt = [...ended].sort((a, b) => a.attempt - b.attempt);
  if (byAttempt.length === 0) return {};
  return { lastLines: new Map(byAttempt.map(({ id, name }) => [name, tails.get(id) ?? ''])) };
}

/** In the order in which the status tells of them. */
function rejectedBy(desired: DesiredPod): Pick<PodReport, 'rejected'> {
  const { heldEdit, rejection, refusedEdit, manifestDigest } = desired;
  if (heldEdit !== undefined) return { rejected: heldEdit.manifest };
  if (rejection !== null) return { rejected: manifestDigest };
  return refusedEdit === undefined ? {} : { rejected: refusedEdit.content };
}

function reportOf(desired: DesiredPod, status: PodStatus, input: ReportsInput): PodReport {
  const { key, source, bundle, manifestDigest } = desired;
  return {
    key,
    source,
    bundle,
    manifestDigest,
    ...(runsFormer(desired, input) ? { outdated: true } : {}),
    ...rejectedBy(desired),
    ...stoppingOf(desired.uid, input),
    ...lastLinesOf(desired.uid, input),
    pod: { apiVersion: 'v1', kind: 'Pod', ...desired.pod, status },
  };
}

function withDeletion(report: PodReport, since: number): PodReport {
  const { pod } = report;
  const deletionTimestamp = iso(since);
  const deletionGracePeriodSeconds = endingGrace(pod.spec?.terminationGracePeriodSeconds);
  const metadata = { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds };
  return { ...report, pod: { ...pod, metadata } };
}

/** An orphan of an earlier agent: its name and grace are all that the engine tells. */
function orphanReport(uid: string, input: ReportsInput): PodReport | null {
  const { sandboxes, containers } = instancesOf(input.observed, uid);
  const one = sandboxes[0] ?? containers[0];
  if (one === undefined) return null;
  const { name, namespace } = one.pod;
  const grace = sandboxes[0]?.terminationGracePeriodSeconds;
  const names = [...new Set(containers.map(container => container.name))].sort();
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, uid },
    spec: {
      containers: names.map(container => ({ name: container })),
      ...(grace === undefined ? {} : { terminationGracePeriodSeconds: grace }),
    },
    status: input.remembered.get(uid)?.status ?? { phase: 'Running' },
  };
  const key = `${namespace}/${name}`;
  const stopping = stoppingOf(uid, input);
  return { key, source: 'file', bundle: null, manifestDigest: null, ...stopping, pod };
}

function refusedReport(refused: RefusedPod, nodeName: string): PodReport {
  const { namespace, reason, message, bundle } = refused;
  const name = podFullName(refused.name, nodeName);
  const annotations = { [CONFIG_SOURCE]: 'file' };
  return {
    key: `${namespace}/${name}`,
    source: bundle === null ? 'file' : 'bundle',
    bundle,
    manifestDigest: null,
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, annotations },
      spec: { containers: [], nodeName },
      status: { phase: 'Failed', reason, message: `Pod was rejected: ${message}` },
    },
  };
}

type Held = Pick<DesiredPod, 'manifestDigest'> & { readonly rejection: Rejection };

/**
 * A former version whose manifest was forgotten, and that runs on because its successor may not begin: not ending, and it
 * says why it is not the new one.
 */
function withHeldUpdate(
  report: PodReport,
  { rejection, manifestDigest }: Held,
  before: { readonly status: PodStatus | undefined; readonly now: number },
): PodReport {
  const { pod } = report;
  const conditions = pod.status?.conditions ?? [];
  const times = { previous: before.status?.conditions ?? [], now: iso(before.now) };
  const told = heldUpdate(rejection, times);
  const status = { ...pod.status, conditions: [...withoutHeldUpdate(conditions), told] };
  return { ...report, rejected: manifestDigest, pod: { ...pod, status } };
}

export function podReports(input: ReportsInput): Reports {
  const remembered = new Map<string, RememberedStatus>();
  const show = (desired: DesiredPod) => {
    const found = statusOf(desired, input);
    if (found.status !== NOT_LOOKED_AT) remembered.set(desired.uid, found);
    return reportOf(desired, found.status, input);
  };
  const { desired, ending, node, now } = input;
  // Behind the one that waits, so that who keeps one pod per name keeps what runs.
  const wanted = desired.pods.flatMap(pod => {
    const standIn = input.standIns?.get(pod.key);
    if (standIn === undefined) return [show(pod)];
    return standIn.uid === pod.uid ? [show(standIn)] : [show(pod), show(standIn)];
  });
  const held = new Map(
    desired.pods.flatMap(({ key, rejection, manifestDigest }) =>
      rejection === null ? [] : [[key, { rejection, manifestDigest }]],
    ),
  );
  const leaving = [...ending].flatMap(([uid, one]) => {
    const shown = one.desired === null ? orphanReport(uid, input) : show(one.desired);
    if (shown === null) return [];
    const successor = held.get(shown.key);
    if (successor === undefined) return [withDeletion(shown, one.since)];
    const { status } = input.remembered.get(uid) ?? {};
    const told = withHeldUpdate(shown, successor, { status, now });
    const runs = remembered.get(uid)?.runs ?? {};
    if (told.pod.status !== undefined) remembered.set(uid, { status: told.pod.status, runs });
    return [told];
  });
  const refused = desired.refused.map(pod => refusedReport(pod, node.name));
  const reports = [...wanted, ...leaving, ...refused];
  return {
    reports: reports.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)),
    remembered,
  };
}
