/** `drift: report`: what a person made of a revision that was healthy is told as that person's, and not as the revision's health. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ActivationWorld, made } from '../../support/activation-world.js';

let it: ActivationWorld;
beforeEach(() => (it = new ActivationWorld({ drift: 'report' })));
afterEach(() => it.close());

function edit(from: string, to: string): void {
  const file = readdirSync(it.manifests).find(name => name.startsWith('flotilla_')) ?? '';
  const path = join(it.manifests, file);
  writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
  it.stage.distrustDirectory();
  it.pass();
}

const reasons = () => it.journal.events(0, 50).map(({ reason }) => reason);

describe('an edit by hand that is left so', () => {
  beforeEach(() => {
    it.assign(made('shop', 1));
    it.wait(11);
    assert.deepEqual(reasons(), ['BundleHealthy']);
  });

  test('of a healthy revision: the pod begins anew, and no event says that the revision is healthy', () => {
    it.fates.set('mine:1', 'absent');
    edit('shop:1', 'mine:1');
    it.wait(2);
    assert.equal(it.status('shop').state, 'activating');
    it.fates.set('mine:1', 'ready');
    it.wait(15);
    const { state, message } = it.status('shop');
    assert.equal(state, 'healthy');
    assert.match(message, /; not as signed: shop was changed on this node$/);
    assert.deepEqual(reasons(), ['BundleHealthy', 'FileDrifted']);
  });

  test('that ends badly: no event says that the revision failed', () => {
    it.fates.set('mine:1', 'failed');
    edit('shop:1', 'mine:1');
    it.wait(2);
    const { state, message } = it.status('shop');
    assert.equal(state, 'failed');
    assert.match(message, /; not as signed: shop was changed on this node$/);
    assert.deepEqual(reasons(), ['BundleHealthy', 'FileDrifted']);
  });

  test('is over with the next revision, which is healthy as ever', () => {
    edit('shop:1', 'mine:1');
    it.assign(made('shop', 2));
    it.wait(15);
    assert.doesNotMatch(it.status('shop').message, /not as signed/);
    assert.deepEqual(reasons(), ['BundleHealthy', 'FileDrifted', 'BundleHealthy']);
  });
});
