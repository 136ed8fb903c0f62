/**
 * The hub's publisher against brokers that acknowledge late, never, or forget: what it may claim in
 * its mark, how much it keeps in flight, what one bad message may cost. And its TLS, against the
 * embedded broker.
 */
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Aedes } from 'aedes';
import { connect, type MqttClient } from 'mqtt';
import { startBroker } from '../../hub/broker/broker.js';
import type { HubLink, HubLinkOptions } from '../../hub/link/link-options.js';
import { startHubLink } from '../../hub/link/link.js';
import { ownTopics } from '../../hub/link/own-topics.js';
import type { NodeMessage } from '../../hub/link/messages.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import type { Store } from '../../hub/store/store.js';
import {
  createAuthority,
  HUB_NAME,
  issueCertificate,
  NO_EXPIRY,
  ORGANISATION,
  spkiOf,
} from '../../hub/setup/pki.js';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import { topicsOf } from '../../protocol/topics.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { startBroker as startTestBroker, type TestBroker } from '../support/brokers.js';
import { fastClock } from '../support/fast-clock.js';
import { seal } from '../../protocol/envelope.js';
import { FLEET, HUB, NODE_NAME, trustedRoot } from '../support/fleet.js';
import { eventually } from '../support/wait.js';

const topics = topicsOf(FLEET);
const blob = (n: number) => topics.blob(n.toString(16).padStart(64, '0'));
const status = topics.node(NODE_NAME, 'status');
const ACK = {
  ...{ fleet: FLEET, node: NODE_NAME, journal: 'a'.repeat(32), through: 3 },
  ...{ boot: 1, counter: 1, row: 1, pods: {}, epoch: 1, generation: 1 },
};

let directory: string;
let store: Store;
let log: string[];
let received: NodeMessage[];
let link: HubLink | null;
let ups: number;
let downs: number;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-publisher-'));
  store = await openSqliteStore({ path: join(directory, 'hub.db'), clock: fastClock(0) });
  [log, received, link, ups, downs] = [[], [], null, 0, 0];
});
afterEach(async () => {
  await link?.close();
  await store.close();
  rmSync(directory, { recursive: true });
});

/** `speed`: of the link's clock. */
function startLink(port: number, change: Partial<HubLinkOptions> = {}, speed = 1): HubLink {
  const say = (message: string, fields: object = {}) =>
    void log.push(`${message} ${JSON.stringify(fields)}`);
  link = startHubLink({
    url: `mqtt://127.0.0.1:${port}`,
    tls: null,
    root: () => trustedRoot(),
    hubSigner: HUB,
    sealingKey: '11'.repeat(32),
    store,
    clock: fastClock(Date.now(), speed),
    log: { info: say, warn: say, error: say },
    random: randomBytes,
    brokerIsFresh: false,
    onMessage: message => received.push(message),
    onUp: () => ups++,
    onDown: () => downs++,
    ...change,
  });
  return link;
}

/** Publications one to a commit, so that their numbers are known: from 1, in order. */
async function publishBlobs(count: number, from = 1): Promise<void> {
  for (let n = from; n < from + count; n++) {
    const payload = Buffer.from(`content ${n}`);
    await store.commit({ kind: 'hub', name: 'test' }, [
      { type: 'publish', topic: blob(n), payload },
    ]);
  }
}

async function clear(n: number): Promise<void> {
  await store.commit({ kind: 'hub', name: 'test' }, [
    { type: 'publish', topic: blob(n), payload: null },
  ]);
}

function numberOf(payload: Buffer | undefined): number | null {
  const opened = payload && openHubDocument('mark', payload, { root: trustedRoot() });
  return opened?.ok ? opened.value.document.number : null;
}

function lastMark(said: readonly Said[]): Buffer | undefined {
  return said.findLast(one => one.topic === topics.mark())?.payload;
}

interface Said {
  readonly topic: string;
  readonly payload: Buffer;
}

async function spyOn(port: number): Promise<{ client: MqttClient; said: Said[] }> {
  const said: Said[] = [];
  const client = connect(`mqtt://127.0.0.1:${port}`, { clientId: 'spy', reconnectPeriod: 20 });
  client.on('error', () => undefined);
  client.on('message', (topic, payload) => said.push({ topic, payload }));
  await eventually('the spy connects', () => client.connected);
  await client.subscribeAsync(`${topics.prefix}#`, { qos: 1 });
  return { client, said };
}

