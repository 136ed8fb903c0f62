/**
 * The agent's figures in Prometheus' text format. Names of the kubelet where it has them (row 222), else `flotilla_…`.
 * Everything is computed when a scraper asks; nothing is counted here.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { PodFigures } from '../pods/tallies.js';
import {
  linkOverhead,
  MESSAGE_USAGES,
  type UsageCounts,
  type UsageName,
} from '../../protocol/usage.js';
import type { PodReport } from '../ports.js';
import type { ContainerStats } from '../runtime/exec.js';

/** A figure that only grows, by the values of its labels. */
export type Counts = readonly {
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
}[];

export interface Figures {
  readonly nodeName: string;
  readonly version: string;
  readonly reports: readonly PodReport[];
  /** By container id, as far as the engine answered. */
  readonly stats: ReadonlyMap<string, ContainerStats>;
  readonly engineUp: boolean;
  /** Null: not joined. */
  readonly hubConnected: boolean | null;
  readonly unconfirmedEvents: number;
  /** Bytes, by name and period. */
  readonly used: UsageCounts;
  /** Messages of the hub, or of whoever speaks in its place, that were not taken, by code. */
  readonly refusals: Counts;
  /** `prober_probe_total`. */
  readonly probes: Counts;
  readonly counted: PodFigures;
  /** Bytes of this process. */
  readonly residentBytes: number;
  readonly cpuSeconds: number;
}

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: readonly Sample[];
}

/** The kubelet's label for what comes from no API server. */
const ofStatic = (value: number): readonly Sample[] => [{ labels: { static: 'true' }, value }];

const one = (value: number): readonly Sample[] => [{ labels: {}, value }];

function grouped(keys: readonly string[], label: string): readonly Sample[] {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts].map(([key, value]) => ({ labels: { [label]: key }, value }));
}

interface ContainerRow {
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'running' | 'waiting' | 'exited';
  readonly ready: boolean;
  readonly restarts: number;
  readonly id: string;
}

