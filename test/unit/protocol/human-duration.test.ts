/** Ages and spans as kubectl prints them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { age, humanDuration } from '../../../protocol/human-duration.js';

const NOW = Date.parse('2026-01-02T00:00:00Z');
const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

describe('durations are printed as kubectl prints them', () => {
  const rows: readonly (readonly [number, string])[] = [
    [-5 * S, '<invalid>'],
    [-1 * S, '0s'],
    [0, '0s'],
    [119 * S, '119s'],
    [2 * M, '2m'],
    [2 * M + 5 * S, '2m5s'],
    [9 * M + 59 * S, '9m59s'],
    [10 * M + 59 * S, '10m'],
    [179 * M, '179m'],
    [3 * H, '3h'],
    [7 * H + 59 * M, '7h59m'],
    [8 * H + 59 * M, '8h'],
    [47 * H, '47h'],
    [2 * D, '2d'],
    [7 * D + 23 * H, '7d23h'],
    [8 * D + 23 * H, '8d'],
    [729 * D, '729d'],
    [730 * D, '2y'],
    [731 * D, '2y1d'],
    [8 * 365 * D + 9 * D, '8y'],
  ];
  for (const [ms, expected] of rows) {
    test(`${ms} ms is ${expected}`, () => assert.equal(humanDuration(ms), expected));
  }
  test('no timestamp is <unknown>', () => {
    assert.equal(age(null, NOW), '<unknown>');
    assert.equal(age('not a date', NOW), '<unknown>');
  });
});
