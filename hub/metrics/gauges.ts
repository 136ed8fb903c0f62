/** What is, at the moment when somebody asks, as Prometheus' gauges. Pure. */
import { NODE_REMARKS, NODE_STATES } from '../enrolment/node-words.js';
import type { Phase } from '../rollout/waves/rollout-object.js';
import { BUNDLE_STATES, type BundleCounts, type FleetCounts } from '../rollout/fleet-counts.js';

export interface Snapshot {
  readonly version: string;
  readonly counts: Pick<FleetCounts, 'nodes' | 'bundles' | 'rollouts'>;
  readonly isBrokerConnected: boolean;
  /** Null: nobody knows yet what the broker has. */
  readonly outbox: { readonly depth: number; readonly seconds: number } | null;
  /** Null: the broker is not this process. */
  readonly brokerConnections: number | null;
  readonly apiConnections: number;
  readonly apiStreams: number;
  readonly auditLines: number;
  /** Seconds since 1970. */
  readonly rootExpires: number;
  /** Seconds since 1970, of the newest scheduled backup that lies in its directory; null: there is none. */
  readonly backupMade: number | null;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: readonly Sample[];
  /** It only grows. */
  readonly isCounter?: true;
}

/** Bundles beyond these, in the order of their names, are in the sums alone. */
const BUNDLES_MAX = 200;

const PHASES = [
  ...(['progressing', 'paused', 'completed', 'aborted'] as const),
] as const satisfies readonly Phase[];

/** `notUndoReady` → `not_undo_ready`. */
function word(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
}

const one = (value: number): readonly Sample[] => [{ labels: {}, value }];

/** Left out where there is nothing to say. */
const maybe = (value: number | null): readonly Sample[] => (value === null ? [] : one(value));

export function gaugesOf(now: Snapshot): readonly Metric[] {
  return [
    gauge(
      'flotilla_hub_build_info',
      'The version of the hub',
      ['version'],
      [{ labels: { version: now.version }, value: 1 }],
    ),
    ...nodeGauges(now.counts.nodes),
    gauge('flotilla_bundles', 'Bundles', [], one(now.counts.bundles.length)),
    ...bundleGauges(now.counts.bundles.slice(0, BUNDLES_MAX)),
    ...rolloutGauges(now.counts),
    gauge(
      'flotilla_hub_broker_connected',
      '1 while the hub is connected to its broker',
      [],
      one(now.isBrokerConnected ? 1 : 0),
    ),
    gauge(
      'flotilla_outbox_publications',
      'What the hub has for its nodes and the broker has not acknowledged',
      [],
      maybe(now.outbox?.depth ?? null),
    ),
    gauge(
      'flotilla_outbox_oldest_seconds',
      'How long the oldest of them has waited; 0: none does',
      [],
      maybe(now.outbox?.seconds ?? null),
    ),
    gauge(
      'flotilla_broker_connections',
      'Connections of nodes to the embedded broker',
      [],
      maybe(now.brokerConnections),
    ),
    gauge('flotilla_api_connections', 'Connections to the HTTPS port', [], one(now.apiConnections)),
    gauge(
      'flotilla_api_upgraded_connections',
      'Those of them that speak another protocol: exec, port-forward, MQTT',
      [],
      one(now.apiStreams),
    ),
    {
      ...gauge('flotilla_audit_lines_total', 'Lines of the audit log', [], one(now.auditLines)),
      isCounter: true,
    },
    gauge(
      'flotilla_root_expires_timestamp_seconds',
      'When the root in force expires: from then on nodes accept nothing new',
      [],
      one(now.rootExpires),
    ),
    gauge(
      'flotilla_backup_last_success_timestamp_seconds',
      'When the newest scheduled backup that lies in its directory was made',
      [],
      maybe(now.backupMade),
    ),
  ];
}

