/** Mosquitto's queues as the hub sets them: what a large fleet says in a burst, or while the hub is away, reaches it whole. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { connect } from 'mqtt';
import { startBroker as startTestBroker } from '../../support/brokers.js';
import { eventually } from '../../support/wait.js';
import { PublisherWorld, topics } from '../../support/publisher-world.js';

let world: PublisherWorld;

beforeEach(async () => {
  world = await PublisherWorld.make();
});
afterEach(() => world.close());

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
      const hub = world.startLink(broker.port);
      await eventually('the hub is connected', () => hub.connected());
      await eventually('what waited', () => world.received.length >= 5_000);
      world.received.length = 0;
      const acknowledged = Array.from({ length: 20_000 }, (_, n) => said(n % 5_000));
      await Promise.all(acknowledged);
      await eventually('all of them', () => world.received.length >= 20_000);
      assert.equal(world.received.length, 20_000);
    } finally {
      await client.endAsync(true);
      await broker.stop();
    }
  });
});
