/** However many nodes report at once, each hears that it was recorded: who does not says everything again half a minute later. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openHubDocument } from '../../../protocol/verify-messages.js';
import { startBroker } from '../../support/brokers.js';
import { trustedRoot } from '../../support/fleet.js';
import { ACK, PublisherWorld, spyOn, topics } from '../../support/publisher-world.js';
import { eventually } from '../../support/wait.js';

const NODES = 3_000;

for (const kind of ['aedes', 'mosquitto'] as const) {
  test(`${kind}: three thousand nodes are confirmed at once, and those that are confirmed twice hear the newest`, async () => {
    const world = await PublisherWorld.make();
    const broker = await startBroker(kind);
    const { client, said } = await spyOn(broker.port);
    try {
      const hub = world.startLink(broker.port);
      await eventually('it is connected', () => hub.connected());
      const names = Array.from({ length: NODES }, (_, n) => `edge-${n}`);
      for (const node of names) hub.messenger.ack(node, { ...ACK, node, counter: 1, pods: {} });
      const pods = { 'default/web': 'ab'.repeat(32) };
      for (const node of names) hub.messenger.ack(node, { ...ACK, node, counter: 2, pods });
      for (const node of names) hub.messenger.ack(node, { ...ACK, node, counter: 3, pods: {} });
      const newest = (node: string) => {
        const topic = topics.node(node, 'ack');
        const heard = said.filter(one => one.topic === topic);
        const opened = heard.map(({ payload }) => {
          const one = openHubDocument('ack', payload, { root: trustedRoot(), node });
          assert.ok(one.ok);
          return one.value.document;
        });
        return {
          counter: opened.at(-1)?.counter,
          pods: opened.flatMap(one => Object.keys(one.pods)),
        };
      };
      const count = () =>
        new Set(said.map(({ topic }) => topic).filter(topic => topic.endsWith('/ack')));
      await eventually('each heard of it', () => count().size === NODES);
      for (const node of [names[0], names[150], names[1500], names[NODES - 1]]) {
        await eventually('the newest', () => newest(node ?? '').counter === 3);
        assert.deepEqual([...new Set(newest(node ?? '').pods)], ['default/web']);
      }
      const messages = said.filter(({ topic }) => topic.endsWith('/ack')).length;
      assert.ok(messages < 2 * NODES, `${messages}: what waited was put together`);
    } finally {
      await world.link?.close();
      await client.endAsync(true);
      await broker.stop();
      await world.close();
    }
  });
}
