/** A node, or a hub, that says much over a link of 2 kB/s: what it asks the broker stands behind that, and is no silence. */
import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { openPlainSocket, startLink } from '../../agent/link/link.js';
import { BrokerConnection } from '../../hub/link/broker-connection.js';
import { startBroker } from '../support/brokers.js';
import { fastClock } from '../support/fast-clock.js';
import { eventually } from '../support/wait.js';

/** Seconds of the link's clock in one of the test's. */
const SPEED = 20;
const BYTES_PER_S = 2_000;
const TICK_MS = 20;
/** 56 s each: the node asks after a minute, and the next word of the broker comes 52 s later. */
const MESSAGES = 3;
const MESSAGE_BYTES = 110 * 1024;

interface Way {
  readonly port: number;
  /** Nothing passes any more, and nobody is told. */
  swallow(): void;
}

/** Takes all that comes, and passes it on to the broker byte by byte. */
async function thinWayTo(target: number, t: TestContext): Promise<Way> {
  const sockets = new Set<Socket>();
  let [isOver, isSwallowed] = [false, false];
  const server = createServer(near => {
    const far = connect(target, '127.0.0.1');
    let queued = Buffer.alloc(0);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => [near, far].forEach(one => one.destroy()));
    }
    near.on('data', (chunk: Buffer) => (queued = Buffer.concat([queued, chunk])));
    far.on('data', (chunk: Buffer) => void (isSwallowed || near.write(chunk)));
    const trickle = async () => {
      for (let last = performance.now(); !isOver && !far.destroyed;) {
        await delay(TICK_MS);
        const now = performance.now();
        const count = Math.ceil(((now - last) / 1000) * SPEED * BYTES_PER_S);
        last = now;
        if (!isSwallowed) far.write(queued.subarray(0, count));
        queued = queued.subarray(count);
      }
    };
    void trickle();
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    isOver = true;
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, swallow: () => (isSwallowed = true) };
}

async function world(t: TestContext) {
  const broker = await startBroker('mosquitto');
  const way = await thinWayTo(broker.port, t);
  const lines: string[] = [];
  const say = (message: string, fields: object = {}) =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  let downs = 0;
  const link = startLink({
    brokers: [`mqtt://127.0.0.1:${way.port}`],
    clientId: 'edge-1',
    topics: ['own'],
    openSocket: openPlainSocket,
    presence: () => ({ topic: 'p', will: Buffer.from('gone'), birth: Buffer.from('here') }),
    onMessage: () => undefined,
    onUp: () => undefined,
    onDown: () => void downs++,
    clock: fastClock(0, SPEED),
    random: () => 0,
    log: { info: say, warn: say, error: say },
  });
  t.after(async () => {
    await link.close();
    await broker.stop();
  });
  await eventually('it is connected', () => link.connected());
  const upload = () =>
    Promise.all(
      Array.from({ length: MESSAGES }, () =>
        link.publish('up', Buffer.alloc(MESSAGE_BYTES), { retain: false }),
      ),
    );
  return { way, lines, upload, downs: () => downs };
}

test('three minutes of upload are acknowledged, on one connection', async t => {
  const { upload, downs, lines } = await world(t);
  assert.deepEqual(await upload(), [true, true, true], lines.join('\n'));
  assert.equal(downs(), 0, lines.join('\n'));
});

test('a link that dies in the middle of it is given up all the same', async t => {
  const { upload, way, lines } = await world(t);
  const sent = upload();
  way.swallow();
  assert.deepEqual(await sent, [false, false, false]);
  await eventually('it says why', () =>
    lines.some(line => /does not answer any more|acknowledged nothing/.test(line)),
  );
});

async function hubsWorld(t: TestContext) {
  const broker = await startBroker('mosquitto');
  const way = await thinWayTo(broker.port, t);
  const connection = new BrokerConnection({
    ...{ url: `mqtt://127.0.0.1:${way.port}`, tls: null, clientId: 'flotilla-hub', will: null },
    ...{ onMessage: () => undefined, onOversized: () => undefined, clock: fastClock(0, SPEED) },
  });
  t.after(async () => {
    connection.cut('the test is over');
    await broker.stop();
  });
  assert.equal(await connection.accepted, true);
  const upload = () =>
    Promise.all(
      Array.from({ length: MESSAGES }, () =>
        connection.publish('up', Buffer.alloc(MESSAGE_BYTES), { retain: false }),
      ),
    );
  return { connection, way, upload };
}

test('three minutes of upload of a hub are acknowledged, on one connection', async t => {
  const { upload, connection } = await hubsWorld(t);
  assert.deepEqual(await upload(), [true, true, true]);
  assert.equal(connection.connected(), true);
});

test('a hub whose link dies in the middle of it gives it up all the same', async t => {
  const { upload, way, connection } = await hubsWorld(t);
  const sent = upload();
  way.swallow();
  assert.equal(await connection.over, 'the broker does not answer any more');
  assert.deepEqual(await sent, [false, false, false]);
});
