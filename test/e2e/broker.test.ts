/**
 * The embedded broker over real TLS sockets: who gets in, what a node may say and read, what is too
 * large, what is cut. Clients are MQTT.js, and bare sockets where a well-behaved client cannot
 * misbehave.
 */
import assert from 'node:assert/strict';
import { once, type EventEmitter } from 'node:events';
import { createPrivateKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { startBroker, type Broker } from '../../hub/broker/broker.js';
import {
  createAuthority,
  HUB_NAME,
  issueCertificate,
  NO_EXPIRY,
  ORGANISATION,
  spkiOf,
  type Authority,
  type Organisation,
} from '../../hub/setup/pki.js';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import { topicsOf } from '../../protocol/topics.js';

const FLEET = 'ab'.repeat(16);
const topics = topicsOf(FLEET);
const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

interface Pair {
  readonly key: string;
  readonly cert: string;
}

let authority: Authority;
let broker: Broker;
let server: Pair;
let hub: Pair;
let edge1: Pair;
let edge2: Pair;
const allowed = new Map<string, string>();
const lines: string[] = [];
const open: MqttClient[] = [];

async function pair(commonName: string, organisation: Organisation, notAfter = NO_EXPIRY) {
  const privateKey = newKey();
  const cert = await issueCertificate(
    authority,
    { commonName, organisation, publicKey: spkiOf(privateKey), use: 'client', notAfter },
    randomBytes,
  );
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert };
}

function tlsKeyOf({ key }: Pair): string {
  return spkiOf(createPrivateKey(key)).toString('base64');
}

async function join(node: string): Promise<Pair> {
  const made = await pair(node, ORGANISATION.nodes);
  allowed.set(node, tlsKeyOf(made));
  return made;
}

/** Who hangs up on what was not read yet resets the connection: which of both is seen is a matter of time. */
function isHangUp(error: Error): boolean {
  return ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** Rejects when the broker says no, or hangs up before it says anything. */
async function client(
  who: Partial<Pair>,
  clientId: string,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const made = connect({
    protocol: 'mqtts',
    host: '127.0.0.1',
    port: broker.port,
    servername: HUB_NAME,
    ca: authority.certificate,
    ...who,
    clientId,
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: 60_000,
    ...options,
  });
  open.push(made);
  return new Promise((resolve, reject) => {
    made.on('connect', () => resolve(made));
    made.on('error', error => reject(isHangUp(error) ? new Error('hung up') : error));
    made.on('close', () => reject(new Error('hung up')));
  });
}

/** The next message that a client gets. */
function nextMessage(mqtt: MqttClient): Promise<unknown[]> {
  return once(mqtt as unknown as EventEmitter, 'message');
}

/** By whatever way it ends: one that is reset is closed too. */
function isClosed(of: Pick<EventEmitter, 'once'>): Promise<void> {
  return new Promise(resolve => of.once('close', () => resolve()));
}

function socketOf(who: Partial<Pair>, options: object = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect(
      {
        host: '127.0.0.1',
        port: broker.port,
        servername: HUB_NAME,
        ca: authority.certificate,
        ...who,
        ...options,
      },
      () => resolve(socket),
    );
    socket.on('error', reject);
  });
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (condition()) return;
    await sleep(20);
  }
  assert.fail(`waited in vain until ${what}`);
}

/** All that a client receives, as `topic payload`. */
function inbox(mqtt: MqttClient): string[] {
  const received: string[] = [];
  mqtt.on('message', (topic, payload) => received.push(`${topic} ${payload.toString()}`));
  return received;
}

before(async () => {
  authority = await createAuthority(newKey(), { fleet: FLEET, random: randomBytes });
  const key = newKey();
  const cert = await issueCertificate(
    authority,
    {
      commonName: HUB_NAME,
      organisation: ORGANISATION.hub,
      publicKey: spkiOf(key),
      use: { serverNames: [HUB_NAME, '127.0.0.1'] },
      notAfter: NO_EXPIRY,
    },
    randomBytes,
  );
  server = { key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), cert };
  hub = await pair(HUB_NAME, ORGANISATION.hub);
  edge1 = await join('edge-1');
  edge2 = await join('edge-2');
  const say = (message: string, fields?: object) =>
    void lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  broker = await startBroker({
    listen: { host: '127.0.0.1', port: 0 },
    tls: { ...server, ca: authority.certificate },
    fleet: FLEET,
    hubTlsKey: tlsKeyOf(hub),
    isAllowed: async (node, tlsKey) => allowed.get(node) === tlsKey,
    log: { info: say, warn: say, error: say },
  });
});

