/** What is subscribed to, what is asked for, and when. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FetchQueue, PATIENCE_MS, SLOTS } from '../../../agent/intake/fetch.js';

const middle = () => 0.5;
const keys = (count: number) => Array.from({ length: count }, (_, i) => `blob/${i}`);

describe('the fetch queue', () => {
  test('opens eight at a time and the next as one arrives', () => {
    const queue = new FetchQueue();
    queue.want(keys(10));
    assert.deepEqual(queue.step(0, middle).subscribe, keys(SLOTS));
    assert.deepEqual(queue.step(1, middle).subscribe, []);
    queue.arrived('blob/3');
    const step = queue.step(2, middle);
    assert.deepEqual([step.subscribe, step.unsubscribe], [['blob/8'], ['blob/3']]);
  });

  test('asks after ten seconds, gives the place up, and comes back with growing pauses', () => {
    const queue = new FetchQueue();
    queue.want(['blob/0']);
    let now = 0;
    const asked: number[] = [];
    for (let i = 0; i < 40; i++) {
      const { ask, nextAt } = queue.step(now, middle);
      if (ask.length > 0) asked.push(now);
      now = nextAt ?? now;
    }
    assert.equal(asked[0], PATIENCE_MS);
    const pauses = asked.slice(1).map((at, i) => at - (asked[i] ?? 0));
    assert.deepEqual(pauses.slice(0, 3), [20_000, 30_000, 50_000]);
    assert.ok(Math.max(...pauses) <= 3_600_000 + PATIENCE_MS);
    assert.equal(queue.isMissing('blob/0'), true);
  });

  test('one that the hub lacks does not hold up those that were never tried', () => {
    const queue = new FetchQueue();
    queue.want(keys(9));
    queue.step(0, middle);
    assert.deepEqual(queue.step(PATIENCE_MS, middle).subscribe, ['blob/8']);
  });

  test('an answer brings it back at once, or marks it absent until the hub changes', () => {
    const queue = new FetchQueue();
    queue.want(['blob/0', 'blob/1']);
    queue.step(0, middle);
    queue.step(PATIENCE_MS, middle);
    queue.answered('blob/0', 'published');
    queue.answered('blob/1', 'absent');
    assert.deepEqual(queue.step(PATIENCE_MS + 1, middle).subscribe, ['blob/0']);
    assert.equal(queue.isAbsent('blob/1'), true);
    queue.hubChanged();
    assert.equal(queue.isAbsent('blob/1'), false);
    assert.deepEqual(queue.step(PATIENCE_MS + 2, middle).subscribe, ['blob/1']);
  });

  test('a new connection holds no subscriptions', () => {
    const queue = new FetchQueue();
    queue.want(['blob/0']);
    queue.step(0, middle);
    queue.reconnected();
    const step = queue.step(1, middle);
    assert.deepEqual([step.subscribe, step.unsubscribe], [['blob/0'], []]);
  });

  test('what is no longer wanted is dropped', () => {
    const queue = new FetchQueue();
    queue.want(['blob/0']);
    queue.step(0, middle);
    queue.want([]);
    assert.deepEqual(queue.step(1, middle), {
      subscribe: [],
      unsubscribe: ['blob/0'],
      ask: [],
      nextAt: null,
    });
  });

  test('S26: what came too slowly waits behind all else, over new connections and hub sessions', () => {
    const queue = new FetchQueue();
    queue.want(['blob/0', 'blob/1']);
    queue.step(0, middle);
    queue.slow('blob/0', 100, 0.5);
    assert.equal(queue.isSlow('blob/0'), true);
    queue.reconnected();
    queue.hubChanged();
    queue.answered('blob/0', 'published');
    const step = queue.step(200, middle);
    assert.deepEqual([step.subscribe, step.nextAt], [['blob/1'], 200 + PATIENCE_MS]);
    queue.arrived('blob/1');
    assert.deepEqual(queue.step(20_099, middle).subscribe, []);
    assert.deepEqual(queue.step(20_100, middle).subscribe, ['blob/0']);
  });
});