for (const kind of ['mosquitto', 'aedes'] as const) {
  describe(`the hub's publisher on ${kind}`, () => {
    let broker: TestBroker;
    let spy: Awaited<ReturnType<typeof spyOn>>;

    beforeEach(async () => {
      broker = await startTestBroker(kind);
      spy = await spyOn(broker.port);
    });
    afterEach(async () => {
      await link?.close();
      await spy.client.endAsync(true);
      await broker.stop();
    });

    const markIs = (expected: number) =>
      eventually(`a mark of ${expected}`, () => {
        const marks = spy.said.filter(({ topic }) => topic === topics.mark());
        return numberOf(marks[marks.length - 1]?.payload) === expected;
      });
    const blobsSaid = () =>
      spy.said.filter(({ topic }) => topic.includes('/blob/')).map(({ topic }) => topic);

    test('sends pages of publications in their order', async () => {
      await publishBlobs(350);
      startLink(broker.port, { brokerIsFresh: true });
      await markIs(350);
      const expected = Array.from({ length: 350 }, (_, i) => blob(i + 1));
      assert.deepEqual(blobsSaid(), expected);
    });

    test('says nothing but its session to a broker that has all', async () => {
      await publishBlobs(3);
      startLink(broker.port, { brokerIsFresh: true });
      await eventually('everything is out', () => blobsSaid().length === 3);
      await eventually('it is connected', () => link?.connected());
      await link?.close();
      await markIs(3);
      const hubWords = () => spy.said.filter(({ topic }) => topic === topics.hub());
      await eventually('birth and goodbye', () => hubWords().length === 2);
      spy.said.splice(0);
      const again = startLink(broker.port);
      await eventually('it is connected', () => again.connected());
      await again.close();
      await eventually('it said goodbye', () => spy.said.length >= 2);
      assert.deepEqual(
        spy.said.map(({ topic }) => topic),
        [topics.hub(), topics.hub()],
      );
    });

    test('says that another hub with its keys is at work, when it finds its mark between its own', async () => {
      const markOf = (of: string) =>
        seal('mark', { fleet: FLEET, store: of.repeat(32), number: 1 }, [HUB]);
      const put = (of: string) =>
        spy.client.publishAsync(topics.mark(), markOf(of), { qos: 1, retain: true });
      const isSaid = () => log.some(line => line.startsWith('another hub with this hub'));
      await put('6');
      await publishBlobs(1);
      const hub = startLink(broker.port);
      await eventually('it is connected', () => hub.connected());
      await markIs(1);
      assert.equal(isSaid(), false, 'a hub that was restored finds the mark of the lost one');
      await put('6');
      // As the other one does: it has the certificate, and so the client id.
      const other = connect(`mqtt://127.0.0.1:${broker.port}`, { clientId: HUB_NAME });
      await eventually('it is pushed from the broker', () => downs === 1);
      await other.endAsync(true);
      await eventually('it is said', isSaid);
    });

    test('sends what was published and cleared while it was away', async () => {
      await publishBlobs(3);
      startLink(broker.port, { brokerIsFresh: true });
      await markIs(3);
      await link?.close();
      await publishBlobs(1, 9);
      await clear(2);
      startLink(broker.port);
      await markIs(5);
      const said = spy.said.filter(({ topic }) => topic.includes('/blob/')).slice(3);
      assert.deepEqual(
        said.map(({ topic, payload }) => [topic, payload.toString()]),
        [
          [blob(9), 'content 9'],
          [blob(2), ''],
        ],
      );
    });

    test('leaves out a publication that no broker may take, and sends what follows', async () => {
      await store.commit({ kind: 'hub', name: 'test' }, [
        { type: 'publish', topic: blob(1), payload: Buffer.alloc(MESSAGE_BYTES_MAX + 1) },
        { type: 'publish', topic: blob(2), payload: Buffer.alloc(MESSAGE_BYTES_MAX) },
      ]);
      startLink(broker.port, { brokerIsFresh: true });
      await markIs(2);
      assert.deepEqual(blobsSaid(), [blob(2)]);
      assert.ok(log.some(line => line.includes('too large') && line.includes(blob(1))));
    });

    test('drops a message above the limit and hears the next', async () => {
      const running = startLink(broker.port, { brokerIsFresh: true });
      await eventually('it is connected', () => running.connected());
      await spy.client.publishAsync(status, Buffer.alloc(MESSAGE_BYTES_MAX + 1), { qos: 1 });
      await spy.client.publishAsync(status, 'small', { qos: 1 });
      await eventually('the next is heard', () => received.length > 0);
      assert.deepEqual(
        received.map(({ kind, node, payload }) => [kind, node, Buffer.from(payload).toString()]),
        [['status', NODE_NAME, 'small']],
      );
      assert.deepEqual([running.connected(), ups, downs], [true, 1, 0]);
    });

    test('goes on after a handler that throws', async () => {
      const running = startLink(broker.port, {
        brokerIsFresh: true,
        onMessage: message => {
          received.push(message);
          if (received.length === 1) throw new Error('cannot be handled');
        },
      });
      await eventually('it is connected', () => running.connected());
      await spy.client.publishAsync(status, 'one', { qos: 1 });
      await spy.client.publishAsync(status, 'two', { qos: 1 });
      await eventually('the second is handed on', () => received.length === 2);
      assert.deepEqual([running.connected(), downs], [true, 0]);
    });

    test('brings an ack to its node, and keeps none for later', async () => {
      const running = startLink(broker.port, { brokerIsFresh: true });
      running.messenger.ack(NODE_NAME, { ...ACK, through: 1 });
      await eventually('it is connected', () => running.connected());
      running.messenger.ack(NODE_NAME, ACK);
      const said = await eventually('the ack', () =>
        spy.said.find(({ topic }) => topic === topics.node(NODE_NAME, 'ack')),
      );
      const context = { root: trustedRoot(), node: NODE_NAME };
      const opened = openHubDocument('ack', said.payload, context);
      assert.ok(opened.ok);
      assert.equal(opened.value.document.through, 3);
    });
  });
}

