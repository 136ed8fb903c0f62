/** A status that builds on the one that the hub confirmed, against a real broker: little, and never all that a hub has to go by. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { publish, revision, world, type World } from '../support/intake-world.js';
import { eventually } from '../support/wait.js';

/** Of statuses, in the order in which they came. */
const sizes = ({ hub }: World) =>
  hub.sizes.flatMap(({ kind, bytes }) => (kind === 'status' ? [bytes] : []));
const last = (it: World) => sizes(it).at(-1) ?? 0;

/** Revision `number` is delivered; the size of the status that says so. */
async function delivered(it: World, number: number): Promise<number> {
  await publish(it.hub, number + 7, revision(number));
  const says = `revision ${number} lies there`;
  await it.hub.statusWhere(says, ({ bundles, generation }) => {
    const [shop] = bundles;
    return generation === number + 7 && shop?.active === shop?.digest;
  });
  return last(it);
}

describe('a status', () => {
  test('after one that the hub confirmed says what changed since; a new session hears all of it', async () => {
    const it = await world();
    const { hub } = it;
    try {
      const whole = await delivered(it, 1);
      await hub.acknowledge(0);
      const short = await delivered(it, 2);
      assert.ok(short * 1.5 < whole, `${short} bytes of ${whole}`);
      // A hub that began anew knows nothing of what was said.
      const before = sizes(it).length;
      await hub.announce('02'.repeat(16));
      await eventually('all of it', () => sizes(it).length > before && last(it) * 1.2 > whole);
      assert.deepEqual(hub.foreign, []);
    } finally {
      await it.stop();
    }
  });

  test('that is not confirmed is said again whole', async () => {
    const it = await world({ speed: 20 });
    const { hub } = it;
    try {
      const whole = await delivered(it, 1);
      await hub.acknowledge(0);
      const short = await delivered(it, 2);
      assert.ok(short * 1.5 < whole, `${short} bytes of ${whole}`);
      await eventually('the same again', () => last(it) * 1.2 > whole);
      assert.equal(hub.status().generation, 9);
    } finally {
      await it.stop();
    }
  });
});