function containersOf(reports: readonly PodReport[]): readonly ContainerRow[] {
  return reports.flatMap(({ pod }) => {
    const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
    return [...initContainerStatuses, ...containerStatuses].map(status => ({
      labels: {
        namespace: pod.metadata?.namespace ?? '',
        pod: pod.metadata?.name ?? '',
        container: status.name,
      },
      state:
        status.state?.running !== undefined
          ? ('running' as const)
          : status.state?.terminated !== undefined
            ? ('exited' as const)
            : ('waiting' as const),
      ready: status.ready,
      restarts: status.restartCount,
      id: (status.containerID ?? '').replace(/^[a-z]+:\/\//, ''),
    }));
  });
}

/** Pure: every metric with its samples. */
export function metricsOf(figures: Figures): readonly Metric[] {
  const { reports } = figures;
  const containers = containersOf(reports);
  const phases = reports.map(({ pod }) => pod.status?.phase ?? 'Unknown');
  const isTerminal = (phase: string) => phase === 'Succeeded' || phase === 'Failed';
  const rejected = reports.filter(({ pod }) => (pod.status?.reason ?? '') !== '');
  const desired = reports.filter(({ pod }) => pod.metadata?.deletionTimestamp === undefined);
  const working = (lifecycle: string, config: string, value: number): Sample => {
    return { labels: { lifecycle, config, static: 'true' }, value };
  };
  const { counted } = figures;
  const POD = ['namespace', 'pod', 'container'];
  const measured = containers.flatMap(({ labels, id }) => {
    const stats = figures.stats.get(id);
    return stats === undefined ? [] : [{ labels, stats }];
  });
  return [
    metric('kubelet_node_name', 'The name of the node', [
      { labels: { node: figures.nodeName }, value: 1 },
    ]),
    metric('kubelet_desired_pods', 'Pods that the sources want', ofStatic(desired.length)),
    metric(
      'kubelet_active_pods',
      'Pods that have not ended',
      ofStatic(phases.filter(phase => !isTerminal(phase)).length),
    ),
    metric('kubelet_working_pods', 'Pods by what is done with them', [
      working('sync', 'desired', desired.length),
      working('terminating', 'orphan', reports.length - desired.length),
    ]),
    metric(
      'kubelet_running_pods',
      'Pods that run',
      one(phases.filter(phase => phase === 'Running').length),
    ),
    metric(
      'kubelet_running_containers',
      'Containers by state',
      grouped(
        containers.map(({ state }) => state),
        'container_state',
      ),
    ),
    metric(
      'kubelet_admission_rejections_total',
      'Pods that could not begin, by reason, since the agent was started',
      [...counted.rejections].map(([reason, value]) => ({ labels: { reason }, value })),
      ['reason'],
    ),
    metric(
      'kubelet_restarted_pods_total',
      'Pods that came back under their uid while they were still ending',
      ofStatic(counted.restartedPods),
    ),
    metric(
      'kubelet_orphaned_runtime_pods_total',
      'Pods found on the engine that nobody wanted since the agent was started',
      one(counted.orphanedPods),
    ),
    metric('kubelet_started_containers_total', 'Containers that were started', [
      { labels: { container_type: 'container' }, value: counted.startedContainers },
      { labels: { container_type: 'init_container' }, value: counted.startedInitContainers },
    ]),
    metric(
      'kubelet_started_pods_errors_total',
      'Sandboxes that could not be made',
      one(counted.sandboxErrors),
    ),
    metric('kubelet_evictions', 'Pods that were ended because a volume outgrew its limit', [
      { labels: { eviction_signal: 'emptydirfs.limit' }, value: counted.evictions },
    ]),
    metric(
      'flotilla_rejected_pods',
      'Pods that may not begin now, by reason',
      grouped(
        rejected.map(({ pod }) => pod.status?.reason ?? ''),
        'reason',
      ),
    ),
    metric(
      'prober_probe_total',
      'Probes, by kind and result',
      figures.probes.map(({ labels, count }) => ({ labels, value: count })),
      ['probe_type', 'result'],
    ),
    metric(
      'kube_pod_container_status_restarts_total',
      'Restarts of a container',
      containers.map(({ labels, restarts }) => ({ labels, value: restarts })),
      POD,
    ),
    metric(
      'kube_pod_container_status_ready',
      '1 while a container is ready',
      containers.map(({ labels, ready }) => ({ labels, value: ready ? 1 : 0 })),
      POD,
    ),
    metric(
      'container_cpu_usage_seconds_total',
      'CPU time of a container since its start',
      measured.map(({ labels, stats }) => ({ labels, value: stats.cpuNanoseconds / 1e9 })),
      POD,
    ),
    metric(
      'container_memory_working_set_bytes',
      'Memory of a container that cannot be given back',
      measured.map(({ labels, stats }) => ({ labels, value: stats.workingSetBytes })),
      POD,
    ),
    metric('flotilla_build_info', 'The version of the agent', [
      { labels: { version: figures.version }, value: 1 },
    ]),
    metric(
      'flotilla_engine_up',
      '1 while the container engine answers',
      one(figures.engineUp ? 1 : 0),
    ),
    ...(figures.hubConnected === null
      ? []
      : [
          metric(
            'flotilla_hub_connected',
            '1 while the hub is connected',
            one(figures.hubConnected ? 1 : 0),
          ),
        ]),
    metric(
      'flotilla_events_unconfirmed',
      'Events that the hub has not confirmed',
      one(figures.unconfirmedEvents),
    ),
    ...usageMetrics(figures.used),
    metric(
      'flotilla_messages_refused_total',
      'Messages over MQTT that were refused or ignored, by code, since the agent was started',
      figures.refusals.map(({ labels, count }) => ({ labels, value: count })),
      ['code'],
    ),
    metric(
      'process_resident_memory_bytes',
      'Resident memory of the agent',
      one(figures.residentBytes),
    ),
    metric('process_cpu_seconds_total', 'CPU time of the agent', one(figures.cpuSeconds)),
  ];
}

/** Kept over restarts, but for what a power cut takes. */
function usageMetrics(used: UsageCounts): Metric[] {
  const all = (name: UsageName) => used[name]?.[2] ?? 0;
  const directions = (['in', 'out'] as const).map(direction => {
    return { labels: { direction }, value: all(direction) };
  });
  const kinds = MESSAGE_USAGES.map(kind => ({ labels: { kind }, value: all(kind) }));
  const overhead = { labels: { kind: 'overhead' }, value: linkOverhead(used)[2] };
  return [
    metric('flotilla_link_bytes_total', 'Bytes of the link, TLS included', directions),
    metric('flotilla_link_kind_bytes_total', 'The same by what they were for', [
      ...kinds,
      overhead,
    ]),
    metric('flotilla_image_pull_bytes_total', 'Bytes of images pulled', one(all('images'))),
    metric('flotilla_written_bytes_total', 'Bytes the agent wrote to disks', one(all('written'))),
  ];
}

function metric(
  name: string,
  help: string,
  samples: readonly Sample[],
  labels: readonly string[] = Object.keys(samples[0]?.labels ?? {}),
): Metric {
  return { name, help, samples, labels };
}

/** Of the kubelet's counters the one that has its name from before that rule. */
const COUNTERS: ReadonlySet<string> = new Set(['kubelet_evictions']);

export async function exposition(
  figures: Figures,
): Promise<{ readonly contentType: string; readonly body: string }> {
  const registry = new Registry();
  for (const { name, help, labels, samples } of metricsOf(figures)) {
    const of = { name, help, labelNames: [...labels], registers: [registry] };
    // By the naming of Prometheus, what only grows ends in `_total`.
    if (name.endsWith('_total') || COUNTERS.has(name)) {
      const counter = new Counter(of);
      for (const sample of samples) counter.inc({ ...sample.labels }, sample.value);
    } else {
      const gauge = new Gauge(of);
      if (labels.length > 0) gauge.reset();
      for (const sample of samples) gauge.set({ ...sample.labels }, sample.value);
    }
  }
  return { contentType: registry.contentType, body: await registry.metrics() };
}
