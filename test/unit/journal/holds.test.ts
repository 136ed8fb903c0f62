/** What a person holds twice is held since the first time. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ActivationWorld } from '../../support/activation-world.js';

let it: ActivationWorld;
beforeEach(() => (it = new ActivationWorld()));
afterEach(() => it.close());

const shop = { namespace: 'default', name: 'shop' };
const holds = () => it.journal.site().holds();

for (const [what, target] of [
  ['one bundle', shop],
  ['all bundles', { node: 'edge-1' }],
] as const) {
  test(`a second hold on ${what} says who and why by now, and not since when`, () => {
    it.journal.site().hold(target, { by: 'mo', reason: 'stocktaking' });
    const [first] = holds();
    it.sleep(60);
    it.journal.site().hold(target, { by: 'jo', reason: 'opening day' });
    const [second, ...more] = holds();
    assert.deepEqual(more, []);
    assert.deepEqual([second?.by, second?.reason, second?.at], ['jo', 'opening day', first?.at]);
  });
}

test('one that was released between begins anew', () => {
  it.journal.site().hold(shop, { by: 'mo', reason: '' });
  const [first] = holds();
  it.journal.site().release(shop, { by: 'mo', reason: '' });
  it.sleep(60);
  it.journal.site().hold(shop, { by: 'mo', reason: '' });
  assert.equal(holds()[0]?.at, (first?.at ?? 0) + 60_000);
});
