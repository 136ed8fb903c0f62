/** What a node leaves on the broker goes with it, whatever broker it is; what others left stays. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { goneNodes } from '../../../hub/link/gone-nodes.js';
import { startBroker as startTestBroker } from '../../support/brokers.js';
import { fastClock } from '../../support/fast-clock.js';
import { eventually } from '../../support/wait.js';
import { PublisherWorld, spyOn, topics } from '../../support/publisher-world.js';

const ACTOR = { kind: 'user', name: 'test' } as const;

async function enrol({ store }: PublisherWorld, node: string): Promise<void> {
  const record = {
    ...{ node, identityKey: 'aa'.repeat(32), tlsKey: node, sealingKey: '', certificate: '' },
    ...({ state: 'active' } as const),
    ...{ joinedAt: '2026-06-01T00:00:00Z', token: '', labels: {} },
    suspectedAt: null,
  };
  const reporter = {
    ...{ node, journal: 'ab'.repeat(16), current: true, boot: 1, counter: 1 },
    ...{ presenceBoot: 1, presenceN: 1, online: true, through: 0 },
  };
  await store.commit(ACTOR, [
    { type: 'identity', record, expect: 'absent' },
    { type: 'reporter', record: reporter },
  ]);
}

for (const kind of ['aedes', 'mosquitto'] as const) {
  describe(`${kind}: what a node left`, () => {
    test('is cleared when it is deleted, its will too, and nothing of others', async () => {
      const world = await PublisherWorld.make();
      const broker = await startTestBroker(kind);
      const { client, said } = await spyOn(broker.port);
      const put = (node: string, what: 'status' | 'presence', text: string) =>
        client.publishAsync(topics.node(node, what), text, { qos: 1, retain: true });
      const lies = (node: string, what: 'status' | 'presence') =>
        said.findLast(({ topic }) => topic === topics.node(node, what))?.payload.toString();
      try {
        for (const node of ['edge-1', 'edge-2', 'former']) {
          await enrol(world, node);
          await put(node, 'status', 'status');
          await put(node, 'presence', 'online');
        }
        // Joined after the backup of a hub, which knows nothing of it.
        await put('unknown', 'status', 'status');
        await world.store.commit(ACTOR, [{ type: 'dropIdentity', node: 'former' }]);
        const clock = fastClock(Date.now(), 20);
        const quiet = () => undefined;
        const guest = goneNodes({
          ...{ store: world.store, topics, clock },
          log: { info: quiet, warn: line => void world.log.push(line), error: quiet },
        });
        const hub = world.startLink(broker.port, { guests: [guest] });
        await eventually('it is connected', () => hub.connected());
        await eventually(
          'what was left while no hub was there',
          () => lies('former', 'status') === '',
        );
        await world.store.commit(ACTOR, [{ type: 'dropIdentity', node: 'edge-1' }]);
        await eventually('its status', () => lies('edge-1', 'status') === '');
        await eventually('its presence', () => lies('edge-1', 'presence') === '');
        await put('edge-1', 'presence', 'its will');
        await eventually('its will', () => lies('edge-1', 'presence') === '');
        assert.equal(lies('edge-2', 'status'), 'status');
        assert.equal(lies('edge-2', 'presence'), 'online');
        assert.equal(lies('unknown', 'status'), 'status');
        // It joins again, and is heard as before.
        await enrol(world, 'edge-1');
        await put('edge-1', 'status', 'anew');
        await clock.sleep(10_000);
        assert.equal(lies('edge-1', 'status'), 'anew');
        assert.deepEqual(
          world.log.filter(line => line.includes('not cleared')),
          [],
        );
      } finally {
        await world.link?.close();
        await client.endAsync(true);
        await broker.stop();
        await world.close();
      }
    });
  });
}
