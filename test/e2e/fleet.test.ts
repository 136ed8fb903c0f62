/** The fleet simulator speaks what a hub takes: joined, heard, given a revision and another, cut and back, in what the hub itself shows. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SimulatedFleet } from '../bench/simulated-fleet.js';
import { eventually } from '../support/wait.js';

const COUNT = 6;

interface Shown {
  readonly items: readonly {
    readonly status: {
      readonly conditions: readonly { type: string; status: string }[];
      readonly flotilla: {
        readonly bundles: readonly { revision: number; state: string }[];
      };
    };
  }[];
}

describe('a simulated fleet', () => {
  const world = new SimulatedFleet('embedded', COUNT);
  const nodes = async () => (await world.play.json<Shown>('get', 'nodes')).items;
  const all = async (is: (node: Shown['items'][number]) => boolean) => {
    const shown = await nodes();
    return shown.length === COUNT && shown.every(is);
  };

  before(() => world.start());
  after(() => world.close());

  test('each of its devices is a node that is ready', async () => {
    await eventually('all are ready', () =>
      all(({ status }) =>
        status.conditions.some(one => one.type === 'Ready' && one.status === 'True'),
      ),
    );
  });

  test('a revision and another become healthy on all, with their pods', async () => {
    await world.first();
    const { counts } = await world.another('two');
    assert.equal(counts.healthy, COUNT);
    assert.ok(await all(({ status }) => status.flotilla.bundles[0]?.revision === 2));
    assert.ok(await all(({ status }) => status.flotilla.bundles[0]?.state === 'healthy'));
    const pods = await world.play.json<{ items: readonly unknown[] }>('get', 'pods');
    assert.equal(pods.items.length, COUNT);
  });

  test('whose power is cut at once is back, and heard', async () => {
    await world.reconnected();
    const { connected, unsaid } = await world.fleet.counts();
    assert.deepEqual([connected, unsaid], [COUNT, 0]);
  });
});
