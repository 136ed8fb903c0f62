/** Durations as Go writes and reads them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatDuration,
  parseDurationMs,
  parseLongDurationMs,
} from '../../../protocol/duration.js';

/** Milliseconds, as `time.Duration.String` prints them. */
const rows: [number, string][] = [
  [0, '0s'],
  [1, '1ms'],
  [999, '999ms'],
  [1000, '1s'],
  [1500, '1.5s'],
  [60_000, '1m0s'],
  [90_000, '1m30s'],
  [3_600_000, '1h0m0s'],
  [90_061_001, '25h1m1.001s'],
];
for (const [ms, text] of rows) {
  test(`${ms} ms is ${text}, and back`, () => {
    assert.equal(formatDuration(ms), text);
    assert.equal(parseDurationMs(text), ms);
  });
}

test('what is longer than Go has a duration is none', () => {
  assert.equal(parseDurationMs('2562047h'), 9_223_369_200_000);
  assert.equal(parseDurationMs('2562048h'), null);
  assert.equal(parseDurationMs('9999999999999999s'), null);
});

const LONG: readonly [string, number | null][] = [
  ['90d', 90 * 86_400_000],
  ['1d12h', 129_600_000],
  ['24h', 86_400_000],
  ['0d', 0],
  ['d', null],
  ['1.5d', null],
  ['12h1d', null],
  ['1d-1h', null],
];
for (const [text, ms] of LONG) {
  test(`a long time: ${text} is ${ms === null ? 'none' : `${ms} ms`}`, () =>
    assert.equal(parseLongDurationMs(text), ms));
}
