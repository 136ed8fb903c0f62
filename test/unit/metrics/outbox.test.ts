/** How long the oldest thing waits that the broker has not acknowledged. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Waiting } from '../../../hub/metrics/outbox.js';

describe('the oldest of what waits', () => {
  test('nothing was made: nothing waits', () => {
    assert.equal(new Waiting().oldestSeconds(0, 5000), 0);
  });

  test('what was made first counts, until it is acknowledged; then what was made next', () => {
    const waiting = new Waiting();
    waiting.made(1, 1000);
    waiting.made(2, 4000);
    assert.equal(waiting.oldestSeconds(0, 10_000), 9);
    assert.equal(waiting.oldestSeconds(1, 10_000), 6);
    assert.equal(waiting.oldestSeconds(2, 10_000), 0);
  });

  test('many in one second are one, as old as the first of them', () => {
    const waiting = new Waiting();
    for (let i = 0; i < 10; i++) waiting.made(i + 1, 1000 + i * 50);
    assert.equal(waiting.oldestSeconds(9, 3000), 2);
    assert.equal(waiting.oldestSeconds(10, 3000), 0);
  });

  test('a commit that made nothing new makes nothing younger', () => {
    const waiting = new Waiting();
    waiting.made(1, 1000);
    waiting.made(1, 9000);
    assert.equal(waiting.oldestSeconds(0, 10_000), 9);
    assert.equal(waiting.oldestSeconds(1, 10_000), 0);
  });

  test('a year without a broker is remembered in little, and the oldest stays the oldest', () => {
    const waiting = new Waiting();
    for (let i = 1; i <= 100_000; i++) waiting.made(i, i * 2000);
    assert.equal(waiting.oldestSeconds(0, 200_000_000), 199_998);
    assert.equal(waiting.oldestSeconds(99_999, 200_002_000), (200_002_000 - 2000 * 1000) / 1000);
    assert.equal(waiting.oldestSeconds(100_000, 200_002_000), 0);
  });
});
