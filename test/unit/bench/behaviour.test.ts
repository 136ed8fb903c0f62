/** How simulated devices behave: the dice that fall → what becomes of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { beginsAwake, fateOf, turnMs, WELL } from '../../bench/fleet/behaviour.js';

const dice =
  (...numbers: number[]) =>
  () =>
    numbers.shift() ?? 0;
const SLEEPY = { ...WELL, sleep: { awakeS: 60, asleepS: 540 } };

describe('what becomes of a revision', () => {
  test('without delay and failures it is healthy at once, however the dice fall', () => {
    assert.deepEqual(fateOf(WELL, dice(0.99, 0)), { applyMs: 0, isHealthy: true });
  });

  test('so many of a thousand fail, and no more', () => {
    const some = { ...WELL, failPerMille: 20 };
    assert.equal(fateOf(some, dice(0, 0.0199)).isHealthy, false);
    assert.equal(fateOf(some, dice(0, 0.02)).isHealthy, true);
  });

  test('the time it takes lies between none and twice the mean', () => {
    const slow = { ...WELL, applyMs: 1000 };
    assert.deepEqual(
      [0, 0.5, 0.999].map(one => fateOf(slow, dice(one)).applyMs),
      [0, 1000, 1998],
    );
  });
});

describe('sleep', () => {
  test('who never sleeps is awake, and stays so', () => {
    assert.equal(beginsAwake(WELL, dice(0.999)), true);
    assert.equal(turnMs(WELL, { isAwake: true, isFirst: true }, dice(0.5)), null);
  });

  test('who is awake a tenth of the time is found awake in a tenth of the cases', () => {
    assert.equal(beginsAwake(SLEEPY, dice(0.0999)), true);
    assert.equal(beginsAwake(SLEEPY, dice(0.1)), false);
  });

  test('the first turn begins anywhere, each after it is whole', () => {
    assert.equal(turnMs(SLEEPY, { isAwake: false, isFirst: true }, dice(0.25)), 135_000);
    assert.equal(turnMs(SLEEPY, { isAwake: false, isFirst: false }, dice(0.25)), 540_000);
    assert.equal(turnMs(SLEEPY, { isAwake: true, isFirst: false }, dice(0.25)), 60_000);
  });
});