after(async () => {
  for (const mqtt of open) mqtt.end(true);
  await broker.close();
});

describe('who gets in', () => {
  const refusals: [string, () => Promise<unknown>, RegExp][] = [
    ['no certificate', () => client({}, 'edge-1'), /./],
    ['the client id of another node', () => client(edge2, 'edge-1'), /Identifier rejected/],
    ['the client id of the hub', () => client(edge2, HUB_NAME), /Identifier rejected/],
    ['a session that is to be kept', () => client(edge1, 'edge-1', { clean: false }), /Not author/],
    [
      'a will on the topic of another node',
      () =>
        client(edge2, 'edge-2', {
          will: { topic: topics.node('edge-1', 'presence'), payload: 'x', qos: 1, retain: true },
        }),
      /Not authorized/,
    ],
    ['MQTT 5', () => client(edge1, 'edge-1', { protocolVersion: 5 }), /./],
    ['TLS 1.2', () => socketOf(edge1, { maxVersion: 'TLSv1.2' }), /./],
  ];
  for (const [sentence, attempt, expected] of refusals) {
    test(`refused: ${sentence}`, async () => {
      await assert.rejects(attempt, expected);
    });
  }

  test('refused: a node that is unknown, removed, or has another key', async () => {
    const stranger = await pair('edge-9', ORGANISATION.nodes);
    await assert.rejects(client(stranger, 'edge-9'), /Not authorized/);
    const second = await pair('edge-1', ORGANISATION.nodes);
    await assert.rejects(client(second, 'edge-1'), /Not authorized/);
    const gone = await join('edge-8');
    allowed.delete('edge-8');
    await assert.rejects(client(gone, 'edge-8'), /Not authorized/);
  });

  test('refused: certificates that say hub, admin or no proper name, though our CA signed them', async () => {
    const impostor = await pair(HUB_NAME, ORGANISATION.hub);
    await assert.rejects(client(impostor, HUB_NAME), /hung up/);
    const admin = await pair('edge-1', ORGANISATION.admins);
    await assert.rejects(client(admin, 'edge-1'), /hung up/);
    for (const name of ['+', 'a#', 'a/b', '$SYS', 'Edge-1', 'еdge-1', 'hub']) {
      const odd = await pair(name, ORGANISATION.nodes);
      allowed.set(name, tlsKeyOf(odd));
      await assert.rejects(client(odd, name), /hung up/, name);
    }
  });

  test('refused: a certificate past its day, or of another authority', async () => {
    const expired = await pair('edge-1', ORGANISATION.nodes, new Date('2001-01-01T00:00:00Z'));
    allowed.set('edge-7', tlsKeyOf(expired));
    await assert.rejects(client(expired, 'edge-1'));
    const ours = authority;
    authority = await createAuthority(newKey(), { fleet: FLEET, random: randomBytes });
    const foreign = await pair('edge-1', ORGANISATION.nodes);
    authority = ours;
    await assert.rejects(client(foreign, 'edge-1'));
  });

  test('the hub may hold several connections', async () => {
    const first = await client(hub, HUB_NAME);
    await client(hub, `${HUB_NAME}:bench`);
    assert.equal(first.connected, true);
  });
});

