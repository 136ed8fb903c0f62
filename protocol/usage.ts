/**
 * What a node uses, by kind: bytes that crossed its link, bytes of images that it pulled, bytes that it wrote. Today, this month and in all;
 * days and months are those of UTC. Both programs lay it out with these functions. Pure.
 */
import type { UsageReport } from './documents/node.js';
import { indent } from './description.js';
import { layOut } from './columns.js';
import type { TopicKind } from './topics.js';

/** Today, this month, in all. */
export type UsageRow = readonly [day: number, month: number, all: number];

/** Messages by what they are for. Names are API: never renamed. */
export type MessageUsage =
  | 'assignments'
  | 'content'
  | 'status'
  | 'pods'
  | 'events'
  | 'streams'
  | 'requests'
  | 'acks'
  | 'presence';

/** What is counted: at the socket, by message, and beside the link. */
export type UsageName = 'in' | 'out' | MessageUsage | 'images' | 'written';

/** Trust and assignment belong together: what the node is to run, and by whose word. */
const OF_TOPIC: Readonly<Record<TopicKind, MessageUsage>> = {
  assignment: 'assignments',
  root: 'assignments',
  blob: 'content',
  status: 'status',
  pod: 'pods',
  event: 'events',
  stream: 'streams',
  reply: 'streams',
  command: 'requests',
  request: 'requests',
  answer: 'requests',
  time: 'requests',
  ack: 'acks',
  hub: 'presence',
  mark: 'presence',
  presence: 'presence',
};

export const MESSAGE_USAGES = [...new Set(Object.values(OF_TOPIC))];

export function usageOf(topic: TopicKind): MessageUsage {
  return OF_TOPIC[topic];
}

/**
 * Bytes of a PUBLISH of QoS 1 on the wire before TLS (MQTT 3.1.1, 2.2.3 and 3.3): fixed header, topic, packet id, payload.
 */
export function publishBytes(topic: string, payloadBytes: number): number {
  const remaining = 2 + Buffer.byteLength(topic) + 2 + payloadBytes;
  const digits = remaining < 128 ? 1 : remaining < 16_384 ? 2 : remaining < 2_097_152 ? 3 : 4;
  return 1 + digits + remaining;
}

const NOTHING: UsageRow = [0, 0, 0];

export type UsageCounts = Readonly<Partial<Record<UsageName, UsageRow>>>;

/** What is no message: TLS with its handshakes, keep-alive, subscriptions, the broker's own acknowledgements. */
export function linkOverhead(counts: UsageCounts): UsageRow {
  const of = (name: UsageName, at: 0 | 1 | 2) => (counts[name] ?? NOTHING)[at];
  const rest = (at: 0 | 1 | 2) => {
    const messages = MESSAGE_USAGES.reduce((sum, name) => sum + of(name, at), 0);
    return Math.max(0, of('in', at) + of('out', at) - messages);
  };
  return [rest(0), rest(1), rest(2)];
}

export function linkTotal(counts: UsageCounts): UsageRow {
  const [inward, outward] = [counts.in ?? NOTHING, counts.out ?? NOTHING];
  return [inward[0] + outward[0], inward[1] + outward[1], inward[2] + outward[2]];
}

const KIB = 1024;

/** As it travels: KiB that were begun, what is zero left out. */
export function usageReport(
  since: string,
  counts: UsageCounts,
  { link, writes }: { readonly link: number | null; readonly writes: number | null },
): UsageReport {
  const kib = (bytes: number) => Math.ceil(bytes / KIB);
  const rows = Object.entries(counts)
    .filter(([, row]) => row[2] > 0)
    .map(([name, row]): [string, number[]] => [name, row.map(kib)]);
  return {
    since,
    kib: Object.fromEntries(rows),
    ...(link === null ? {} : { linkBudget: link }),
    ...(writes === null ? {} : { writeBudget: writes }),
  };
}

/** What does not fit is left out: a node that reports nonsense shows nonsense about itself. */
export function reportedCounts({ kib }: Pick<UsageReport, 'kib'>): UsageCounts {
  const known: readonly string[] = ['in', 'out', ...MESSAGE_USAGES, 'images', 'written'];
  const rows = Object.entries(kib)
    .filter(([name, row]) => known.includes(name) && row.length === 3)
    .map(([name, row]) => [name, row.map(one => one * KIB)]);
  return Object.fromEntries(rows) as UsageCounts;
}

/** `17 B`, `4.2 KiB`, `120 MiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [bytes, 0];
  while (value >= KIB && unit < units.length - 1) [value, unit] = [value / KIB, unit + 1];
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit] ?? ''}`;
}

const LABELS: readonly (readonly [UsageName, string])[] = [
  ['assignments', 'Assignments'],
  ['content', 'Content'],
  ['status', 'Status'],
  ['pods', 'Pods'],
  ['events', 'Events'],
  ['streams', 'Streams'],
  ['requests', 'Requests'],
  ['acks', 'Acknowledgements'],
  ['presence', 'Presence'],
];

/** A table for a person; `since`: RFC 3339. */
export function usageLines(since: string, counts: UsageCounts): string[] {
  const line = (label: string, row: UsageRow) => [label, ...row.map(bytesText)];
  const rows = LABELS.flatMap(([name, label]) => {
    const row = counts[name];
    return row === undefined ? [] : [line(`  ${label}`, row)];
  });
  const beside = (name: UsageName, label: string) => {
    const row = counts[name];
    return row === undefined ? [] : [line(label, row)];
  };
  const head = ['', 'Today', 'This month', `Since ${since.slice(0, 10)}`];
  return [
    'Usage:',
    ...indent(
      layOut([
        head,
        line('Link', linkTotal(counts)),
        line('  in', counts.in ?? NOTHING),
        line('  out', counts.out ?? NOTHING),
        ...rows,
        line('  TLS, keep-alive', linkOverhead(counts)),
        ...beside('images', 'Images pulled'),
        ...beside('written', 'Written to disk'),
      ]),
    ),
  ];
}
