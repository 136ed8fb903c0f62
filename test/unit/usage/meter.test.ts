/** The meter: kept with what is written anyway, counted at the socket below TLS. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { connect, createServer as createTlsServer } from 'node:tls';
import { openJournal } from '../../../agent/journal/open.js';
import { openPlainSocket } from '../../../agent/link/link.js';
import { Meter } from '../../../agent/usage/meter.js';
import { writtenBytes } from '../../../agent/usage/process-io.js';
import { socketBytes } from '../../../agent/usage/socket-bytes.js';
import { topicsOf } from '../../../protocol/topics.js';
import { newAuthority } from '../../support/api-certificates.js';
import { FLEET, NODE_NAME } from '../../support/fleet.js';
import { cableTo } from '../../support/programs.js';
import { eventually } from '../../support/wait.js';

const AT = Date.parse('2026-11-22T12:00:00Z');
const MINUTE_MS = 60_000;

interface World {
  ran: number;
  written: number;
  readonly dataDir: string;
}

function begun(t: TestContext): World {
  const dataDir = mkdtempSync(join(tmpdir(), 'fl-meter-'));
  t.after(() => rmSync(dataDir, { recursive: true }));
  return { ran: 0, written: 5_000, dataDir };
}

function opened(world: World) {
  const clock = {
    now: () => AT + world.ran,
    monotonic: () => world.ran,
    sleep: () => new Promise<void>(() => undefined),
  };
  const journal = openJournal({ dataDir: world.dataDir, clock, randomId: () => 'a'.repeat(32) });
  const meter = new Meter({
    store: journal.alongside('usage'),
    time: () => ({ at: AT + world.ran, isProven: true }),
    clock,
    written: () => world.written,
  });
  return { journal, meter };
}

const EVENT = {
  type: 'Normal',
  reason: 'Started',
  message: '',
  involved: { kind: 'Node', namespace: '', name: 'edge-1', uid: '', fieldPath: '' },
} as const;

describe('the meter', () => {
  test('what was counted is there after a power cut, as of the last transaction that was made anyway', t => {
    const world = begun(t);
    const first = opened(world);
    first.meter.pulled(100);
    world.ran += 11 * MINUTE_MS;
    first.journal.record(EVENT);
    first.meter.pulled(1_000);
    // As after a power cut: nobody closes anything.
    const second = opened(world);
    assert.deepEqual(second.meter.ledger().counts.images, [100, 100, 100]);
  });

  test('an event soon after the start is not worth a page, unless much crossed the link', t => {
    const world = begun(t);
    const first = opened(world);
    first.meter.pulled(100);
    first.journal.record(EVENT);
    assert.equal(opened(world).meter.ledger().counts.images, undefined);
    const third = opened(world);
    const crossed = { in: 0, out: 0 };
    third.meter.watch(() => ({ ...crossed }));
    crossed.in = 300 * 1024;
    third.journal.record(EVENT);
    assert.equal(opened(world).meter.ledger().counts.in?.[2], 300 * 1024);
  });

  test('what was written is there after a power cut, all but the last MiB', t => {
    const world = begun(t);
    const first = opened(world);
    world.written += 1024 * 1024;
    first.journal.record(EVENT);
    world.written += 1000;
    first.journal.record(EVENT);
    assert.equal(opened(world).meter.ledger().counts.written?.[2], 1024 * 1024);
  });

  test('at the end of the agent it is written', t => {
    const world = begun(t);
    const first = opened(world);
    first.meter.pulled(100);
    first.meter.close();
    first.journal.close();
    assert.deepEqual(opened(world).meter.ledger().counts.images, [100, 100, 100]);
  });

  test('sockets come and go, their bytes stay; what was written before the start is not counted', t => {
    const { meter } = opened(begun(t));
    const bytes = { in: 10, out: 20 };
    const watched = meter.watch(() => ({ ...bytes }));
    assert.deepEqual(meter.ledger().counts.in, [10, 10, 10]);
    bytes.in += 5;
    watched.end();
    bytes.in += 1_000;
    meter.watch(() => ({ in: 1, out: 1 }));
    const { counts } = meter.ledger();
    assert.deepEqual(
      [counts.in, counts.out],
      [
        [16, 16, 16],
        [21, 21, 21],
      ],
    );
    assert.equal(counts.written, undefined);
  });

  test('messages count by what they are for', t => {
    const { meter } = opened(begun(t));
    const topics = topicsOf(FLEET);
    const count = (topic: string) => meter.message(topics.parse(topic), topic, 10);
    count(topics.node(NODE_NAME, 'status'));
    count(topics.blob('a'.repeat(64)));
    count(topics.root());
    count(topics.root(3));
    count('somebody/else');
    const { counts } = meter.ledger();
    assert.deepEqual(Object.keys(counts).sort(), ['assignments', 'content', 'status']);
    const topic = topics.node(NODE_NAME, 'status');
    assert.equal(counts.status?.[0], 1 + 1 + 2 + topic.length + 2 + 10);
  });

  test('days end while nothing happens', t => {
    const world = begun(t);
    const { meter } = opened(world);
    meter.pulled(100);
    world.ran += 86_400_000;
    assert.deepEqual(meter.ledger().counts.images, [0, 100, 100]);
  });

  test('the kernel says what this process wrote', { skip: writtenBytes() === null }, () => {
    assert.ok(Number(writtenBytes()) >= 0);
  });
});

describe('the bytes of a socket', () => {
  test('of a TLS connection are those of the network, handshake and goodbye included', async t => {
    const server = createTlsServer(await (await newAuthority()).server(), socket => {
      socket.on('error', () => undefined);
      socket.on('data', () => socket.write(Buffer.alloc(5_000)));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const cable = await cableTo((server.address() as AddressInfo).port);
    t.after(async () => {
      await cable.close();
      server.close();
    });
    const socket = connect({ port: cable.port, host: '127.0.0.1', rejectUnauthorized: false });
    const read = socketBytes(socket);
    socket.write(Buffer.alloc(3_000));
    let came = 0;
    socket.on('data', (chunk: Buffer) => (came += chunk.byteLength));
    await eventually('all came', () => came === 5_000);
    const sum = () => read().in + read().out;
    assert.equal(sum(), cable.bytes());
    assert.ok(read().out > 3_000 && read().in > 5_000, 'more than the text in it');
    socket.end();
    await once(socket, 'close');
    await eventually('the goodbye crossed', () => sum() === cable.bytes());
  });

  test('of a plain one are what was written', async t => {
    const server = createServer(socket => void socket.end('hello'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const socket = openPlainSocket(new URL(`mqtt://127.0.0.1:${port}`));
    const read = socketBytes(socket);
    socket.resume();
    socket.write('good day');
    await once(socket, 'close');
    assert.deepEqual(read(), { in: 5, out: 8 });
  });

  for (const kind of ['TLS', 'plain'] as const) {
    test(`of a ${kind} one that nobody took are none, whatever was to be sent`, async () => {
      const closed = createServer();
      closed.listen(0, '127.0.0.1');
      await once(closed, 'listening');
      const { port } = closed.address() as AddressInfo;
      closed.close();
      await once(closed, 'close');
      const url = new URL(`mqtt://127.0.0.1:${port}`);
      const socket = kind === 'TLS' ? connect({ port, host: '127.0.0.1' }) : openPlainSocket(url);
      const read = socketBytes(socket);
      socket.write('good day');
      socket.on('error', () => undefined);
      await new Promise(resolve => socket.once('close', resolve));
      assert.deepEqual(read(), { in: 0, out: 0 });
    });
  }
});