describe('what a node may say and read', () => {
  test('what is kept and what is not, said at once by many, arrives whole and in order on each topic', async () => {
    const own = await client(hub, HUB_NAME);
    const received = inbox(own);
    await own.subscribeAsync(
      ['status', 'event', 'presence'].map(kind => `${topics.prefix}node/+/${kind}`),
      {
        qos: 1,
      },
    );
    const nodes = await Promise.all([
      client(edge1, 'edge-1').then(made => ({ made, name: 'edge-1' })),
      client(edge2, 'edge-2').then(made => ({ made, name: 'edge-2' })),
    ]);
    const TIMES = 200;
    const said = nodes.flatMap(({ made, name }) =>
      Array.from({ length: TIMES }, async (_, n) => {
        const status = made.publishAsync(topics.node(name, 'status'), `${n}`, {
          qos: 1,
          retain: true,
        });
        await Promise.all([
          status,
          made.publishAsync(topics.node(name, 'event'), `${n}`, { qos: 1 }),
        ]);
      }),
    );
    await Promise.all(said);
    await own.publishAsync(topics.hub(), 'last', { qos: 1 });
    await until('all of it came', () => received.length >= 2 * 2 * TIMES);
    for (const { name } of nodes) {
      for (const kind of ['status', 'event'] as const) {
        const topic = topics.node(name, kind);
        const words = Array.from({ length: TIMES }, (_, n) => `${topic} ${n}`);
        assert.deepEqual(
          received.filter(line => line.startsWith(`${topic} `)),
          words,
        );
      }
    }
    for (const { made, name } of nodes) {
      await made.publishAsync(topics.node(name, 'status'), '', { qos: 1, retain: true });
    }
  });

  test('its own topics reach the hub; retained ones stay', async () => {
    const listener = await client(hub, `${HUB_NAME}:a`);
    const received = inbox(listener);
    await listener.subscribeAsync([topics.everyNode('event'), topics.everyNode('pod')], { qos: 1 });
    const node = await client(edge1, 'edge-1');
    await node.publishAsync(topics.node('edge-1', 'event'), 'e', { qos: 1 });
    await node.publishAsync(topics.node('edge-1', 'pod', '0'.repeat(16)), 'p', { qos: 1 });
    await node.publishAsync(topics.node('edge-1', 'status'), 's', { qos: 1, retain: true });
    await until('the hub has both', () => received.length === 2);
    const late = await client(hub, `${HUB_NAME}:b`);
    const kept = inbox(late);
    await late.subscribeAsync(topics.everyNode('status'), { qos: 1 });
    await until('the retained status came', () => kept.length === 1);
    assert.deepEqual(kept, [`${topics.node('edge-1', 'status')} s`]);
    await node.endAsync();
  });

  const foreign: [string, string, { qos: 0 | 1 | 2; retain: boolean }][] = [
    ['the status of another node', topics.node('edge-1', 'status'), { qos: 1, retain: true }],
    ['an assignment for itself', topics.node('edge-2', 'assignment'), { qos: 1, retain: true }],
    ['the presence of the hub', topics.hub(), { qos: 1, retain: true }],
    ['a blob', topics.blob('0'.repeat(64)), { qos: 1, retain: true }],
    ['a root', topics.root(2), { qos: 1, retain: true }],
    [
      'a topic of another fleet',
      `flotilla/v1/${'0'.repeat(32)}/node/edge-2/event`,
      { qos: 1, retain: false },
    ],
    ['a topic outside of all', 'anything', { qos: 1, retain: false }],
    ['a topic of the broker', '$SYS/x', { qos: 1, retain: false }],
    ['an event that is to be retained', topics.node('edge-2', 'event'), { qos: 1, retain: true }],
    ['an event with QoS 2', topics.node('edge-2', 'event'), { qos: 2, retain: false }],
  ];
  for (const [sentence, topic, options] of foreign) {
    test(`denied: ${sentence}`, async () => {
      const listener = await client(hub, `${HUB_NAME}:c`);
      const received = inbox(listener);
      await listener.subscribeAsync(`${topics.prefix}#`, { qos: 1 });
      const before = received.length;
      const node = await client(edge2, 'edge-2');
      const closed = isClosed(node as unknown as EventEmitter);
      node.publish(topic, 'forged', options, () => undefined);
      await closed;
      await listener.publishAsync(topics.mark(), randomBytes(4).toString('hex'), { qos: 1 });
      await until('the mark came', () => received.slice(before).some(m => m.includes('/mark ')));
      assert.equal(
        received.slice(before).some(message => message.endsWith('forged')),
        false,
      );
      await listener.endAsync();
    });
  }

  test('a node reads its own topics, hub, root and blobs by digest; SUBACK says no to the rest', async () => {
    const node = await client(edge1, 'edge-1');
    const may = [
      topics.node('edge-1', 'assignment'),
      topics.node('edge-1', 'presence'),
      topics.node('edge-1', 'stream', '+'),
      topics.hub(),
      topics.root(),
      `${topics.root()}/+`,
      topics.root(3),
      topics.blob('1'.repeat(64)),
    ];
    for (const grant of await node.subscribeAsync(may, { qos: 1 })) {
      assert.equal(grant.qos, 1, grant.topic);
    }
    const mayNot = [
      topics.node('edge-2', 'assignment'),
      topics.everyNode('assignment'),
      `${topics.prefix}blob/+`,
      `${topics.prefix}#`,
      topics.mark(),
      topics.blob('1'.repeat(63)),
      '#',
      '+/+',
      '$SYS/#',
    ];
    for (const filter of mayNot) {
      await assert.rejects(node.subscribeAsync(filter, { qos: 1 }), /./, filter);
    }
    await node.endAsync();
  });

  test('retained messages come by exact filter, by root/+, and are gone once emptied', async () => {
    const publisher = await client(hub, `${HUB_NAME}:d`);
    const digest = '2'.repeat(64);
    await publisher.publishAsync(topics.root(), 'r2', { qos: 1, retain: true });
    await publisher.publishAsync(topics.root(1), 'r1', { qos: 1, retain: true });
    await publisher.publishAsync(topics.root(2), 'r2', { qos: 1, retain: true });
    await publisher.publishAsync(topics.blob(digest), 'b', { qos: 1, retain: true });
    const node = await client(edge1, 'edge-1');
    const received = inbox(node);
    await node.subscribeAsync([topics.blob(digest), `${topics.root()}/+`], { qos: 1 });
    await until('three came', () => received.length === 3);
    assert.deepEqual(received.sort(), [
      `${topics.blob(digest)} b`,
      `${topics.root(1)} r1`,
      `${topics.root(2)} r2`,
    ]);
    await publisher.publishAsync(topics.blob(digest), '', { qos: 1, retain: true });
    await node.endAsync();
    const again = await client(edge1, 'edge-1');
    const later = inbox(again);
    await again.subscribeAsync([topics.blob(digest), topics.root(1)], { qos: 1 });
    await until('root 1 came', () => later.length > 0);
    assert.deepEqual(later, [`${topics.root(1)} r1`]);
    await again.endAsync();
    await publisher.endAsync();
  });
});

