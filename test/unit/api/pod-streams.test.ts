/**
 * log, exec, attach and port-forward as their clients see them, on the real API; the node is a process of this machine.
 * What kubectl makes of it stands in test/e2e/pod-streams.test.ts.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { WebSocket, type ClientOptions } from 'ws';
import { StreamRefused, type StreamRefusedCode } from '../../../hub/streams/streams.js';
import { localStreams, type LocalStreams } from '../../support/local-streams.js';
import { at, CLOCK, startFixture, type Fixture } from '../../support/api-server.js';
import { HUB, node, pod, put } from '../../support/api-objects.js';

const PODS = '/api/v1/namespaces/default/pods';
const TWO = {
  spec: { containers: [{ name: 'a' }, { name: 'b' }], initContainers: [{ name: 'i' }] },
};

let streams: LocalStreams;
let hub: Fixture;

beforeEach(async () => {
  streams = localStreams();
  hub = await startFixture(CLOCK, streams);
  await hub.store.commit(HUB, [
    put(node('edge-1')),
    put(pod('web-edge-1')),
    put(pod('two-edge-1', TWO)),
  ]);
});
afterEach(() => hub.close());

async function uses(): Promise<unknown[]> {
  const lines = await hub.store.audit(0, 100);
  return lines.map(({ verb, namespace, name, detail, actor }) => [
    `${actor.name}@${actor.address ?? ''}`,
    verb,
    `${namespace}/${name}`,
    detail,
  ]);
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await CLOCK.sleep(5);
}

/** Channel messages and the end of a WebSocket; or the HTTP answer where there was none. */
interface Talk {
  readonly socket: WebSocket;
  readonly channels: Map<number, string>;
  readonly code: Promise<number>;
}

function connectTo(path: string, protocols: string[], options: ClientOptions = {}): WebSocket {
  const { cert, key } = hub.admin;
  const tls = { ca: hub.authority.cert, cert, key };
  return new WebSocket(`wss://127.0.0.1:${hub.api.port}${path}`, protocols, { ...tls, ...options });
}

async function talk(path: string, protocol = 'v5.channel.k8s.io'): Promise<Talk> {
  const socket = connectTo(path, [protocol]);
  const channels = new Map<number, string>();
  socket.on('message', data => {
    const [channel = -1, ...rest] = data as Buffer;
    channels.set(channel, (channels.get(channel) ?? '') + Buffer.from(rest).toString('latin1'));
  });
  const code = once(socket, 'close').then(([number]) => number as number);
  await once(socket, 'open');
  assert.equal(socket.protocol, protocol);
  return { socket, channels, code };
}

async function refused(path: string, protocols: string[], options: ClientOptions = {}) {
  const socket = connectTo(path, protocols, options);
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    AsyncIterable<Buffer> & { statusCode: number; headers: Record<string, string> },
  ];
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  const body: unknown = JSON.parse(Buffer.concat(pieces).toString());
  assert.equal(at(body, 'kind'), 'Status');
  assert.equal(response.headers['connection'], 'close');
  return { code: response.statusCode, reason: at(body, 'reason'), message: at(body, 'message') };
}

function exec(words: readonly string[], more = 'stdout=true&stderr=true'): string {
  const command = words.map(word => `command=${encodeURIComponent(word)}`).join('&');
  return `${PODS}/web-edge-1/exec?${command}&${more}`;
}

