/**
 * The blocks of `describe`, laid out as kubectl does: for the operator's program, which asks the hub, and for the one at the
 * device, which asks the agent. Pure.
 */
import { ageText, layOut } from './columns.js';

const EVENTS_SHOWN = 30;
/** The longest name that there is, so that the blocks of one description stand in one column. */
const NAME_WIDTH = 'Last refusal'.length;

export interface ConditionLike {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export interface ContainerStatusLike {
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

export interface EventLike {
  readonly type: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly lastTimestamp: string;
  readonly source: { readonly component: string; readonly host: string };
  readonly message: string;
}

export interface DescribedPod {
  readonly nodeName: string;
  /** Where its manifest comes from. */
  readonly origin: string;
  readonly status: {
    phase?: string;
    reason?: string;
    message?: string;
    podIP?: string;
    hostIP?: string;
    startTime?: string;
    conditions?: ConditionLike[];
    initContainerStatuses?: ContainerStatusLike[];
    containerStatuses?: ContainerStatusLike[];
  };
}

export function fields(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(NAME_WIDTH, ...rows.map(([name]) => name.length)) + 3;
  return rows.map(([name, value]) => {
    const [first = '', ...more] = value.split('\n');
    return [
      `${`${name}:`.padEnd(width)}${first}`,
      ...more.map(line => ' '.repeat(width) + line),
    ].join('\n');
  });
}

export function pairs(values: Readonly<Record<string, string>> | undefined): string {
  const lines = Object.entries(values ?? {}).map(([key, value]) => `${key}=${value}`);
  return lines.length === 0 ? '<none>' : lines.sort().join('\n');
}

export function conditionLines(conditions: readonly ConditionLike[]): string[] {
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

export function indent(lines: readonly string[]): string[] {
  return lines.map(line => `  ${line}`);
}

export function podLines({ nodeName, origin, status }: DescribedPod): string[] {
  const init = (status.initContainerStatuses ?? []).flatMap(containerLines);
  return [
    ...fields([
      ['Node', nodeName],
      ['Source', origin],
      [
        'Status',
        [status.phase ?? '', status.reason ?? '', status.message ?? '']
          .filter(text => text !== '')
          .join(': '),
      ],
      ['Start Time', status.startTime ?? ''],
      ['IP', status.podIP ?? ''],
      ['Host IP', status.hostIP ?? ''],
    ]),
    ...(init.length === 0 ? [] : ['Init Containers:', ...init]),
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

/** The newest of them, in the order in which they are given: as they happened. `now` in milliseconds since 1970. */
export function eventLines(events: readonly EventLike[], now: number): string[] {
  if (events.length === 0) return ['Events: <none>'];
  const rows = events
    .slice(-EVENTS_SHOWN)
    .map(({ type, reason, lastTimestamp, source, message }) => [
      type,
      reason,
      ageText(now - Date.parse(lastTimestamp)),
      [source.component, source.host].filter(part => part !== '').join(', '),
      message,
    ]);
  const head = ['Type', 'Reason', 'Age', 'From', 'Message'];
  return ['Events:', ...indent(layOut([head, ...rows]))];
}
