/** What crashed at one attempt of a revision, and waits in its back-off, begins at once at the next. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { tryBundleAgain } from '../../../agent/pods/tried-again.js';
import { SimulatedNode } from '../../sim/node.js';
import { manifest } from '../../support/pods.js';

const node = new SimulatedNode();
afterEach(() => node.close());

const SHOP = { namespace: 'default', name: 'shop' };

test('a bundle that is tried again waits out no back-off of its pods, another leaves it alone', async () => {
  node.source.bundle = SHOP;
  node.source.say(manifest('web'));
  const runs = (attempt: number) =>
    node.until(`run ${attempt}`, () => node.running('web')?.attempt === attempt);
  const crash = () => node.engine.exitContainer(node.running('web')?.id ?? '', 1);
  for (const attempt of [0, 1, 2]) {
    await runs(attempt);
    crash();
  }
  const reason = () =>
    node.report('web')?.pod.status?.containerStatuses?.[0]?.state?.waiting?.reason;
  await node.until('it waits', () => reason() === 'CrashLoopBackOff');
  const from = node.clock.now();
  tryBundleAgain(node.pods, { ...SHOP, name: 'till' });
  await node.settle();
  assert.equal(reason(), 'CrashLoopBackOff');
  tryBundleAgain(node.pods, SHOP);
  await runs(3);
  assert.ok(node.clock.now() - from < 10_000, 'before any back-off is over');
  tryBundleAgain(null, SHOP);
});
