/**
 * Every topic in one table: who publishes it, whether it is retained. QoS is 1 everywhere. No topic holds a name
 * that a user chose, but for the node's id.
 */

const ROOT = 'flotilla/v1';

export const TOPICS = {
  hub: { publisher: 'hub', retained: true },
  mark: { publisher: 'hub', retained: true },
  root: { publisher: 'hub', retained: true },
  blob: { publisher: 'hub', retained: true },
  assignment: { publisher: 'hub', retained: true },
  answer: { publisher: 'hub', retained: false },
  time: { publisher: 'hub', retained: false },
  command: { publisher: 'hub', retained: false },
  ack: { publisher: 'hub', retained: false },
  stream: { publisher: 'hub', retained: false },
  presence: { publisher: 'node', retained: true },
  request: { publisher: 'node', retained: false },
  status: { publisher: 'node', retained: true },
  pod: { publisher: 'node', retained: false },
  event: { publisher: 'node', retained: false },
  reply: { publisher: 'node', retained: false },
} as const satisfies Record<string, { publisher: 'hub' | 'node'; retained: boolean }>;

export type TopicKind = keyof typeof TOPICS;
export type NodeTopicKind = Exclude<TopicKind, 'hub' | 'mark' | 'root' | 'blob'>;

export const NODE_TOPIC_KINDS = (Object.keys(TOPICS) as TopicKind[]).filter(
  (kind): kind is NodeTopicKind => !['hub', 'mark', 'root', 'blob'].includes(kind),
);

/** What a topic says; `rest` is the last level of `pod`, `stream` and `reply`. */
export type Address =
  | { readonly kind: 'hub' | 'mark' | 'root' }
  | { readonly kind: 'root'; readonly version: number }
  | { readonly kind: 'blob'; readonly digest: string }
  | { readonly kind: NodeTopicKind; readonly node: string; readonly rest?: string };

export interface Topics {
  readonly prefix: string;
  hub(): string;
  mark(): string;
  root(version?: number): string;
  blob(digest: string): string;
  node(node: string, kind: NodeTopicKind, rest?: string): string;
  /** Filter of one kind for all nodes: what the hub subscribes to. */
  everyNode(kind: NodeTopicKind): string;
  /** Null for what is not ours or not in the table. */
  parse(topic: string): Address | null;
}

const WITH_REST: ReadonlySet<string> = new Set(['pod', 'stream', 'reply']);

/** Topics of one fleet; `fleet` is 32 hex digits. */
export function topicsOf(fleet: string): Topics {
  const prefix = `${ROOT}/${fleet}/`;
  return {
    prefix,
    hub: () => `${prefix}hub`,
    mark: () => `${prefix}mark`,
    root: version => (version === undefined ? `${prefix}root` : `${prefix}root/${version}`),
    blob: digest => `${prefix}blob/${digest}`,
    node: (node, kind, rest) =>
      rest === undefined
        ? `${prefix}node/${node}/${kind}`
        : `${prefix}node/${node}/${kind}/${rest}`,
    everyNode: kind => `${prefix}node/+/${kind}${WITH_REST.has(kind) ? '/+' : ''}`,
    parse: topic =>
      topic.startsWith(prefix) ? parseLevels(topic.slice(prefix.length).split('/')) : null,
  };
}

function parseLevels(levels: string[]): Address | null {
  const [first, second, third, fourth] = levels;
  if (levels.length === 1 && (first === 'hub' || first === 'mark' || first === 'root'))
    return { kind: first };
  if (levels.length === 2 && first === 'root' && second && /^[1-9]\d{0,14}$/.test(second)) {
    return { kind: 'root', version: Number(second) };
  }
  if (levels.length === 2 && first === 'blob' && second && /^[0-9a-f]{64}$/.test(second)) {
    return { kind: 'blob', digest: second };
  }
  if (first !== 'node' || !second || !third) return null;
  const kind = NODE_TOPIC_KINDS.find(k => k === third);
  if (!kind) return null;
  if (WITH_REST.has(kind)) {
    return levels.length === 4 && fourth ? { kind, node: second, rest: fourth } : null;
  }
  return levels.length === 3 ? { kind, node: second } : null;
}
