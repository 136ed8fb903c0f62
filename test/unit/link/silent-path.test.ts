/** A path that forgets silent connections, as NATs and load balancers do: the node finds out how long it holds, and remembers. */
import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Aedes } from 'aedes';
import type { Alongside } from '../../../agent/journal/alongside.js';
import { readMemories } from '../../../agent/link/keep-alive.js';
import { openPlainSocket, startLink } from '../../../agent/link/link.js';
import { fastClock } from '../../support/fast-clock.js';
import { eventually } from '../../support/wait.js';

/** Seconds of the link's clock in one of the test's. */
const SPEED = 120;

interface World {
  readonly url: string;
  /** Silences before each PINGREQ that reached the broker, in seconds of the link's clock. */
  readonly pings: number[];
  /** As the broker was told in each CONNECT. */
  readonly announced: number[];
  /** Connections that the path forgot. */
  readonly forgotten: () => number;
}

/** Passes on what it is given; what comes after so much silence, it swallows, and all that follows. */
async function pathTo(
  target: number,
  t: TestContext,
  { forgetsAfterS, isReset }: { readonly forgetsAfterS: number; readonly isReset: boolean },
) {
  const sockets = new Set<Socket>();
  let forgotten = 0;
  const server = createServer(near => {
    const far = connect(target, '127.0.0.1');
    let [last, isLost] = [performance.now(), false];
    const pass = (from: Socket, to: Socket) => {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
      from.on('data', (chunk: Buffer) => {
        const now = performance.now();
        if (!isLost && ((now - last) / 1000) * SPEED > forgetsAfterS) {
          isLost = true;
          forgotten++;
          if (isReset) near.resetAndDestroy();
        }
        last = now;
        if (!isLost) to.write(chunk);
      });
    };
    pass(near, far);
    pass(far, near);
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    forgotten: () => forgotten,
    close: () => {
      for (const socket of sockets) socket.end();
    },
  };
}

function remembering(text: string | null): Alongside & { text(): string | null } {
  let make: () => string | null = () => null;
  return {
    read: () => text,
    alongside: given => (make = given),
    save: () => undefined,
    text: () => (text = make() ?? text),
  };
}

async function world(
  t: TestContext,
  path: {
    forgetsAfterS?: number;
    isReset?: boolean;
    memory?: Alongside;
    mostS?: number;
    limitS?: number;
    /** It ends a connection on which the node means to be silent for longer. */
    closesAfterS?: number;
  },
): Promise<World> {
  const broker = await Aedes.createBroker({ keepaliveLimit: path.limitS ?? 0 });
  const server = createServer(socket => void broker.handle(socket));
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const { port, forgotten, close } = await pathTo((server.address() as AddressInfo).port, t, {
    ...{ forgetsAfterS: path.forgetsAfterS ?? 1e9, isReset: path.isReset ?? false },
  });
  const [pings, announced]: [number[], number[]] = [[], []];
  let lastAt = performance.now();
  broker.preConnect = (_client, packet, done) => {
    announced.push(packet.keepalive ?? 0);
    lastAt = performance.now();
    done(null, true);
  };
  broker.on('publish', () => (lastAt = performance.now()));
  broker.on('ping', () => {
    const now = performance.now();
    pings.push(((now - lastAt) / 1000) * SPEED);
    lastAt = now;
  });
  const url = `mqtt://127.0.0.1:${port}`;
  const fast = fastClock(0, SPEED);
  const closesAfterMs = (path.closesAfterS ?? Infinity) * 1000;
  const sleep = async (ms: number, signal?: AbortSignal) => {
    if (ms <= closesAfterMs) return fast.sleep(ms, signal);
    await fast.sleep(closesAfterMs, signal);
    if (!signal?.aborted) close();
    await fast.sleep(ms - closesAfterMs, signal);
  };
  const link = startLink({
    brokers: [url],
    clientId: 'edge-1',
    topics: ['a'],
    openSocket: openPlainSocket,
    presence: () => ({ topic: 'p', will: Buffer.from('gone'), birth: Buffer.from('here') }),
    onMessage: () => undefined,
    onUp: () => undefined,
    onDown: () => undefined,
    ...(path.memory ? { keepAliveMemory: path.memory } : {}),
    ...(path.mostS ? { keepAliveMostS: path.mostS } : {}),
    clock: { ...fast, sleep },
    random: () => 0,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  t.after(async () => {
    await link.close();
    await new Promise<void>(done => broker.close(done));
    server.close();
  });
  return { url, pings, announced, forgotten };
}

test('a path that holds is asked more and more rarely, up to what was announced', async t => {
  const { pings, announced } = await world(t, { mostS: 90 });
  await eventually('it asks every ninety seconds', () => (pings.at(-1) ?? 0) > 85);
  assert.deepEqual(announced, [90]);
});

for (const isReset of [false, true]) {
  const how = isReset ? 'and says so when it is asked' : 'and swallows what comes';
  test(`a path that forgets after 75 s ${how}: the node comes back and holds it, and remembers`, async t => {
    const memory = remembering(null);
    const { forgotten, announced, pings, url } = await world(t, {
      ...{ forgetsAfterS: 75, isReset, memory },
    });
    const known = () => readMemories(memory.text()).get(new URL(url).href);
    await eventually('it learned what fails', () => known()?.failedS === 90);
    assert.equal(known()?.holdsS, 60);
    const before = pings.length;
    await eventually('it goes on below that', () => pings.length > before + 1);
    assert.ok(forgotten() >= 1);
    assert.equal(announced[0], 300, 'the broker may wait, whatever the path holds');
  });
}

test('a broker that ends silent connections after 150 s, without a word before, is asked every two minutes', async t => {
  const memory = remembering(null);
  const { pings, url } = await world(t, { closesAfterS: 150, memory });
  const known = () => readMemories(memory.text()).get(new URL(url).href);
  await eventually('it tried three minutes, twice', () => known()?.times === 2);
  const before = pings.length;
  await eventually('it goes on below that', () => pings.length > before + 8);
  assert.deepEqual(known(), { holdsS: 120, failedS: 180, times: 2 });
});

test('a broker that takes no long keep-alive is told a shorter one', async t => {
  const { announced, pings } = await world(t, { limitS: 100 });
  await eventually('it is connected, and asks', () => pings.length > 0);
  assert.deepEqual(announced, [300, 240, 180, 120, 90]);
});
