/** What a broker answers to the hub's commands, and what is none of it: sentence → input → expectation. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { answersIn } from '../../../hub/broker/dynamic-security-answers.js';

const read = (value: unknown) => answersIn(Buffer.from(JSON.stringify(value)));
const NOTHING = { totalCount: 0, clients: [], roles: [], acls: [] };

describe('answers of the dynamic security', () => {
  test('clients, roles and rules, as far as the hub looks at them', () => {
    const acl = { acltype: 'subscribePattern', topic: 'a/#', priority: 0, allow: true };
    const roles = [{ rolename: 'r', priority: 1 }];
    const found = read({
      responses: [
        {
          ...{ command: 'listClients', correlationData: '1' },
          data: {
            totalCount: 2,
            clients: [{ username: 'a', textname: 't', roles, groups: [] }, { username: 'b' }],
          },
        },
        { command: 'listRoles', data: { totalCount: 1, roles: ['r'] } },
        { command: 'getRole', data: { role: { rolename: 'r', acls: [acl] } } },
        { command: 'createRole', error: 'Role already exists' },
      ],
    });
    assert.deepEqual(found, [
      {
        ...{ command: 'listClients', correlationData: '1' },
        data: {
          ...NOTHING,
          totalCount: 2,
          clients: [
            { username: 'a', textname: 't', roles: [{ rolename: 'r' }] },
            { username: 'b', textname: undefined, roles: [] },
          ],
        },
      },
      { command: 'listRoles', data: { ...NOTHING, totalCount: 1, roles: ['r'] } },
      { command: 'getRole', data: { ...NOTHING, acls: [acl] } },
      { command: 'createRole', error: 'Role already exists' },
    ]);
  });

  const none: readonly [string, unknown][] = [
    ['null', null],
    ['no list', { responses: {} }],
    ['an answer that is null', { responses: [null] }],
    ['a client without a name', { responses: [{ data: { clients: [{ roles: [] }] } }] }],
    [
      'a role of a client that is null',
      { responses: [{ data: { clients: [{ username: 'a', roles: [null] }] } }] },
    ],
    ['roles that are no texts', { responses: [{ data: { roles: [1] } }] }],
    ['a count that is none', { responses: [{ data: { totalCount: 1e400 } }] }],
    ['an error that is no text', { responses: [{ error: {} }] }],
    ['rules that are none', { responses: [{ data: { role: { acls: [{ topic: 1 }] } } }] }],
  ];
  for (const [sentence, value] of none)
    test(`no answer: ${sentence}`, () => {
      assert.deepEqual(read(value), []);
    });

  test('no answer: no JSON', () => {
    assert.deepEqual(answersIn(Buffer.from('{')), []);
  });

  test('an error without end is cut, and says nothing that a log would obey', () => {
    const [answer] = read({ responses: [{ error: `\n${'x'.repeat(100_000)}` }] });
    assert.equal(answer?.error, `?${'x'.repeat(254)}…`);
  });
});
