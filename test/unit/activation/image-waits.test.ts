/** A bundle that waits for an image while the power comes and goes: it waits since it began to. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { ImageHold } from '../../../agent/images/ahead.js';
import { ActivationWorld, FIRST } from '../../support/activation-world.js';

let it: ActivationWorld;
let hold: ImageHold | null;
beforeEach(() => {
  hold = null;
  const quiet = () => undefined;
  it = new ActivationWorld({ images: { hold: () => hold, drop: quiet, dropReturn: quiet } });
});
afterEach(() => it.close());

const UNKNOWN: ImageHold = { reason: '', message: 'image "shop:1": it is looked up' };
const pulling = (image = 'shop:1'): ImageHold => ({
  ...{ reason: 'PullingImage', message: `image "${image}": it is being pulled; 0 of 2 images` },
});
const failing = (image = 'shop:1'): ImageHold => ({
  ...{ reason: 'ErrImagePull', message: `image "${image}": no route to host; 0 of 2 images` },
});

function finds(...found: (ImageHold | null)[]): void {
  for (const one of found) {
    hold = one;
    it.sleep(1);
    it.pass();
  }
}

describe('a bundle whose image cannot be had', () => {
  beforeEach(() => {
    hold = UNKNOWN;
    it.assign(FIRST);
    finds(pulling(), failing());
  });

  test('waits since the first time, however often the agent is started', () => {
    const { since } = it.status('shop');
    const rows = it.history();
    for (let start = 0; start < 3; start++) {
      it.sleep(3600);
      hold = UNKNOWN;
      it.restart();
      finds(pulling(), failing());
    }
    assert.equal(it.state('shop'), 'waiting ErrImagePull');
    assert.equal(it.status('shop').since, since);
    assert.deepEqual(it.history(), rows);
  });

  test('says which other image is pulled once this one is here', () => {
    finds(pulling('aside:1'));
    assert.equal(it.state('shop'), 'waiting PullingImage');
    assert.match(it.status('shop').message, /aside:1/);
  });

  test('says why, where another cause stands in the way now, and begins when it is here', () => {
    finds({ reason: 'DiskPressure', message: 'image "shop:1": no room' });
    assert.equal(it.state('shop'), 'waiting DiskPressure');
    finds(null);
    assert.deepEqual(it.images(), ['shop:1']);
  });
});
