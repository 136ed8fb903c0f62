/** What a node says of a bundle that is not to be there any more, and is: which is no revision that is being rolled out. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { activatedText } from '../../../agent/cli/site.js';
import { heldHereText } from '../../../agent/held-here.js';
import { activateNow, hold } from '../../../agent/site.js';
import { bundleDocument, NOW, podManifest } from '../../support/fleet.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { ActivationWorld, made, type Made } from '../../support/activation-world.js';

let it: ActivationWorld;
beforeEach(() => (it = new ActivationWorld()));
afterEach(() => it.close());

function lockable(): Made {
  const pod = podManifest('web', 'web:1') as { metadata: object; spec: { containers: object[] } };
  const annotations = { 'flotilla.dev/update-lock': 'run/busy' };
  const volumeMounts = [{ name: 'run', mountPath: '/run/app' }];
  const [container] = pod.spec.containers;
  const spec = {
    ...pod.spec,
    containers: [{ ...container, volumeMounts }],
    volumes: [{ name: 'run', emptyDir: {} }],
  };
  const pods = [{ ...pod, metadata: { ...pod.metadata, annotations }, spec }];
  const of = { name: 'shop', revision: 1, strategy: DEFAULT_STRATEGY };
  return { document: bundleDocument(pods, of), pods };
}

describe('a removal that waits', () => {
  beforeEach(() => {
    it.assign(lockable());
    it.wait(11);
  });

  test('for a pod that asks for time is told as one, with the pod, and not as a healthy revision', () => {
    it.updateLocks.set('web:1', Date.parse('2026-01-01T00:00:00Z'));
    it.assign();
    const { state, reason, message } = it.status('shop');
    assert.deepEqual([state, reason], ['removing', 'Locked']);
    assert.match(message, /^not assigned any more, and stays until it may go: pod web asks not to/);
    assert.deepEqual(it.images(), ['web:1']);
  });

  test('is a row of history with its time, once, and told since then, whatever waited before', () => {
    it.updateLocks.set('web:1', Date.parse('2026-01-01T00:00:00Z'));
    const before = it.history().length;
    it.wait(3600);
    it.assign();
    const since = it.status('shop').since;
    assert.equal(Date.parse(since), NOW + 3611 * 1000);
    it.wait(60);
    it.pass();
    it.restart();
    it.pass();
    assert.equal(it.status('shop').since, since);
    assert.deepEqual(it.history().slice(before), ['shop:1 removing']);
    it.journal.site().hold({ namespace: 'default', name: 'shop' }, { by: 'mo', reason: '' });
    it.pass();
    assert.equal(it.state('shop'), 'removing Held');
    assert.equal(Date.parse(it.status('shop').since), NOW + 3671 * 1000);
    it.assign(lockable());
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
    assert.deepEqual(it.history().slice(before), [
      ...['shop:1 removing', 'shop:1 removing', 'shop:1 healthy'],
    ]);
    it.assign();
    assert.equal(it.history().at(-1), 'shop:1 removing');
  });

  test('for a person is told with who holds it', () => {
    it.journal.site().hold({ namespace: 'default', name: 'shop' }, { by: 'mo', reason: 'fair' });
    it.assign();
    const { state, reason, message } = it.status('shop');
    assert.deepEqual([state, reason], ['removing', 'Held']);
    assert.match(message, /: held at the device by mo \(fair\)$/);
    assert.deepEqual(it.images(), ['web:1']);
  });

  test('is what activate --now says that it ends', () => {
    it.updateLocks.set('web:1', Date.parse('2026-01-01T00:00:00Z'));
    it.assign();
    const facts = { isLocked: () => true };
    const { bundles } = activateNow(it.journal, { bundle: null, by: 'mo', reason: '' }, facts);
    assert.deepEqual(bundles.map(activatedText), [
      'the removal of bundle/shop (default) waits for windows and locks no longer',
    ]);
  });

  test('is over at once where nothing stands in its way, and what is assigned again is a revision', () => {
    it.updateLocks.set('web:1', Date.parse('2026-01-01T00:00:00Z'));
    it.assign();
    it.assign(lockable());
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
  });
});

describe('a hold of what is going already', () => {
  test('says that it came too late', () => {
    it.assign(made('shop', 1));
    it.wait(11);
    const pod = it.pods()[0];
    assert.ok(pod);
    it.linger(pod);
    it.assign();
    assert.equal(it.status('shop').state, 'removing');
    const wish = { bundle: 'shop', by: 'mo', reason: '', node: 'edge-1' };
    assert.deepEqual(hold(it.journal, wish).bundles.map(heldHereText), [
      'too late for what ran: its files are gone and its pods end; what comes under this name waits',
    ]);
  });
});
