/** The looks at what a node lacks: what they cost, and that none misses what happened meanwhile. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { made } from '../../support/activation-world.js';
import { alone, asked, changes, healthy, images, it, readiness, readinessWorld } from './world.js';

readinessWorld();

describe('the price', () => {
  test('what does not change is told once, and writes nothing', async () => {
    healthy(made('shop', 1));
    await readiness.look();
    const before = [changes, it.journal.history().row];
    for (let look = 0; look < 5; look++) await readiness.look();
    assert.deepEqual([changes, it.journal.history().row], before);
  });

  test('each image is asked for once in a look, however many pods name it', async () => {
    healthy(made('shop', 1, { pods: ['a', 'b', 'c'] }));
    await readiness.look();
    asked.length = 0;
    await readiness.look();
    assert.deepEqual(asked, ['shop:1']);
  });

  test('a look that is asked for while one is under way sees what happened meanwhile', async () => {
    healthy(made('shop', 1));
    const first = readiness.look();
    images.delete('shop:1');
    await Promise.all([first, readiness.look()]);
    assert.match(await alone(), /^False ImageMissing/);
  });
});