/** aedes on a plain socket that holds back the PUBACK of what `holds` names. */
class HoldingBroker {
  holds: (topic: string) => boolean = () => false;
  /** PUBLISHes of the hub's link whose PUBACK is held back. */
  held = 0;
  readonly seen: Said[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #aedes: Aedes;
  readonly #server = createServer(socket => {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    this.#aedes.handle(socket);
  });

  private constructor(aedes: Aedes) {
    this.#aedes = aedes;
    aedes.authorizePublish = (client, { topic, payload }, done) => {
      this.seen.push({ topic, payload: Buffer.from(payload) });
      if (!this.holds(topic)) return done(null);
      this.held++;
      // aedes reads on when everything that it read was answered: as if this had been.
      setImmediate(() => client?.conn.emit('readable'));
    };
  }

  static async start(): Promise<HoldingBroker> {
    const broker = new HoldingBroker(await Aedes.createBroker({ concurrency: 10_000 }));
    broker.#server.listen(0, '127.0.0.1');
    await once(broker.#server, 'listening');
    return broker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  marks(): (number | null)[] {
    return this.seen
      .filter(({ topic }) => topic === topics.mark())
      .map(({ payload }) => numberOf(payload));
  }

  blobs(): string[] {
    return this.seen.map(({ topic }) => topic).filter(topic => topic.includes('/blob/'));
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
    await new Promise<void>(resolve => this.#aedes.close(resolve));
  }
}

describe("the hub's publisher on a broker that acknowledges late", () => {
  let broker: HoldingBroker;
  beforeEach(async () => {
    broker = await HoldingBroker.start();
  });
  afterEach(async () => {
    await link?.close();
    await broker.stop();
  });

  test('marks nothing at or above what is not acknowledged, and starts over from the mark', async () => {
    await publishBlobs(10);
    broker.holds = topic => topic === blob(6);
    startLink(broker.port, { brokerIsFresh: true });
    await eventually('a mark', () => broker.marks().includes(5));
    await publishBlobs(5, 11);
    await eventually('what follows is sent', () => broker.blobs().includes(blob(15)));
    await eventually('the birth', () => link?.connected());
    assert.ok(broker.marks().every(number => number !== null && number <= 5));
    broker.holds = () => false;
    broker.seen.splice(0);
    broker.cut();
    await eventually('the whole mark', () => broker.marks().includes(15));
    const expected = Array.from({ length: 10 }, (_, i) => blob(i + 6));
    assert.deepEqual(broker.blobs(), expected);
    assert.ok(broker.marks().every(number => number !== null && number > 5));
  });

  test('has a hundred in flight and no more, messages among them', async () => {
    await publishBlobs(150);
    broker.holds = topic => topic !== topics.hub() && topic !== topics.mark();
    const running = startLink(broker.port, { brokerIsFresh: true }, 4);
    await eventually('it is connected', () => running.connected());
    await eventually('the window is full', () => broker.held >= 100);
    for (let i = 0; i < 20; i++) running.messenger.ack(NODE_NAME, ACK);
    // What it says about itself needs no place, and comes on the same connection after the rest.
    const spy = await spyOn(broker.port);
    broker.seen.splice(0);
    await spy.client.publishAsync(topics.hub(), 'an old word', { qos: 1, retain: true });
    await eventually('its birth again', () => broker.seen.length === 2);
    await spy.client.endAsync(true);
    assert.equal(broker.held, 100);
    assert.deepEqual(broker.marks(), []);
  });

  test('gives up a broker that acknowledges nothing', async () => {
    await publishBlobs(1);
    broker.holds = topic => topic === blob(1);
    startLink(broker.port, { brokerIsFresh: true }, 100);
    await eventually('the next attempt', () => broker.held > 1);
    assert.ok(log.some(line => line.includes('acknowledged nothing')));
  });
});

describe("the hub's link over TLS to the embedded broker", () => {
  const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

  async function world() {
    const authority = await createAuthority(newKey(), { fleet: FLEET, random: randomBytes });
    const pair = async (use: 'client' | { serverNames: string[] }) => {
      const key = newKey();
      const subject = { commonName: HUB_NAME, organisation: ORGANISATION.hub, use };
      const leaf = { ...subject, publicKey: spkiOf(key), notAfter: NO_EXPIRY };
      const cert = await issueCertificate(authority, leaf, randomBytes);
      return { key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), cert };
    };
    const client = await pair('client');
    const broker = await startBroker({
      listen: { host: '127.0.0.1', port: 0 },
      tls: { ...(await pair({ serverNames: [HUB_NAME] })), ca: authority.certificate },
      fleet: FLEET,
      hubTlsKey: spkiOf(createPrivateKey(client.key)).toString('base64'),
      isAllowed: () => false,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    return { broker, client, ca: authority.certificate };
  }

  test('publishes, and says goodbye', async () => {
    await publishBlobs(3);
    const { broker, client, ca } = await world();
    const url = `mqtts://127.0.0.1:${broker.port}`;
    const tls = { ...client, ca, names: [HUB_NAME] };
    try {
      const first = startLink(broker.port, { url, tls, brokerIsFresh: true });
      await eventually('it is connected', () => first.connected());
      await first.close();
      assert.ok(log.some(line => line.includes('"why":"FreshBroker"')));
      const second = startLink(broker.port, { url, tls });
      await eventually('it is connected again', () => second.connected());
      assert.ok(log.some(line => line.includes('"why":"UpToDate"')));
      await second.close();
    } finally {
      await broker.close();
    }
  });

  test('refuses a broker of another name or another authority', async () => {
    const { broker, client, ca } = await world();
    const other = await world();
    const url = `mqtts://127.0.0.1:${broker.port}`;
    try {
      const reasons: string[] = [];
      for (const tls of [
        { ...client, ca, names: ['another-name'] },
        { ...client, ca: other.ca, names: [HUB_NAME] },
      ]) {
        const refusing = startLink(broker.port, { url, tls });
        reasons.push(
          await eventually('a reason', () => log.find(line => line.includes('no connection'))),
        );
        assert.equal(refusing.connected(), false);
        await refusing.close();
        log.splice(0);
      }
      assert.match(reasons[0] ?? '', /another-name|altnames/);
      assert.match(reasons[1] ?? '', /certificate/);
      assert.deepEqual([ups, downs], [0, 0]);
    } finally {
      await broker.close();
      await other.broker.close();
    }
  });
});

describe("Mosquitto's queues as the hub sets them", () => {
  test('a burst of 20,000 statuses reaches the hub whole, and so do 5,000 that wait for it', async () => {
    const broker = await startTestBroker('mosquitto');
    const client = connect(`mqtt://127.0.0.1:${broker.port}`, { clientId: 'nodes' });
    client.on('error', () => undefined);
    try {
      const status = Buffer.alloc(300, 'x');
      const said = (n: number) =>
        client.publishAsync(topics.node(`edge-${n}`, 'status'), status, { qos: 1, retain: true });
      await Promise.all(Array.from({ length: 5_000 }, (_, n) => said(n)));
      const hub = startLink(broker.port);
      await eventually('the hub is connected', () => hub.connected());
      await eventually('what waited', () => received.length >= 5_000);
      received.length = 0;
      const acknowledged = Array.from({ length: 20_000 }, (_, n) => said(n % 5_000));
      await Promise.all(acknowledged);
      await eventually('all of them', () => received.length >= 20_000);
      assert.equal(received.length, 20_000);
    } finally {
      await client.endAsync(true);
      await broker.stop();
    }
  });
});

describe('topics of the hub on a broker that lets others write there', () => {
  test('S61: what others put there, or took away, is replaced and said once', async () => {
    const broker = await startTestBroker('mosquitto');
    const { client, said } = await spyOn(broker.port);
    const put = (topic: string, payload: string | Buffer) =>
      client.publishAsync(topic, payload, { qos: 1, retain: true });
    const last = (topic: string) => said.findLast(one => one.topic === topic)?.payload.toString();
    const assignment = topics.node('edge-1', 'assignment');
    const unknown = blob(999);
    try {
      // While the hub is away, and on a broker that knows its mark.
      await publishBlobs(40);
      const actor = { kind: 'hub', name: 'test' } as const;
      const publish = (payload: Buffer) =>
        store.commit(actor, [{ type: 'publish', topic: assignment, payload }]);
      await publish(Buffer.from('first'));
      const away = startLink(broker.port);
      await eventually('the mark', () => numberOf(lastMark(said)) === 41);
      await away.close();
      await put(blob(1), 'garbage');
      await put(unknown, 'of nobody');
      log.splice(0);
      const clock = fastClock(Date.now(), 5);
      const quiet = () => undefined;
      const say = (message: string, fields: object = {}) =>
        void log.push(`${message} ${JSON.stringify(fields)}`);
      const guest = ownTopics({
        ...{ store, topics, clock, epoch: () => 1 },
        log: { info: quiet, warn: say, error: say },
      });
      const hub = startLink(broker.port, { guests: [guest] }, 5);
      await eventually('it is connected', () => hub.connected());
      await eventually('blob 1 is restored', () => last(blob(1)) === 'content 1');
      // While it is there: other words, its own old ones, none.
      await publish(Buffer.from('second'));
      await eventually('the second', () => last(assignment) === 'second');
      const from = said.length;
      const came = (topic: string, text: string) =>
        eventually(`${topic} is ${text}`, () =>
          said.slice(from).some(one => one.topic === topic && one.payload.toString() === text),
        );
      await put(assignment, 'first');
      await put(blob(2), '');
      await Promise.all([came(assignment, 'first'), came(blob(2), '')]);
      await eventually('the assignment again', () => last(assignment) === 'second');
      await eventually('blob 2 again', () => last(blob(2)) === 'content 2');
      await eventually('an event', async () => {
        const { items } = await store.list('Event');
        return items.some(({ metadata }) => metadata.name.includes('foreignpublication'));
      });
      assert.equal(last(unknown), 'of nobody', 'what the store knows nothing of is left');
      const warned = log.filter(line => line.startsWith('somebody else writes'));
      assert.equal(warned.length, 1);
      assert.match(warned[0] ?? '', /"restored":1,"unknown":1/);
      // Its own words in a burst are nobody else's: each is said once.
      said.splice(0);
      await publishBlobs(300, 1_000);
      for (let n = 0; n < 20; n++) await publish(Buffer.from(`word ${n}`));
      await eventually('the last word', () => last(assignment) === 'word 19');
      await clock.sleep(10_000);
      const words = said
        .filter(({ topic }) => topic === assignment)
        .map(one => one.payload.toString());
      assert.equal(new Set(words).size, words.length, words.join());
      assert.equal(said.filter(({ topic }) => topic.includes('/blob/')).length, 300);
    } finally {
      await link?.close();
      await client.endAsync(true);
      await broker.stop();
    }
  });
});

test('S39: a packet of 200 MiB is cut off at its header by the hub too', async () => {
  const MIB = 1024 * 1024;
  let sent = 0;
  const hungUp = new AbortController();
  const server = createServer(socket => {
    socket.on('error', () => undefined);
    socket.on('close', () => hungUp.abort());
    socket.once('data', () => {
      // CONNACK; PUBLISH, QoS 0, of 200 MiB; then as much as is taken.
      socket.write(Buffer.from([0x20, 0x02, 0x00, 0x00, 0x30, 0x80, 0x80, 0x80, 0x64]));
      const flood = () => {
        while (!socket.destroyed && sent < 200 * MIB && socket.write(Buffer.alloc(MIB)))
          sent += MIB;
      };
      socket.on('drain', flood);
      flood();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    startLink((server.address() as AddressInfo).port);
    await eventually('the hub hangs up', () => hungUp.signal.aborted);
    assert.ok(sent < 32 * MIB, `${sent / MIB} MiB were taken`);
    await eventually('it says why', () =>
      log.some(line => /announced a packet of more/.test(line)),
    );
  } finally {
    await link?.close();
    server.close();
  }
});
