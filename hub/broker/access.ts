/**
 * Who may do what at the broker (design.md section 4, security.md 1.9): a table lookup, no state;
 * asked by the embedded broker, and written down as filters for one that is told its rules. A node publishes only under its own topics and only what the table gives to nodes, and
 * reads its own topics, `hub`, `root…` and blobs by digest; the hub publishes the hub's, empties what
 * nodes leave retained, and reads all. Defence in depth: nothing rests on it.
 */
import { isNodeName } from '../../protocol/names.js';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import { TOPICS, type TopicKind, type Topics } from '../../protocol/topics.js';
import { HUB_NAME, ORGANISATION, type Peer } from '../setup/pki.js';

/** Whom a verified client certificate stands for at the broker. */
export type BrokerClient =
  { readonly kind: 'hub' } | { readonly kind: 'node'; readonly node: string };

/**
 * Null for certificates that are not for the broker (an operator's) or name no proper node (S67).
 * The hub's is known by its key: a name alone proves nothing.
 */
export function brokerClientOf(peer: Peer, hubTlsKey: string): BrokerClient | null {
  const { organisation, commonName } = peer;
  if (organisation === ORGANISATION.hub) {
    return commonName === HUB_NAME && peer.tlsKey === hubTlsKey ? { kind: 'hub' } : null;
  }
  if (organisation !== ORGANISATION.nodes || !isNodeName(commonName)) return null;
  return { kind: 'node', node: commonName };
}

/**
 * A node's client identifier is its name, so that nobody can push another from its session (S66).
 * The hub's begins with its own; what follows a colon, which no node's name can hold, keeps several
 * of its connections apart.
 */
export function mayUseClientId(client: BrokerClient, clientId: string): boolean {
  if (client.kind === 'node') return clientId === client.node;
  return clientId === HUB_NAME || clientId.startsWith(`${HUB_NAME}:`);
}

export interface PublishRequest {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly payloadBytes: number;
}

/** Retained topics of nodes: those of a node that is gone the hub empties. */
export const CLEARED_KINDS = ['presence', 'status'] as const satisfies readonly TopicKind[];

/** Null: allowed; else why not. Wills are judged by the same rule. */
export function publishFault(
  client: BrokerClient,
  request: PublishRequest,
  topics: Topics,
): string | null {
  const address = topics.parse(request.topic);
  if (!address) return 'not a topic of this fleet';
  const { publisher, retained } = TOPICS[address.kind];
  const clears = client.kind === 'hub' && CLEARED_KINDS.some(kind => kind === address.kind);
  if (publisher !== client.kind && !clears)
    return `"${address.kind}" is published by the ${publisher} alone`;
  if (client.kind === 'node' && !('node' in address && address.node === client.node)) {
    return 'the topic of another node';
  }
  if (request.qos > 1) return 'QoS 2 is not used';
  if (request.retain && !retained) return `"${address.kind}" is not retained`;
  if (request.payloadBytes > MESSAGE_BYTES_MAX) {
    return `${request.payloadBytes} bytes, the limit is ${MESSAGE_BYTES_MAX}`;
  }
  return null;
}

/** Wildcards are for the hub, but for `root/+` and a node's own `stream/+`. */
export function maySubscribe(client: BrokerClient, filter: string, topics: Topics): boolean {
  if (client.kind === 'hub') return filter.startsWith(topics.prefix);
  if (filter === `${topics.root()}/+`) return true;
  if (filter === topics.node(client.node, 'stream', '+')) return true;
  if (/[+#]/.test(filter)) return false;
  const address = topics.parse(filter);
  if (!address) return false;
  if ('node' in address) return address.node === client.node;
  return address.kind !== 'mark';
}

/** What one client may publish and read, as filters for a broker that is told its rules. */
export interface AccessFilters {
  readonly publish: readonly string[];
  readonly read: readonly string[];
}

const KINDS = Object.keys(TOPICS) as TopicKind[];

/** `node`: its name, or what the broker puts the name of the client in place of (`%u`). */
export function nodeFilters(topics: Topics, node: string): AccessFilters {
  const filters = filtersOf('node', topics);
  return {
    publish: filters.map(filter => filter.replace(`${topics.prefix}node/+/`, ownOf(topics, node))),
    read: [...sharedFilters(topics), `${ownOf(topics, node)}#`],
  };
}

/** What every node reads. */
export function sharedFilters(topics: Topics): readonly string[] {
  return filtersOf('hub', topics).filter(
    filter => filter !== topics.mark() && !filter.startsWith(ownOf(topics, '+')),
  );
}

export function hubFilters(topics: Topics): AccessFilters {
  const clears = CLEARED_KINDS.map(kind => topics.everyNode(kind));
  return { publish: [...filtersOf('hub', topics), ...clears], read: [`${topics.prefix}#`] };
}

function ownOf({ prefix }: Topics, node: string): string {
  return `${prefix}node/${node}/`;
}

function filtersOf(publisher: 'hub' | 'node', topics: Topics): string[] {
  return KINDS.filter(kind => TOPICS[kind].publisher === publisher).flatMap(kind => {
    if (kind === 'hub' || kind === 'mark') return [topics[kind]()];
    if (kind === 'root') return [topics.root(), `${topics.root()}/+`];
    return kind === 'blob' ? [topics.blob('+')] : [topics.everyNode(kind)];
  });
}
