/** How long a node waits before it tries the broker again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backOffMs } from '../../../agent/link/back-off.js';

const ROWS: [attempt: number, least: number, most: number][] = [
  [0, 500, 1_000],
  [1, 1_000, 2_000],
  [5, 16_000, 32_000],
  [6, 30_000, 60_000],
  [1_000_000, 30_000, 60_000],
];

for (const [attempt, least, most] of ROWS) {
  test(`try ${attempt + 1} is followed by ${least} to ${most} ms, by chance`, () => {
    assert.deepEqual([backOffMs(attempt, 0), backOffMs(attempt, 1)], [least, most]);
    assert.equal(backOffMs(attempt, 0.5), (least + most) / 2);
  });
}
