/**
 * All pods as they are shown and reported: the wanted ones, those that are ending, those whose manifest is
 * refused. Kubelet behaviour rows 63, 71, 201 done better. Pure.
 */
import type { Memory } from './back-off.js';
import { CONFIG_SOURCE, type Desired, type DesiredPod, type RefusedPod } from './desired.js';
import type { NodeFacts } from './pod-spec.js';
import { iso, podStatus } from './pod-status.js';
import { gracePeriod, type Instances } from './plan-views.js';
import type { PodReport } from '../ports.js';
import type { ObservedPods } from '../runtime/runtime.js';
import { podFullName } from '../../protocol/pod-identity.js';
import type { Pod } from '../../protocol/pod.js';

/** A pod that is no longer wanted and not yet gone. */
export interface EndingPod {
  /** What it was made from; null when that was forgotten over a restart of the agent. */
  readonly desired: DesiredPod | null;
  readonly since: number;
}

export interface ReportsInput {
  readonly desired: Desired;
  readonly observed: ObservedPods;
  readonly memory: Memory;
  readonly now: number;
  readonly node: Pick<NodeFacts, 'name' | 'hostIP'>;
  readonly runtimeName: string;
  /** By uid. */
  readonly ending: ReadonlyMap<string, EndingPod>;
  /** The reports before, by `uid`. */
  readonly previous: ReadonlyMap<string, PodReport>;
}

export function instancesOf(observed: ObservedPods, uid: string): Instances {
  return {
    sandboxes: observed.sandboxes.filter(one => one.pod.uid === uid),
    containers: observed.containers.filter(one => one.pod.uid === uid),
  };
}

function reportOf(desired: DesiredPod, input: ReportsInput): PodReport {
  const { node, memory, now, runtimeName, observed } = input;
  const status = podStatus({
    desired,
    there: instancesOf(observed, desired.uid),
    memory,
    now,
    hostIP: node.hostIP,
    runtimeName,
    previous: input.previous.get(desired.uid)?.pod.status ?? null,
  });
  const { key, source, bundle, manifestDigest } = desired;
  return {
    key,
    source,
    bundle,
    manifestDigest,
    pod: { apiVersion: 'v1', kind: 'Pod', ...desired.pod, status },
  };
}

function withDeletion(report: PodReport, since: number): PodReport {
  const { pod } = report;
  const deletionTimestamp = iso(since);
  const deletionGracePeriodSeconds = gracePeriod(pod.spec?.terminationGracePeriodSeconds);
  const metadata = { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds };
  return { ...report, pod: { ...pod, metadata } };
}

/** An orphan of an earlier agent: its name and grace are all that the engine tells. */
function orphanReport(uid: string, since: number, observed: ObservedPods): PodReport | null {
  const { sandboxes, containers } = instancesOf(observed, uid);
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
    status: { phase: 'Running' },
  };
  const key = `${namespace}/${name}`;
  return withDeletion({ key, source: 'file', bundle: null, manifestDigest: null, pod }, since);
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

/** Sorted by key; a pod that ends while its successor waits stands beside it. */
export function podReports(input: ReportsInput): readonly PodReport[] {
  const wanted = input.desired.pods.map(pod => reportOf(pod, input));
  const ending = [...input.ending].map(([uid, { desired, since }]) => {
    if (desired === null) return orphanReport(uid, since, input.observed);
    return withDeletion(reportOf(desired, input), since);
  });
  const refused = input.desired.refused.map(pod => refusedReport(pod, input.node.name));
  return [...wanted, ...ending.filter(report => report !== null), ...refused].sort((a, b) =>
    a.key < b.key ? -1 : a.key > b.key ? 1 : 0,
  );
}
