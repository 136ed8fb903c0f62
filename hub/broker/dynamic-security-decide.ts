/**
 * What Mosquitto's dynamic security has, what it should have, and the commands between the two. Pure.
 * Commands of one node belong together and stand in an order that is safe at any point: a client is
 * made before it may do anything and goes before its role (Mosquitto 2.0.15 dies of the reverse,
 * issue 2660). Running them twice is no harm: what is there, or gone, already counts as done.
 */
import type { Topics } from '../../protocol/topics.js';
import { HUB_NAME } from '../setup/pki.js';
import {
  HUB_ROLE,
  hubRole,
  nodeOfRole,
  nodeRole,
  nodeRoleName,
  nodeTextname,
  NODES_ROLE,
  nodesRole,
  type Acl,
  type Role,
} from './dynamic-security-rules.js';

export interface HeldClient {
  readonly username: string;
  readonly textname?: string | undefined;
  readonly roles: readonly { readonly rolename: string }[];
}

/** What the broker has: all clients, the names of all roles, and the two roles that are the same for all. */
export interface Held {
  readonly clients: ReadonlyMap<string, HeldClient>;
  readonly roles: ReadonlySet<string>;
  readonly shared: ReadonlyMap<string, readonly Acl[]>;
}

export type SecurityCommand = { readonly command: string } & Readonly<Record<string, unknown>>;

/** Of one node, or of a shared role: sent together. */
export interface Step {
  /** Null: a role that is the same for all. */
  readonly node: string | null;
  readonly action: 'admit' | 'mend' | 'remove';
  readonly commands: readonly SecurityCommand[];
}

export interface Decision {
  /** Removals first. */
  readonly steps: readonly Step[];
  /** User names that are neither nodes in good standing nor ever were ours: left as they are. */
  readonly foreign: readonly string[];
}

/** What the broker answers to a command for what is done already. */
export const DONE_ALREADY: ReadonlySet<string> = new Set([
  'Client already exists',
  'Role already exists',
  'Client not found',
  'Role not found',
]);

export function decideSecurity(held: Held, wanted: ReadonlySet<string>, topics: Topics): Decision {
  const textname = nodeTextname(topics);
  const removals: Step[] = [];
  const foreign: string[] = [];
  for (const { username, roles } of held.clients.values()) {
    if (wanted.has(username) || username === HUB_NAME) continue;
    const own = nodeRoleName(username);
    if (!roles.some(({ rolename }) => rolename === own)) foreign.push(username);
    else removals.push(removal(username));
  }
  for (const rolename of held.roles) {
    const node = nodeOfRole(rolename);
    if (node === null || wanted.has(node)) continue;
    const client = held.clients.get(node);
    if (!client) removals.push(removal(node));
  }
  const others: Step[] = [];
  for (const node of wanted) {
    const step = nodeStep({ held, node, topics, textname });
    if (step) others.push(step);
  }
  return { steps: [...removals, ...sharedSteps(held, topics), ...others], foreign };
}

/** Removing the client cuts its connections; one that comes back then may do nothing. */
function removal(node: string): Step {
  const commands = [
    { command: 'deleteClient', username: node },
    { command: 'deleteRole', rolename: nodeRoleName(node) },
  ];
  return { node, action: 'remove', commands };
}

function sharedSteps({ shared }: Held, topics: Topics): Step[] {
  const wrong = [nodesRole(topics), hubRole(topics)].filter(
    ({ rolename, acls }) => aclKey(shared.get(rolename) ?? []) !== aclKey(acls),
  );
  return wrong.map(role => ({
    node: null,
    action: 'mend',
    commands: [roleCommand(role, shared.has(role.rolename))],
  }));
}

function nodeStep(of: {
  readonly held: Held;
  readonly node: string;
  readonly topics: Topics;
  readonly textname: string;
}): Step | null {
  const { held, node, topics, textname } = of;
  const client = held.clients.get(node);
  const own = nodeRoleName(node);
  const hasRole = held.roles.has(own);
  const roles = new Set(client?.roles.map(({ rolename }) => rolename));
  const isWhole = hasRole && roles.has(own) && roles.has(NODES_ROLE);
  if (client && isWhole && client.textname === textname) return null;
  const role = roleCommand(nodeRole(topics, node), hasRole);
  if (client) {
    const kept = [...new Set([...roles, own, NODES_ROLE])].map(rolename => ({ rolename }));
    const mend = { command: 'modifyClient', username: node, textname, roles: kept };
    return { node, action: 'mend', commands: [role, mend] };
  }
  const create = { command: 'createClient', username: node, textname };
  // A device that was there first was refused its subscriptions: a role that is added sends it away,
  // and it comes back.
  const add = [NODES_ROLE, own].map(rolename => {
    return { command: 'addClientRole', username: node, rolename };
  });
  return { node, action: 'admit', commands: [role, create, ...add] };
}

function roleCommand(role: Role, isThere: boolean): SecurityCommand {
  return { command: isThere ? 'modifyRole' : 'createRole', ...role };
}

/** The same for the same rules in any order. */
function aclKey(acls: readonly Acl[]): string {
  return acls
    .map(({ acltype, topic, allow }) => `${acltype} ${topic} ${allow}`)
    .sort()
    .join('\n');
}

/** What the broker has after these steps. */
export function afterSteps(held: Held, steps: readonly Step[], topics: Topics): Held {
  const clients = new Map(held.clients);
  const roles = new Set(held.roles);
  const shared = new Map(held.shared);
  const textname = nodeTextname(topics);
  for (const { node, action } of steps) {
    if (node === null) {
      for (const role of [nodesRole(topics), hubRole(topics)]) {
        shared.set(role.rolename, role.acls);
        roles.add(role.rolename);
      }
    } else if (action === 'remove') {
      clients.delete(node);
      roles.delete(nodeRoleName(node));
    } else {
      const before = clients.get(node)?.roles ?? [];
      const names = new Set([...before.map(r => r.rolename), nodeRoleName(node), NODES_ROLE]);
      roles.add(nodeRoleName(node));
      clients.set(node, {
        username: node,
        textname,
        roles: [...names].map(rolename => ({ rolename })),
      });
    }
  }
  return { clients, roles, shared };
}

/** Consecutive steps, so many at a time that one message holds them and the broker is not kept long. */
export function batches(steps: readonly Step[], size: number): readonly (readonly Step[])[] {
  const count = Math.ceil(steps.length / size);
  return Array.from({ length: count }, (_, i) => steps.slice(i * size, (i + 1) * size));
}

export const SHARED_ROLES = [HUB_ROLE, NODES_ROLE] as const;