describe('sizes', () => {
  test('a message of the full size passes', async () => {
    const listener = await client(hub, `${HUB_NAME}:e`);
    const got = nextMessage(listener);
    await listener.subscribeAsync(topics.everyNode('event'), { qos: 1 });
    const node = await client(edge1, 'edge-1');
    const payload = Buffer.alloc(MESSAGE_BYTES_MAX, 7);
    await node.publishAsync(topics.node('edge-1', 'event'), payload, { qos: 1 });
    const [, received] = (await got) as [string, Buffer];
    assert.equal(received.byteLength, MESSAGE_BYTES_MAX);
    await node.endAsync();
    await listener.endAsync();
  });

  test('a packet that announces 200 MiB is refused at its header', async () => {
    const socket = await socketOf(edge1);
    socket.on('error', () => undefined);
    const closed = isClosed(socket);
    socket.resume();
    // PUBLISH, QoS 1; remaining length 209715200 in four digits; not one byte of it follows.
    socket.write(Buffer.from([0x32, 0x80, 0x80, 0x80, 0x64]));
    await closed;
    await until('it is logged', () => lines.some(line => line.includes('packet too large')));
  });
});

describe('cutting', () => {
  test('disconnectNode ends the live session, publishes its will, and leaves others alone', async () => {
    const listener = await client(hub, `${HUB_NAME}:f`);
    const received = inbox(listener);
    const victim = await join('edge-3');
    const will = {
      topic: topics.node('edge-3', 'presence'),
      payload: 'gone',
      qos: 1,
      retain: true,
    };
    const first = await client(victim, 'edge-3', { will } as IClientOptions);
    const other = await client(edge1, 'edge-1');
    await listener.subscribeAsync(topics.everyNode('presence'), { qos: 1 });
    const closed = isClosed(first as unknown as EventEmitter);
    allowed.delete('edge-3');
    broker.disconnectNode('edge-3');
    await closed;
    await until('the will came', () => received.some(message => message.endsWith(' gone')));
    await assert.rejects(client(victim, 'edge-3'), /Not authorized/);
    assert.equal(other.connected, true);
    broker.disconnectNode('edge-3');
    await other.endAsync();
    await listener.endAsync();
  });

  test('close ends at once with clients connected, and twice is fine', async () => {
    const second = await startBroker({
      listen: { host: '127.0.0.1', port: 0 },
      tls: { ...server, ca: authority.certificate },
      fleet: FLEET,
      hubTlsKey: tlsKeyOf(hub),
      isAllowed: () => true,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    const idle = await socketOf(edge1, { port: second.port });
    idle.on('error', () => undefined);
    const node = await client(edge2, 'edge-2', { port: second.port });
    const closed = isClosed(node as unknown as EventEmitter);
    await Promise.all([second.close(), second.close()]);
    await closed;
  });

  test('a port that is taken is an error', async () => {
    const options = {
      tls: { ...server, ca: authority.certificate },
      fleet: FLEET,
      hubTlsKey: tlsKeyOf(hub),
      isAllowed: () => true,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    };
    await assert.rejects(
      startBroker({ ...options, listen: { host: '127.0.0.1', port: broker.port } }),
      /EADDRINUSE/,
    );
  });
});
