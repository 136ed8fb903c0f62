/** Pulls of the whole node: shared, side by side, given up. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { openImagePulls } from '../../../agent/images/pulls.js';
import type { PullOptions } from '../../../agent/runtime/images.js';
import type { ImageInfo } from '../../../agent/runtime/runtime.js';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const AUTH = { username: 'u', password: 'p', serverAddress: 'reg.io' };
const never = () => new AbortController().signal;

/** A store whose pulls end when the test says so. */
function slowStore() {
  const calls: {
    image: string;
    options: PullOptions;
    done: () => void;
    fail: (e: Error) => void;
  }[] = [];
  const pullImage = (image: string, options: PullOptions = {}) =>
    new Promise<ImageInfo>((done, fail) => {
      options.signal?.addEventListener('abort', () => fail(options.signal?.reason as Error));
      const info = { id: image, repoDigests: [], user: '' };
      calls.push({ image, options, done: () => done(info), fail });
    });
  return { calls, store: { pullImage }, images: () => calls.map(({ image }) => image) };
}

describe('row 124: pulls of the whole node', () => {
  test('an image that several want at once is pulled once', async () => {
    const { store, calls } = slowStore();
    const pulls = openImagePulls({ store, log: quiet });
    const wanted = [1, 2, 3].map(() => pulls.pull('web:1', [AUTH], never()));
    await turn();
    assert.equal(calls.length, 1);
    assert.deepEqual(calls[0]?.options.auth, [AUTH]);
    calls[0]?.done();
    assert.deepEqual(
      (await Promise.all(wanted)).map(({ id }) => id),
      ['web:1', 'web:1', 'web:1'],
    );
  });

  test('whoever brings other credentials asks for himself', async () => {
    const { store, calls } = slowStore();
    const pulls = openImagePulls({ store, log: quiet });
    const without = pulls.pull('web:1', [], never());
    const withAuth = pulls.pull('web:1', [AUTH], never());
    await turn();
    assert.equal(calls.length, 2);
    calls[0]?.fail(new Error('denied'));
    calls[1]?.done();
    await assert.rejects(without, /denied/);
    assert.ok(await withAuth);
  });

  test('a pull after the end of one is a new one', async () => {
    const { store, calls } = slowStore();
    const pulls = openImagePulls({ store, log: quiet });
    for (const at of [0, 1]) {
      const wanted = pulls.pull('web:1', [], never());
      await turn();
      calls[at]?.done();
      await wanted;
    }
    assert.equal(calls.length, 2);
  });

  test('a slow registry holds up the others only when all places are taken', async () => {
    const { store, calls, images } = slowStore();
    const pulls = openImagePulls({ store, log: quiet, maxParallel: 2 });
    const wanted = ['a', 'b', 'c'].map(image => pulls.pull(image, [], never()));
    await turn();
    assert.deepEqual(images(), ['a', 'b']);
    calls[1]?.fail(new Error('no'));
    await assert.rejects(wanted[1] as Promise<ImageInfo>);
    await turn();
    assert.deepEqual(images(), ['a', 'b', 'c']);
    calls[0]?.done();
    calls[2]?.done();
    await Promise.all([wanted[0], wanted[2]]);
  });

  test('one who gives up leaves; the pull ends with the last of them', async () => {
    const { store, calls } = slowStore();
    const pulls = openImagePulls({ store, log: quiet });
    const [first, last] = [new AbortController(), new AbortController()];
    const wanted = [first, last].map(({ signal }) => pulls.pull('web:1', [], signal));
    await turn();
    first.abort(new Error('not me'));
    await assert.rejects(wanted[0] as Promise<ImageInfo>, /not me/);
    assert.equal(calls[0]?.options.signal?.aborted, false);
    last.abort(new Error('nor me'));
    await assert.rejects(wanted[1] as Promise<ImageInfo>, /nor me/);
    assert.equal(calls[0]?.options.signal?.aborted, true);
  });
});
