/** From what Mosquitto's dynamic security has and who belongs to the fleet to commands, and nothing more. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  afterSteps,
  batches,
  decideSecurity,
  type Held,
  type HeldClient,
} from '../../../hub/broker/dynamic-security-decide.js';
import {
  hubRole,
  nodeClient,
  nodeRoleName,
  nodesRole,
} from '../../../hub/broker/dynamic-security-rules.js';
import { topicsOf } from '../../../protocol/topics.js';

const topics = topicsOf('ab'.repeat(16));
const HUB: HeldClient = { username: 'flotilla-hub', roles: [{ rolename: 'flotilla-hub' }] };

/** A broker in step with these nodes. */
function inStep(...nodes: string[]): Held {
  const clients = [HUB, ...nodes.map(node => nodeClient(topics, node))];
  return {
    clients: new Map(clients.map(client => [client.username, client])),
    roles: new Set(['flotilla-hub', 'flotilla-nodes', ...nodes.map(nodeRoleName)]),
    shared: new Map([hubRole(topics), nodesRole(topics)].map(r => [r.rolename, r.acls])),
  };
}

function without(held: Held, what: { client?: string; role?: string }): Held {
  const clients = new Map(held.clients);
  const roles = new Set(held.roles);
  if (what.client !== undefined) clients.delete(what.client);
  if (what.role !== undefined) roles.delete(what.role);
  return { ...held, clients, roles };
}

function withClient(held: Held, client: HeldClient): Held {
  return { ...held, clients: new Map([...held.clients, [client.username, client]]) };
}

const commandsOf = (held: Held, ...wanted: string[]) =>
  decideSecurity(held, new Set(wanted), topics).steps.flatMap(step =>
    step.commands.map(command =>
      ['command', 'username', 'rolename']
        .map(field => command[field])
        .filter(word => typeof word === 'string')
        .join(' '),
    ),
  );

describe('dynamic security', () => {
  const A = nodeRoleName('a');
  const ROWS: readonly [string, Held, readonly string[], readonly string[]][] = [
    ['in step: nothing', inStep('a', 'b'), ['a', 'b'], []],
    [
      'a new node: its role before it, what it may do last, which sends an early one away',
      inStep(),
      ['a'],
      [
        `createRole ${A}`,
        'createClient a',
        'addClientRole a flotilla-nodes',
        `addClientRole a ${A}`,
      ],
    ],
    [
      'a node that is gone: the client before its role, and before all else',
      without(inStep('a'), { client: 'none' }),
      ['b'],
      [
        'deleteClient a',
        `deleteRole ${A}`,
        `createRole ${nodeRoleName('b')}`,
        'createClient b',
        'addClientRole b flotilla-nodes',
        `addClientRole b ${nodeRoleName('b')}`,
      ],
    ],
    [
      'a role without its client, of a run that was cut off',
      without(inStep('a'), { client: 'a' }),
      [],
      ['deleteClient a', `deleteRole ${A}`],
    ],
    [
      'the same for a node that belongs here',
      without(inStep('a'), { client: 'a' }),
      ['a'],
      [
        `modifyRole ${A}`,
        'createClient a',
        'addClientRole a flotilla-nodes',
        `addClientRole a ${A}`,
      ],
    ],
    [
      'a client without its role',
      without(inStep('a'), { role: A }),
      ['a'],
      [`createRole ${A}`, 'modifyClient a'],
    ],
    [
      'rules of a former version',
      withClient(inStep('a'), { ...nodeClient(topics, 'a'), textname: 'Flotilla node, rules 0' }),
      ['a'],
      [`modifyRole ${A}`, 'modifyClient a'],
    ],
    [
      'a shared role that somebody emptied',
      {
        ...inStep('a'),
        shared: new Map([
          ['flotilla-nodes', []],
          ['flotilla-hub', hubRole(topics).acls],
        ]),
      },
      ['a'],
      ['modifyRole flotilla-nodes'],
    ],
    ['a client of somebody else', withClient(inStep(), { username: 'x', roles: [] }), [], []],
  ];
  for (const [sentence, held, wanted, expected] of ROWS) {
    test(sentence, () => {
      assert.deepEqual(commandsOf(held, ...wanted), expected);
      const { steps } = decideSecurity(held, new Set(wanted), topics);
      const after = afterSteps(held, steps, topics);
      assert.deepEqual(commandsOf(after, ...wanted), [], 'a second time there is nothing to do');
    });
  }

  test('who is neither a node nor ever was one is named, not touched; the hub is not named', () => {
    const held = withClient(inStep('a'), {
      username: 'dashboard',
      roles: [{ rolename: 'viewer' }],
    });
    assert.deepEqual(decideSecurity(held, new Set(['a']), topics).foreign, ['dashboard']);
  });

  test('a role that somebody gave a node besides stays', () => {
    const more = { ...nodeClient(topics, 'a'), textname: 'other' };
    const held = withClient(inStep('a'), {
      ...more,
      roles: [...more.roles, { rolename: 'viewer' }],
    });
    const [step] = decideSecurity(held, new Set(['a']), topics).steps;
    assert.deepEqual(step?.commands[1]?.['roles'], [
      ...nodeClient(topics, 'a').roles,
      { rolename: 'viewer' },
    ]);
  });

  test('ten thousand nodes go in batches whose message is far below the limit', () => {
    const nodes = Array.from({ length: 10_000 }, (_, n) => `${'x'.repeat(58)}${n}`);
    const { steps } = decideSecurity(inStep(), new Set(nodes), topics);
    const all = batches(steps, 10);
    assert.equal(all.flat().length, 10_000);
    for (const batch of all.slice(0, 20)) {
      const bytes = JSON.stringify(batch.flatMap(step => step.commands)).length;
      assert.ok(bytes < 60_000, `${bytes}`);
    }
  });
});
