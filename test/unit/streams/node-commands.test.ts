/** One counter for all of the hub's commands: it grows over questions, streams, nodes, and a start of the hub. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NodeCommands } from '../../../hub/link/commands.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { CommandDocument } from '../../../protocol/documents/command.js';
import { FLEET } from '../../support/fleet.js';

const ASK = { kind: 'kept', want: 'standing', digest: null, rootVersion: 0 } as const;
const id = (letter: string) => letter.repeat(32);

function world(now: () => number) {
  const sent: CommandDocument[] = [];
  const commands = new NodeCommands({
    ...{ fleet: FLEET, epoch: () => 3, clock: { now } },
    messenger: { command: (_node, document) => void sent.push(document) },
  });
  return { sent, commands };
}

describe("the hub's commands", () => {
  test('grow in number, whatever the clock does', () => {
    const times = [1000, 1000, 500, 2000];
    const { sent, commands } = world(() => times.shift() ?? 0);
    commands.presence({ node: 'edge-1', session: id('a'), online: true });
    for (let n = 0; n < 4; n++) commands.send('edge-1', id('b'), ASK);
    assert.deepEqual(
      sent.map(({ n }) => n),
      [1000, 1001, 1002, 2000],
    );
  });

  test('go on above themselves after a start of the hub', () => {
    const before = world(() => 1000);
    const after = world(() => 2000);
    for (const { commands } of [before, after]) {
      commands.presence({ node: 'edge-1', session: id('a'), online: true });
      commands.send('edge-1', id('b'), ASK);
    }
    assert.ok((after.sent[0]?.n ?? 0) > (before.sent[0]?.n ?? 0));
  });

  test('name the session that the node announced last, and their own payload', () => {
    const { sent, commands } = world(() => 1);
    commands.presence({ node: 'edge-1', session: id('a'), online: true });
    commands.presence({ node: 'edge-1', session: id('c'), online: true });
    const told = commands.send('edge-1', id('b'), ASK);
    assert.equal(told?.session, id('c'));
    assert.equal(sent[0]?.session, id('c'));
    assert.equal(sent[0]?.epoch, 3);
    assert.equal(told.digest, sha256Hex(canonicalJson(sent[0])));
  });

  test('are not sent to a node that is away, or was not heard since the link came up', () => {
    const { sent, commands } = world(() => 1);
    assert.equal(commands.send('edge-1', id('b'), ASK), null);
    commands.presence({ node: 'edge-1', session: id('a'), online: true });
    commands.presence({ node: 'edge-1', session: id('a'), online: false });
    assert.equal(commands.send('edge-1', id('b'), ASK), null);
    commands.presence({ node: 'edge-1', session: id('a'), online: true });
    commands.linkDown();
    assert.equal(commands.session('edge-1'), null);
    assert.deepEqual(sent, []);
  });
});