function nodeGauges(nodes: Snapshot['counts']['nodes']): readonly Metric[] {
  if (nodes === null) return [];
  return [
    gauge(
      'flotilla_nodes',
      'Nodes by state, each in one, as `get nodes` shows it',
      ['state'],
      NODE_STATES.map(state => ({ labels: { state }, value: nodes.states[state] })),
    ),
    gauge(
      'flotilla_nodes_with_remark',
      'Nodes with what `get nodes` shows behind the state; one node may have several',
      ['remark'],
      NODE_REMARKS.map(remark => ({ labels: { remark }, value: nodes.remarks[remark] })),
    ),
  ];
}

const BUNDLE = ['namespace', 'bundle'] as const;

function bundleGauges(bundles: readonly BundleCounts[]): readonly Metric[] {
  const of = ({ namespace, name }: BundleCounts) => ({ namespace, bundle: name });
  const count = (name: string, help: string, value: (bundle: BundleCounts) => number) =>
    gauge(
      `flotilla_bundle_${name}`,
      help,
      BUNDLE,
      bundles.map(bundle => ({ labels: of(bundle), value: value(bundle) })),
    );
  return [
    count('revision', 'Newest revision of a bundle', bundle => bundle.revision),
    count('desired_nodes', 'Nodes that the bundle selects', bundle => bundle.desired),
    count('reached_nodes', 'Those that say something of the newest revision', b => b.reached),
    count('applied_nodes', 'Those that have its manifests in their directory', b => b.applied),
    count('offline_nodes', 'Those that are not connected', bundle => bundle.offline),
    gauge(
      'flotilla_bundle_nodes',
      'Nodes that the bundle selects, by what they say of the newest revision, each in one state',
      [...BUNDLE, 'state'],
      bundles.flatMap(bundle =>
        BUNDLE_STATES.map(state => {
          return { labels: { ...of(bundle), state: word(state) }, value: bundle.states[state] };
        }),
      ),
    ),
  ];
}

function rolloutGauges({ bundles, rollouts }: Snapshot['counts']): readonly Metric[] {
  const rolled = bundles
    .slice(0, BUNDLES_MAX)
    .flatMap(({ namespace, name, rollout }) =>
      rollout === null ? [] : [{ labels: { namespace, bundle: name }, rollout }],
    );
  // What was looked at last may be complete by now.
  const shown = new Set(
    rolled
      .filter(({ rollout }) => rollout.phase !== 'completed')
      .map(({ labels }) => `${labels.namespace}/${labels.bundle}`),
  );
  return [
    gauge(
      'flotilla_rollout_phase',
      '1 for the phase that the rollout of the newest revision is in; bundles that went to all nodes at once have none',
      [...BUNDLE, 'phase'],
      rolled.flatMap(({ labels, rollout }) =>
        PHASES.map(phase => {
          return { labels: { ...labels, phase }, value: rollout.phase === phase ? 1 : 0 };
        }),
      ),
    ),
    gauge(
      'flotilla_rollout_wave',
      'The wave that is under way, counted from 1; 0: none has begun',
      BUNDLE,
      rolled.map(({ labels, rollout }) => ({ labels, value: rollout.wave })),
    ),
    gauge(
      'flotilla_rollout_waves',
      'Waves of the plan',
      BUNDLE,
      rolled.map(({ labels, rollout }) => ({ labels, value: rollout.waves })),
    ),
    gauge(
      'flotilla_rollout_nodes',
      'Nodes of a rollout that is not complete by how they stand, each in one, as `rollout status` counts them',
      [...BUNDLE, 'stand'],
      rollouts
        .filter(({ namespace, name }) => shown.has(`${namespace}/${name}`))
        .flatMap(({ namespace, name, stands: { nodes: _all, ...stands } }) =>
          Object.entries(stands).map(([stand, value]) => {
            return { labels: { namespace, bundle: name, stand: word(stand) }, value };
          }),
        ),
    ),
  ];
}

function gauge(
  name: string,
  help: string,
  labels: readonly string[],
  samples: readonly Sample[],
): Metric {
  return { name, help, labels, samples };
}
