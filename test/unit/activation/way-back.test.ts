/** The way back to the last healthy revision, on real files and a real journal: when it is taken, and what is said while it is not. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { StageOptions } from '../../../agent/intake/stage-options.js';
import { assigned, rootDocument } from '../../support/fleet.js';
import { ActivationWorld, FIRST as first, made } from '../../support/activation-world.js';

let it: ActivationWorld;
beforeEach(() => (it = new ActivationWorld()));
afterEach(() => it.close());

const digestOf = (one: typeof first) => assigned(one.document).digest;
const crashing = (): void => it.crashing();

describe('the way back', () => {
  test('is closed for good by the root: what becomes ready after all is healthy', () => {
    crashing();
    it.root = rootDocument({ denied: [digestOf(first)] });
    it.wait(600);
    it.pass();
    assert.equal(it.state('shop'), 'failed ProgressDeadlineExceeded');
    it.fates.set('shop:2', 'ready');
    it.pass();
    assert.deepEqual([it.state('shop'), it.images()], ['healthy ContainersSettled', ['shop:2']]);
    it.root = rootDocument();
    it.pass();
    assert.deepEqual([it.state('shop'), it.images()], ['healthy ContainersSettled', ['shop:2']]);
  });

  test('is open where another bundle stands in it: what becomes ready meanwhile is not healthy', () => {
    it.fates.set('shop:2', 'crash');
    it.assign(made('shop', 1, { pods: ['web', 'tool'] }));
    it.wait(11);
    it.assign(made('shop', 2, { pods: ['web'] }), made('other', 1, { pods: ['tool'] }));
    it.wait(600);
    it.fates.set('shop:2', 'ready');
    it.pass();
    it.wait(30);
    assert.deepEqual(
      [it.state('shop'), it.images()],
      ['failed ProgressDeadlineExceeded', ['other:1', 'shop:2']],
    );
  });

  test('is not taken to what the root denies by now: the failed one stays, and why is said', () => {
    crashing();
    it.root = rootDocument({ denied: [digestOf(first)] });
    it.wait(600);
    assert.deepEqual(
      [it.state('shop'), it.images()],
      ['failed ProgressDeadlineExceeded', ['shop:2']],
    );
    assert.match(
      it.status('shop').message,
      /; cannot go back: bundle default\/shop: revision 1 is denied/,
    );
    const said = it.history().length;
    it.pass();
    it.pass();
    assert.equal(it.history().length, said, 'said once');
  });

  test('waits for images that went meanwhile: the failed one stays, and why is said', () => {
    it.close();
    let isHere = true;
    const asked: string[] = [];
    const done: string[] = [];
    const images: NonNullable<StageOptions['images']> = {
      hold: ({ digest, isReturn }) => {
        if (isReturn === true) asked.push(digest);
        return isHere ? null : { reason: 'PullingImage', message: 'image "shop:1": on its way' };
      },
      confirm: () => true,
      drop: () => undefined,
      dropReturn: ({ name }) => done.push(name),
    };
    it = new ActivationWorld({ images });
    crashing();
    isHere = false;
    it.wait(600);
    assert.deepEqual(
      [it.state('shop'), it.images()],
      ['failed ProgressDeadlineExceeded', ['shop:2']],
    );
    assert.match(it.status('shop').message, /; cannot go back: image "shop:1": on its way$/);
    const said = it.history().length;
    it.pass();
    assert.equal(it.history().length, said, 'said once');
    isHere = true;
    done.length = 0;
    it.pass();
    assert.deepEqual(
      [it.state('shop'), it.images()],
      ['rolledBack ProgressDeadlineExceeded', ['shop:1']],
    );
    assert.deepEqual([...new Set(asked)], [digestOf(first)]);
    assert.ok(done.includes('shop'), 'nothing is awaited any more');
  });

  test("is not taken below the root's floor", () => {
    crashing();
    it.root = rootDocument({ floors: { 'default/shop': 2 } });
    it.wait(600);
    assert.deepEqual(it.images(), ['shop:2']);
    assert.match(it.status('shop').message, /cannot go back: .* below the root's floor$/);
  });

  test('waits for a pod name that another bundle took, and is taken when it is free', () => {
    const both = made('shop', 1, { pods: ['web', 'tool'] });
    it.fates.set('shop:2', 'crash');
    it.assign(both);
    it.wait(11);
    const less = made('shop', 2, { pods: ['web'] });
    const other = made('other', 1, { pods: ['tool'] });
    it.assign(less, other);
    it.wait(600);
    assert.deepEqual(it.images(), ['other:1', 'shop:2']);
    assert.match(
      it.status('shop').message,
      /cannot go back: pod tool is one of bundle default\/other already$/,
    );
    it.assign(less);
    assert.deepEqual(it.images(), ['shop:1', 'shop:1']);
    assert.equal(it.status('shop').state, 'rolledBack');
  });

  test('leaves a pod alone that both revisions have', () => {
    it.fates.set('shop:2', 'crash');
    const pods = [made('shop', 1, { pods: ['same'] }).pods[0] ?? {}];
    const more = made('shop', 2, { pods: ['same', 'new'] });
    const mixed = {
      pods: [pods[0] ?? {}, more.pods[1] ?? {}],
      document: {
        ...more.document,
        manifests: [
          ...made('shop', 1, { pods: ['same'] }).document.manifests,
          ...more.document.manifests.slice(1),
        ],
      },
    };
    it.assign(made('shop', 1, { pods: ['same'] }));
    it.wait(11);
    it.assign(mixed);
    assert.deepEqual(it.images(), ['shop:1', 'shop:2']);
    it.wait(600);
    assert.deepEqual([it.images(), it.status('shop').state], [['shop:1'], 'rolledBack']);
  });

  test('says of what is back when that is not well', () => {
    crashing();
    it.wait(600);
    it.fates.set('shop:1', 'crash');
    assert.match(
      it.status('shop').message,
      /; back at revision 1; there waiting for default\/shop-edge-1/,
    );
    assert.equal(it.status('shop').state, 'rolledBack');
  });
});
