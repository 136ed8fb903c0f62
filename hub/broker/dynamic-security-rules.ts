/**
 * Mosquitto's dynamic security in the fleet's terms: one client and one role for each node, because
 * roles know no `%u` before Mosquitto 2.1, and a role for what is the same for all. Values only.
 * A client is ours when it has the role that bears its name; whatever else somebody keeps there is
 * his (https://mosquitto.org/documentation/dynamic-security/).
 */
import { sha256Hex } from '../../protocol/canonical.js';
import type { Topics } from '../../protocol/topics.js';
import { HUB_NAME } from '../setup/pki.js';
import { hubFilters, nodeFilters, sharedFilters, type AccessFilters } from './access.js';

/** The role of the hub's own client, and of what every node reads. */
export const HUB_ROLE = 'flotilla-hub';
export const NODES_ROLE = 'flotilla-nodes';
const NODE_ROLE_PREFIX = 'flotilla-node-';

export const CONTROL_TOPIC = '$CONTROL/dynamic-security/v1';
export const CONTROL_RESPONSE_TOPIC = `${CONTROL_TOPIC}/response`;
const CONTROL_FILTER = '$CONTROL/dynamic-security/#';

export interface Acl {
  readonly acltype:
    'publishClientSend' | 'publishClientReceive' | 'subscribePattern' | 'unsubscribePattern';
  readonly topic: string;
  readonly priority: number;
  readonly allow: boolean;
}

export interface Role {
  readonly rolename: string;
  readonly acls: readonly Acl[];
}

export function nodeRoleName(node: string): string {
  return `${NODE_ROLE_PREFIX}${node}`;
}

/** The node whose role this is; null for a role of somebody else's. */
export function nodeOfRole(rolename: string): string | null {
  return rolename.startsWith(NODE_ROLE_PREFIX) ? rolename.slice(NODE_ROLE_PREFIX.length) : null;
}

export function nodeRole(topics: Topics, node: string): Role {
  const shared = new Set(sharedFilters(topics));
  const { publish, read } = nodeFilters(topics, node);
  const own = read.filter(filter => !shared.has(filter));
  return { rolename: nodeRoleName(node), acls: aclsOf({ publish, read: own }) };
}

export function nodesRole(topics: Topics): Role {
  return { rolename: NODES_ROLE, acls: aclsOf({ publish: [], read: sharedFilters(topics) }) };
}

export function hubRole(topics: Topics): Role {
  const { publish, read } = hubFilters(topics);
  const control = { publish: [CONTROL_FILTER], read: [CONTROL_FILTER] };
  return { rolename: HUB_ROLE, acls: [...aclsOf({ publish, read }), ...aclsOf(control)] };
}

function aclsOf({ publish, read }: AccessFilters): Acl[] {
  const allow = (acltype: Acl['acltype']) => (topic: string) => {
    return { acltype, topic, priority: 0, allow: true };
  };
  return [
    ...publish.map(allow('publishClientSend')),
    ...read.map(allow('publishClientReceive')),
    ...read.map(allow('subscribePattern')),
  ];
}

/** Written beside each client, so that one whose rules are of another version is found. */
export function nodeTextname(topics: Topics): string {
  const rules = JSON.stringify(nodeRole(topics, '%u').acls);
  return `Flotilla node, rules ${sha256Hex(rules).slice(0, 8)}`;
}

export interface SecurityClient {
  readonly username: string;
  readonly textname: string;
  readonly roles: readonly { readonly rolename: string }[];
}

export function nodeClient(topics: Topics, node: string): SecurityClient {
  const roles = [nodeRoleName(node), NODES_ROLE].map(rolename => ({ rolename }));
  return { username: node, textname: nodeTextname(topics), roles };
}

/**
 * What the broker begins with: the hub, which may administer it, the nodes that belong to the fleet,
 * and nobody else. Nothing is allowed that no role allows; no password is set, so that certificates
 * alone open it.
 */
export function initialDynamicSecurity(topics: Topics, nodes: readonly string[]): string {
  const hub: SecurityClient = {
    username: HUB_NAME,
    textname: 'The Flotilla hub',
    roles: [{ rolename: HUB_ROLE }],
  };
  const document = {
    defaultACLAccess: {
      publishClientSend: false,
      publishClientReceive: false,
      subscribe: false,
      unsubscribe: true,
    },
    clients: [hub, ...nodes.map(node => nodeClient(topics, node))],
    groups: [],
    roles: [hubRole(topics), nodesRole(topics), ...nodes.map(node => nodeRole(topics, node))],
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}
