/** What a node may say and read on the embedded broker, and how large a message may be. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import { HUB_NAME } from '../../../hub/setup/pki.js';
import { MESSAGE_BYTES_MAX } from '../../../protocol/limits.js';
import {
  brokerWorld,
  client,
  edge1,
  edge2,
  hub,
  inbox,
  isClosed,
  lines,
  nextMessage,
  socketOf,
  topics,
  until,
} from '../../support/broker-world.js';

brokerWorld();

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
