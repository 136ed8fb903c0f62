/** The hub's publisher on Mosquitto and on the embedded broker: what it sends, in which order, and what one bad message may cost. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { MESSAGE_BYTES_MAX } from '../../../protocol/limits.js';
import { openHubDocument } from '../../../protocol/verify-messages.js';
import { startBroker as startTestBroker, type TestBroker } from '../../support/brokers.js';
import { NODE_NAME, trustedRoot } from '../../support/fleet.js';
import { eventually } from '../../support/wait.js';
import {
  ACK,
  blob,
  numberOf,
  PublisherWorld,
  spyOn,
  status,
  topics,
} from '../../support/publisher-world.js';

let world: PublisherWorld;

beforeEach(async () => {
  world = await PublisherWorld.make();
});
afterEach(() => world.close());

for (const kind of ['mosquitto', 'aedes'] as const) {
  describe(`the hub's publisher on ${kind}`, () => {
    let broker: TestBroker;
    let spy: Awaited<ReturnType<typeof spyOn>>;

    beforeEach(async () => {
      broker = await startTestBroker(kind);
      spy = await spyOn(broker.port);
    });
    afterEach(async () => {
      await world.link?.close();
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
      await world.publishBlobs(350);
      world.startLink(broker.port, { brokerIsFresh: true });
      await markIs(350);
      const expected = Array.from({ length: 350 }, (_, i) => blob(i + 1));
      assert.deepEqual(blobsSaid(), expected);
    });

    test('says nothing but its session to a broker that has all', async () => {
      await world.publishBlobs(3);
      world.startLink(broker.port, { brokerIsFresh: true });
      await eventually('everything is out', () => blobsSaid().length === 3);
      await eventually('it is connected', () => world.link?.connected());
      await world.link?.close();
      await markIs(3);
      const hubWords = () => spy.said.filter(({ topic }) => topic === topics.hub());
      await eventually('birth and goodbye', () => hubWords().length === 2);
      spy.said.splice(0);
      const again = world.startLink(broker.port);
      await eventually('it is connected', () => again.connected());
      await again.close();
      await eventually('it said goodbye', () => spy.said.length >= 2);
      assert.deepEqual(
        spy.said.map(({ topic }) => topic),
        [topics.hub(), topics.hub()],
      );
    });

    test('sends what was published and cleared while it was away', async () => {
      await world.publishBlobs(3);
      world.startLink(broker.port, { brokerIsFresh: true });
      await markIs(3);
      await world.link?.close();
      await world.publishBlobs(1, 9);
      await world.clear(2);
      world.startLink(broker.port);
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
      await world.store.commit({ kind: 'hub', name: 'test' }, [
        { type: 'publish', topic: blob(1), payload: Buffer.alloc(MESSAGE_BYTES_MAX + 1) },
        { type: 'publish', topic: blob(2), payload: Buffer.alloc(MESSAGE_BYTES_MAX) },
      ]);
      world.startLink(broker.port, { brokerIsFresh: true });
      await markIs(2);
      assert.deepEqual(blobsSaid(), [blob(2)]);
      assert.ok(world.log.some(line => line.includes('too large') && line.includes(blob(1))));
    });

    test('drops a message above the limit and hears the next', async () => {
      const running = world.startLink(broker.port, { brokerIsFresh: true });
      await eventually('it is connected', () => running.connected());
      await spy.client.publishAsync(status, Buffer.alloc(MESSAGE_BYTES_MAX + 1), { qos: 1 });
      await spy.client.publishAsync(status, 'small', { qos: 1 });
      await eventually('the next is heard', () => world.received.length > 0);
      assert.deepEqual(
        world.received.map(({ kind, node, payload }) => [
          kind,
          node,
          Buffer.from(payload).toString(),
        ]),
        [['status', NODE_NAME, 'small']],
      );
      assert.deepEqual([running.connected(), world.ups, world.downs], [true, 1, 0]);
    });

    test('goes on after a handler that throws', async () => {
      const running = world.startLink(broker.port, {
        brokerIsFresh: true,
        onMessage: message => {
          world.received.push(message);
          if (world.received.length === 1) throw new Error('cannot be handled');
        },
      });
      await eventually('it is connected', () => running.connected());
      await spy.client.publishAsync(status, 'one', { qos: 1 });
      await spy.client.publishAsync(status, 'two', { qos: 1 });
      await eventually('the second is handed on', () => world.received.length === 2);
      assert.deepEqual([running.connected(), world.downs], [true, 0]);
    });

    test('brings an ack to its node, and keeps none for later', async () => {
      const running = world.startLink(broker.port, { brokerIsFresh: true });
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