describe('log', () => {
  test('is text, asked of the node under the pod’s own name, and stands in the audit log', async () => {
    streams.log = ['one\n', 'two\n'];
    const query =
      'container=web&tailLines=5&sinceSeconds=60&previous=true&timestamps=true&limitBytes=1000';
    const reply = await hub.call(`${PODS}/web-edge-1/log?${query}`);
    assert.equal(reply.code, 200);
    assert.equal(reply.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(reply.text, 'one\ntwo\n');
    const ask = {
      kind: 'logs',
      namespace: 'default',
      pod: 'web',
      container: 'web',
      follow: false,
      previous: true,
      timestamps: true,
      tailLines: 5,
      sinceSeconds: 60,
      limitBytes: 1000,
    };
    assert.deepEqual(streams.asks, [{ node: 'edge-1', ask, user: 'ada' }]);
    assert.deepEqual(await uses(), [
      ['ada@127.0.0.1', 'logs', 'default/web-edge-1', 'container web'],
    ]);
  });

  test('a follower that hangs up ends the stream at the node', async () => {
    streams.log = ['one\n'];
    const gone = new AbortController();
    const path = `${PODS}/web-edge-1/log?follow=true`;
    const call = hub.call(path, { signal: gone.signal });
    await until(() => streams.taken === 1);
    assert.equal(streams.count(), 1);
    gone.abort();
    await assert.rejects(call);
    await until(() => streams.count() === 0);
  });

  test('a reader that takes nothing makes the node wait', async () => {
    const piece = 'x'.repeat(1 << 16);
    streams.log = Array.from({ length: 1000 }, () => piece);
    const { cert, key } = hub.admin;
    const ca = hub.authority.cert;
    const socket = connect({ port: hub.api.port, host: '127.0.0.1', ca, cert, key });
    await once(socket, 'secureConnect');
    socket.pause();
    socket.write(`GET ${PODS}/web-edge-1/log HTTP/1.1\r\nHost: hub\r\n\r\n`);
    let before = -1;
    while (streams.taken !== before || before === 0) {
      before = streams.taken;
      await CLOCK.sleep(200);
    }
    assert.ok(before < 400, `${before} of 1000 pieces were taken`);
    socket.resume();
    await until(() => streams.taken === 1000);
    socket.destroy();
  });

  const WRONG: readonly (readonly [string, string, number, RegExp])[] = [
    ['no such pod', 'nope/log', 404, /^pods "nope" not found$/],
    [
      'a container that is not there',
      'web-edge-1/log?container=x',
      400,
      /^container x is not valid for pod web-edge-1$/,
    ],
    [
      'several containers and none named',
      'two-edge-1/log',
      400,
      /^a container name must be specified for pod two-edge-1, choose one of: \[a b\] or one of the init containers: \[i\]$/,
    ],
    ['tailLines', 'web-edge-1/log?tailLines=-1', 422, /tailLines: "-1" is not a whole number/],
    ['sinceSeconds', 'web-edge-1/log?sinceSeconds=0', 422, /sinceSeconds/],
    ['limitBytes', 'web-edge-1/log?limitBytes=0', 422, /limitBytes/],
    ['follow', 'web-edge-1/log?follow=perhaps', 422, /follow: "perhaps" is neither/],
    ['sinceTime', 'web-edge-1/log?sinceTime=yesterday', 422, /sinceTime/],
    [
      'both times',
      'web-edge-1/log?sinceTime=2026-01-01T00:00:00Z&sinceSeconds=5',
      422,
      /at most one of/,
    ],
  ];
  for (const [name, path, code, message] of WRONG) {
    test(`${name}: ${code}, and the node is not asked`, async () => {
      const reply = await hub.call(`${PODS}/${path}`);
      assert.equal(reply.code, code);
      assert.match(String(at(reply.body, 'message')), message);
      assert.deepEqual(streams.asks, []);
      assert.deepEqual(await uses(), []);
    });
  }

  test('the init container is known too', async () => {
    assert.equal((await hub.call(`${PODS}/two-edge-1/log?container=i`)).code, 200);
  });

  const REFUSALS: readonly (readonly [StreamRefusedCode, number, string])[] = [
    ['BadRequest', 400, 'BadRequest'],
    ['Forbidden', 403, 'Forbidden'],
    ['NotFound', 404, 'NotFound'],
    ['NotSupported', 405, 'MethodNotAllowed'],
    ['TooManyStreams', 429, 'TooManyRequests'],
    ['InternalError', 500, 'InternalError'],
    ['NodeOffline', 503, 'ServiceUnavailable'],
    ['Timeout', 504, 'Timeout'],
  ];
  for (const [refusal, code, reason] of REFUSALS) {
    test(`the node’s ${refusal} is ${code} ${reason}, in its own words, and no failure of the hub`, async () => {
      streams.refuse = new StreamRefused(refusal, 'because of the node');
      const reply = await hub.call(`${PODS}/web-edge-1/log`);
      assert.equal(reply.code, code);
      assert.equal(at(reply.body, 'reason'), reason);
      assert.equal(at(reply.body, 'message'), 'because of the node');
      assert.ok(!hub.log.some(({ level }) => level === 'error'));
    });
  }

  test('a pod whose name another node’s pod had first is asked for by its own', async () => {
    const edge = node('edge-2');
    const recorded = {
      'other/web-edge-2': { digest: '', name: 'web-edge-2-1f2e', boot: 1, counter: 1 },
      'default/web-edge-2': { digest: '', name: 'web-edge-2-1f2e', boot: 1, counter: 1 },
    };
    const status = edge.status as { flotilla: object };
    const flotilla = { ...status.flotilla, recorded };
    await hub.store.commit(HUB, [
      put({ ...edge, status: { ...status, flotilla } }),
      put(pod('web-edge-2-1f2e', { node: 'edge-2' })),
    ]);
    assert.equal((await hub.call(`${PODS}/web-edge-2-1f2e/log`)).code, 200);
    const [asked] = streams.asks;
    assert.deepEqual([asked?.node, asked?.ask.pod], ['edge-2', 'web']);
  });
});

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

describe('port-forward in its older WebSocket form', () => {
  test('each port is told first, bytes go both ways, the client may end its half', async () => {
    const echo = createServer({ allowHalfOpen: true }, socket => {
      socket.on('data', (data: Buffer) => socket.write(data.toString().toUpperCase()));
      socket.on('end', () => socket.end('!'));
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const { port } = echo.address() as AddressInfo;
    const { socket, channels, code } = await talk(`${PODS}/web-edge-1/portforward?ports=${port}`);
    socket.send(Buffer.from('\0hello'));
    socket.send(Buffer.from([255, 0]));
    assert.equal(await code, 1000);
    const told = Buffer.alloc(2);
    told.writeUInt16LE(port);
    assert.equal(channels.get(0), `${told.toString('latin1')}HELLO!`);
    assert.equal(channels.get(1), told.toString('latin1'));
    echo.close();
    assert.deepEqual(await uses(), [
      ['ada@127.0.0.1', 'portforward', 'default/web-edge-1', `port ${port}`],
    ]);
  });

  test('a port where nobody listens is told on its channel of errors', async () => {
    const { channels, code } = await talk(`${PODS}/web-edge-1/portforward?ports=1`);
    assert.equal(await code, 1000);
    assert.match(channels.get(1) ?? '', /ECONNREFUSED/);
  });

  test('what is no port is refused', async () => {
    for (const query of ['', '?ports=0', '?ports=x', '?ports=65536', '?ports=1,,2']) {
      const refusal = await refused(`${PODS}/web-edge-1/portforward${query}`, [
        'v4.channel.k8s.io',
      ]);
      assert.equal(refusal.code, 400);
      assert.match(String(refusal.message), /ports/);
    }
  });
});
