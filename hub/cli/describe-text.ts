/** The text of `flotilla describe`, laid out as kubectl does. Pure. */
import type { BundleObjectStatus, BundleSpec, EventSpec, NodeExtra, PodExtra } from '../objects.js';
import { isConfigMap, isPod, type BundleManifest } from '../../protocol/bundle-manifest.js';
import type { ApiObject } from './client.js';
import { nodeViewOf, obstacleLines, progressLine, progressOf } from './rollout-progress.js';
import { ageText, layOut } from '../../protocol/columns.js';

/** The longest name that there is, so that the blocks of one description stand in one column. */
const NAME_WIDTH = 'Last refusal'.length;

interface Described {
  readonly object: ApiObject;
  readonly events: readonly ApiObject[];
  /** For a bundle: every node. */
  readonly nodes: readonly ApiObject[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

interface ConditionLike {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export function describeObject(input: Described): string[] {
  const { object } = input;
  const { metadata } = object;
  const head = fields([
    ['Name', metadata.name],
    ...(metadata.namespace === undefined ? [] : [['Namespace', metadata.namespace] as const]),
    ['Labels', pairs(metadata.labels)],
    ['Annotations', pairs(metadata.annotations)],
    ['Created', metadata.creationTimestamp ?? ''],
  ]);
  return [...head, ...body(input), ...eventLines(input)];
}

function body(input: Described): string[] {
  if (input.object.kind === 'Node') return nodeLines(input.object);
  if (input.object.kind === 'Bundle') return bundleLines(input);
  return podLines(input.object);
}

function fields(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(NAME_WIDTH, ...rows.map(([name]) => name.length)) + 3;
  return rows.map(([name, value]) => {
    const [first = '', ...more] = value.split('\n');
    return [
      `${`${name}:`.padEnd(width)}${first}`,
      ...more.map(line => ' '.repeat(width) + line),
    ].join('\n');
  });
}

function pairs(values: Readonly<Record<string, string>> | undefined): string {
  const lines = Object.entries(values ?? {}).map(([key, value]) => `${key}=${value}`);
  return lines.length === 0 ? '<none>' : lines.sort().join('\n');
}

function conditionLines(conditions: readonly ConditionLike[]): string[] {
  if (conditions.length === 0) return [];
  const rows = conditions.map(c => [
    c.type,
    c.status,
    c.lastTransitionTime ?? '',
    c.reason ?? '',
    c.message ?? '',
  ]);
  const head = ['Type', 'Status', 'Since', 'Reason', 'Message'];
  return ['Conditions:', ...indent(layOut([head, ...rows]))];
}

function indent(lines: readonly string[]): string[] {
  return lines.map(line => `  ${line}`);
}

function nodeLines(object: ApiObject): string[] {
  const status = object.status as {
    conditions?: ConditionLike[];
    nodeInfo?: Record<string, string>;
    capacity?: Record<string, string>;
    addresses?: { type: string; address: string }[];
    flotilla?: NodeExtra;
  };
  const extra = status.flotilla;
  const refusal = extra?.lastRefusal;
  const bundles = (extra?.bundles ?? []).map(b => [
    `${b.namespace}/${b.name}`,
    String(b.revision),
    b.state,
    b.since,
    `${b.reason}${b.message ? `: ${b.message}` : ''}`,
  ]);
  return [
    ...conditionLines(status.conditions ?? []),
    ...fields([
      [
        'Addresses',
        (status.addresses ?? []).map(a => `${a.type} ${a.address}`).join('\n') || '<none>',
      ],
      ['Capacity', pairs(status.capacity)],
      ['System', pairs(status.nodeInfo)],
      ['Last report', extra?.reportedAt ?? 'never'],
      ['Assignment', `epoch ${extra?.epoch ?? 0}, generation ${extra?.generation ?? 0}`],
      [
        'Root',
        `version ${extra?.rootVersion ?? 0}${extra?.development ? ' (development: the hub holds every key)' : ''}`,
      ],
      ['Clock', extra?.clock ?? 'unknown'],
      ['Last refusal', refusal ? `${refusal.code} at ${refusal.at} on ${refusal.topic}` : '<none>'],
    ]),
    'Bundles:',
    ...indent(
      bundles.length === 0
        ? ['<none>']
        : layOut([['Name', 'Revision', 'State', 'Since', 'Reason'], ...bundles]),
    ),
  ];
}

function namesOf(manifests: readonly BundleManifest[]): string {
  return manifests.map(({ metadata }) => metadata?.name ?? '').join('\n');
}

function bundleLines({ object, nodes }: Described): string[] {
  const bundle = object as ApiObject & { spec: BundleSpec; status?: BundleObjectStatus };
  const progress = progressOf(bundle, nodes.map(nodeViewOf));
  const configMaps = namesOf(bundle.spec.manifests.filter(isConfigMap));
  return [
    ...fields([
      ['Nodes', bundle.spec.nodeSelector === '' ? '<all>' : bundle.spec.nodeSelector],
      ['Revision', String(progress.revision)],
      ['Digest', bundle.status?.digest ?? ''],
      ['Pods', namesOf(bundle.spec.manifests.filter(isPod)) || '<none>'],
      ...(configMaps === '' ? [] : [['ConfigMaps', configMaps] as const]),
      ['Rollout', progressLine(object.metadata.name, progress)],
    ]),
    ...obstacleLines(progress),
  ];
}

interface ContainerStatusLike {
  name: string;
  image?: string;
  ready?: boolean;
  restartCount?: number;
  containerID?: string;
  state?: Record<
    string,
    {
      reason?: string;
      message?: string;
      startedAt?: string;
      finishedAt?: string;
      exitCode?: number;
    }
  >;
  lastState?: ContainerStatusLike['state'];
}

function podLines(object: ApiObject): string[] {
  const spec = (object.spec ?? {}) as { nodeName?: string };
  const status = object.status as {
    phase?: string;
    reason?: string;
    message?: string;
    podIP?: string;
    hostIP?: string;
    startTime?: string;
    conditions?: ConditionLike[];
    containerStatuses?: ContainerStatusLike[];
    flotilla?: PodExtra;
  };
  const from = status.flotilla?.bundle;
  const origin = from
    ? `bundle ${from.namespace}/${from.name} revision ${from.revision}`
    : (status.flotilla?.source ?? '');
  return [
    ...fields([
      ['Node', spec.nodeName ?? ''],
      ['Source', origin],
      [
        'Status',
        [status.phase ?? '', status.reason ?? '', status.message ?? '']
          .filter(t => t !== '')
          .join(': '),
      ],
      ['Start Time', status.startTime ?? ''],
      ['IP', status.podIP ?? ''],
      ['Host IP', status.hostIP ?? ''],
    ]),
    'Containers:',
    ...(status.containerStatuses ?? []).flatMap(containerLines),
    ...conditionLines(status.conditions ?? []),
  ];
}

function stateText(state: ContainerStatusLike['state']): string {
  const [name, detail] = Object.entries(state ?? {})[0] ?? ['', undefined];
  if (!detail) return name === '' ? '<none>' : name;
  const code = detail.exitCode === undefined ? '' : ` (exit code ${detail.exitCode})`;
  const why = [detail.reason, detail.message]
    .filter(text => text !== undefined && text !== '')
    .join(': ');
  const when = detail.finishedAt
    ? ` at ${detail.finishedAt}`
    : detail.startedAt
      ? ` since ${detail.startedAt}`
      : '';
  return `${name}${code}${why ? `: ${why}` : ''}${when}`;
}

function containerLines(container: ContainerStatusLike): string[] {
  return indent([
    `${container.name}:`,
    ...indent(
      fields([
        ['Image', container.image ?? ''],
        ['Container ID', container.containerID ?? ''],
        ['State', stateText(container.state)],
        ['Last State', stateText(container.lastState)],
        ['Ready', String(container.ready ?? false)],
        ['Restarts', String(container.restartCount ?? 0)],
      ]),
    ),
  ]);
}

/** In the order of the API's answer: as they happened. */
function eventLines({ events, now }: Described): string[] {
  if (events.length === 0) return ['Events: <none>'];
  const rows = events
    .map(event => event as unknown as EventSpec)
    .slice(-30)
    .map(e => [
      e.type,
      e.reason,
      ageText(now - Date.parse(e.lastTimestamp)),
      [e.source.component, e.source.host].filter(part => part !== '').join(', '),
      e.message,
    ]);
  const head = ['Type', 'Reason', 'Age', 'From', 'Message'];
  return ['Events:', ...indent(layOut([head, ...rows]))];
}
