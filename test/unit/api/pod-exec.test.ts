/** exec and attach as their clients see them, on the real API. What kubectl makes of it stands in test/e2e/api-streams.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { StreamRefused } from '../../../hub/streams/streams.js';
import { at } from '../../support/api-server.js';
import {
  connectTo,
  hub,
  PODS,
  podStreamsWorld,
  refused,
  streams,
  talk,
  until,
  uses,
} from './pod-streams-world.js';

podStreamsWorld();

function exec(words: readonly string[], more = 'stdout=true&stderr=true'): string {
  const command = words.map(word => `command=${encodeURIComponent(word)}`).join('&');
  return `${PODS}/web-edge-1/exec?${command}&${more}`;
}

describe('exec over a WebSocket', () => {
  for (const protocol of ['v4.channel.k8s.io', 'v5.channel.k8s.io']) {
    test(`${protocol}: output and the exit code on their channels`, async () => {
      const script = 'echo out; echo err >&2; exit 3';
      const { channels, code } = await talk(exec(['sh', '-c', script]), protocol);
      assert.equal(await code, 1000);
      assert.equal(channels.get(1), 'out\n');
      assert.equal(channels.get(2), 'err\n');
      const status: unknown = JSON.parse(channels.get(3) ?? '');
      assert.equal(at(status, 'status'), 'Failure');
      assert.equal(at(status, 'reason'), 'NonZeroExitCode');
      assert.deepEqual(at(status, 'details.causes'), [{ reason: 'ExitCode', message: '3' }]);
      await until(() => streams.count() === 0);
      assert.deepEqual(await uses(), [
        ['ada@127.0.0.1', 'exec', 'default/web-edge-1', 'container web, program sh'],
      ]);
    });
  }

  test('v5: stdin ends with the closing of its channel', async () => {
    const { socket, channels, code } = await talk(exec(['cat'], 'stdin=true&stdout=true'));
    socket.send(Buffer.from('\0hello'));
    socket.send(Buffer.from([255, 0]));
    assert.equal(await code, 1000);
    assert.equal(channels.get(1), 'hello');
    assert.deepEqual(JSON.parse(channels.get(3) ?? ''), { metadata: {}, status: 'Success' });
  });

  test('a megabyte both ways arrives whole', async () => {
    const { socket, channels, code } = await talk(exec(['cat'], 'stdin=true&stdout=true'));
    const sent = Buffer.alloc(1 << 20, 'abcdefghijklmnopqrstuvwxyz');
    for (let i = 0; i < sent.length; i += 50_000) {
      socket.send(Buffer.concat([Buffer.from([0]), sent.subarray(i, i + 50_000)]));
    }
    socket.send(Buffer.from([255, 0]));
    await code;
    assert.equal(channels.get(1), sent.toString());
  });

  test('sizes of a terminal are handed on; nonsense is passed over', async () => {
    const { socket } = await talk(exec(['cat'], 'stdin=true&stdout=true&stderr=true&tty=true'));
    for (const size of ['{"Width":80,"Height":24}', 'x', '{"Width":-1,"Height":1}', '[]', 'null']) {
      socket.send(Buffer.from(`\x04${size}`));
    }
    socket.send(Buffer.from('\x04{"Width":132,"Height":43}'));
    await until(() => streams.sizes.length === 2);
    assert.deepEqual(streams.sizes, ['80x24', '132x43']);
    const ask = streams.asks[0]?.ask;
    assert.ok(ask?.kind === 'exec' && ask.tty && !ask.stderr, 'a terminal has one output');
    socket.terminate();
    await until(() => streams.count() === 0);
  });

  test('stdin that was not asked for is not handed on', async () => {
    const { socket, channels, code } = await talk(exec(['sh', '-c', 'sleep 0.3; echo done']));
    socket.send(Buffer.from('\0text'));
    socket.send(Buffer.alloc(0));
    socket.send(Buffer.from([77, 1, 2]));
    await code;
    assert.equal(channels.get(1), 'done\n');
  });

  test('a client that goes ends the command', async () => {
    const { socket } = await talk(exec(['sleep', '1000']));
    assert.equal(streams.count(), 1);
    socket.terminate();
    await until(() => streams.count() === 0);
  });

  test('a hub that stops ends the command and the connection', async () => {
    const { code } = await talk(exec(['sleep', '1000']));
    await hub.api.close();
    assert.equal(await code, 1001);
    assert.equal(streams.count(), 0);
  });

  test('a message above the limit ends the connection, not the hub', async () => {
    const { socket, code } = await talk(exec(['cat'], 'stdin=true&stdout=true'));
    socket.on('error', () => undefined);
    socket.send(Buffer.alloc((1 << 20) + 1));
    assert.equal(await code, 1009);
    await until(() => streams.count() === 0);
    assert.equal((await hub.call(`${PODS}/web-edge-1`)).code, 200);
  });

  const V5 = ['v5.channel.k8s.io'];
  const WRONG: readonly (readonly [string, () => string, string[], number, RegExp])[] = [
    ['no such pod', () => `${PODS}/nope/exec?command=ls&stdout=true`, V5, 404, /"nope" not found/],
    ['no command', () => `${PODS}/web-edge-1/exec?stdout=true`, V5, 400, /specify a command/],
    ['no channel', () => exec(['ls'], 'tty=true'), V5, 400, /at least 1 of stdin, stdout, stderr/],
    ['no container', () => exec(['ls'], 'stdout=true&container=x'), V5, 400, /container x is not/],
    ['an odd flag', () => exec(['ls'], 'stdout=maybe'), V5, 422, /stdout: "maybe" is neither/],
    [
      'no protocol that is spoken',
      () => exec(['ls']),
      ['v9.channel.k8s.io'],
      403,
      /unable to negotiate protocol: client supports \[v9.channel.k8s.io\], server accepts/,
    ],
    [
      'a path that upgrades to nothing',
      () => `${PODS}/web-edge-1`,
      V5,
      400,
      /upgrades to no other/,
    ],
  ];
  for (const [name, path, protocols, code, message] of WRONG) {
    test(`${name}: refused as HTTP, and the node is not asked`, async () => {
      const refusal = await refused(path(), protocols);
      assert.equal(refusal.code, code);
      assert.match(String(refusal.message), message);
      assert.deepEqual(streams.asks, []);
      assert.deepEqual(await uses(), []);
    });
  }

  test('the node’s refusal is the HTTP answer', async () => {
    streams.refuse = new StreamRefused('Forbidden', 'exec is off on node edge-1');
    assert.deepEqual(await refused(exec(['ls']), V5), {
      code: 403,
      reason: 'Forbidden',
      message: 'exec is off on node edge-1',
    });
    assert.equal((await uses()).length, 1, 'the attempt is in the audit log');
  });

  test('without a certificate, and with one of another group, nothing is upgraded', async () => {
    const none = { cert: undefined, key: undefined };
    assert.equal((await refused(exec(['ls']), V5, none)).code, 401);
    const { cert, key } = await hub.authority.client([{ O: ['others'] }, { CN: ['eve'] }]);
    assert.equal((await refused(exec(['ls']), V5, { cert, key })).code, 403);
    assert.deepEqual(streams.asks, []);
  });

  test('a page of another site cannot use a browser’s certificate', async () => {
    const evil = await refused(exec(['ls']), V5, { origin: 'https://evil.example' });
    assert.equal(evil.code, 403);
    assert.match(String(evil.message), /evil.example/);
    const own = connectTo(exec(['true']), V5, { origin: `https://127.0.0.1:${hub.api.port}` });
    await once(own, 'open');
    own.terminate();
  });

  test('what is neither WebSocket nor SPDY is told so, with and without Upgrade', async () => {
    for (const method of ['GET', 'POST']) {
      const plain = await hub.call(exec(['ls']), { method });
      assert.equal(plain.code, 400);
      assert.match(String(at(plain.body, 'message')), /Upgrade request required/);
    }
    const headers = { Connection: 'Upgrade', Upgrade: 'h2c' };
    const other = await hub.call(exec(['ls']), { headers });
    assert.equal(other.code, 400);
    assert.match(String(at(other.body, 'message')), /unable to upgrade to "h2c"/);
    const broken = { Connection: 'Upgrade', Upgrade: 'websocket' };
    const opening = await hub.call(exec(['ls']), {
      headers: { ...broken, 'Sec-WebSocket-Protocol': 'v5.channel.k8s.io' },
    });
    assert.equal(opening.code, 400);
    assert.match(String(at(opening.body, 'message')), /not the opening of a WebSocket/);
  });
});

test('attach asks for the container’s own process', async () => {
  const path = `${PODS}/web-edge-1/attach?stdin=true&stdout=true`;
  const { socket, channels } = await talk(path);
  socket.send(Buffer.from('\0hello'));
  await until(() => channels.get(1) === 'hello');
  assert.equal(streams.asks[0]?.ask.kind, 'attach');
  socket.terminate();
});
