/** A record of coming and going, lived through again. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isOnlineAt, nextChange, replayOf, unchanging } from '../../../hub/foresight/replay.js';
import {
  CHANGES_KEPT,
  PASSAGES_KEPT,
  readChanges,
  readPassages,
  withChange,
  writtenChanges,
  writtenPassages,
  type ConnectionChange,
} from '../../../hub/store/experience-records.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-06-10T12:00:00.000Z');
const change = (at: number, online: boolean): ConnectionChange => ({ at, online });

/** Awake from 20:00 to 22:00, for six days. */
const NIGHTLY = Array.from({ length: 6 }, (_, day) => {
  const midnight = NOW - 12 * HOUR - (5 - day) * DAY - DAY;
  return [change(midnight + 20 * HOUR, true), change(midnight + 22 * HOUR, false)];
}).flat();

describe('a record of six nights', () => {
  test('comes again at the hours at which it came, whatever day is taken', () => {
    for (const chance of [0, 0.3, 0.99]) {
      const replay = replayOf(NIGHTLY, { isOnlineNow: false, now: NOW, chance });
      for (let day = 0; day < 9; day++) {
        const at = (hour: number) => NOW + day * DAY + (hour - 12) * HOUR;
        assert.equal(isOnlineAt(replay, at(19)), false, `${chance}: day ${day}, 19:00`);
        assert.equal(isOnlineAt(replay, at(21)), true, `${chance}: day ${day}, 21:00`);
        assert.equal(isOnlineAt(replay, at(23)), false, `${chance}: day ${day}, 23:00`);
      }
    }
  });

  test('is walked from change to change', () => {
    const replay = replayOf(NIGHTLY, { isOnlineNow: false, now: NOW, chance: 0.5 });
    const hours: number[] = [];
    let at: number | null = NOW;
    for (let i = 0; i < 6; i++) {
      at = nextChange(replay, at);
      assert.ok(at !== null);
      hours.push((at - NOW) / HOUR);
    }
    assert.deepEqual(hours, [8, 10, 32, 34, 56, 58]);
  });

  test('what is now is so until the record changes for the first time', () => {
    const replay = replayOf(NIGHTLY, { isOnlineNow: true, now: NOW, chance: 0 });
    assert.equal(isOnlineAt(replay, NOW + 7 * HOUR), true);
    assert.equal(isOnlineAt(replay, NOW + 11 * HOUR), false);
  });
});

describe('a short record', () => {
  test('of less than a day is gone round and round, once it first says something else', () => {
    const record = [change(NOW - 2 * HOUR, true), change(NOW - HOUR, false)];
    const replay = replayOf(record, { isOnlineNow: false, now: NOW, chance: 0 });
    const states = [0.5, 1.5, 2.5, 3.5].map(hours => isOnlineAt(replay, NOW + hours * HOUR));
    assert.deepEqual(states, [false, false, true, false]);
  });

  test('of a node that was never gone: it stays', () => {
    const replay = replayOf([change(NOW - 3 * DAY, true)], {
      isOnlineNow: true,
      now: NOW,
      chance: 0,
    });
    assert.equal(nextChange(replay, NOW), null);
    assert.equal(isOnlineAt(replay, NOW + 30 * DAY), true);
  });

  test('of nobody: it stays as it is', () => {
    assert.equal(isOnlineAt(unchanging(false, NOW), NOW + DAY), false);
    assert.equal(nextChange(unchanging(true, NOW), NOW), null);
  });
});

describe('what is kept of a node', () => {
  test('changes are written and read again, by turns', () => {
    assert.deepEqual(readChanges(writtenChanges(NIGHTLY)), NIGHTLY);
    const first = NIGHTLY.slice(1);
    assert.deepEqual(readChanges(writtenChanges(first)), first);
    assert.deepEqual(readChanges(writtenChanges([])), []);
  });

  test('the same said twice is nothing new, and a clock that went back does not', () => {
    assert.equal(withChange(NIGHTLY, change(NOW, false)), null);
    const next = withChange(NIGHTLY, change(0, true));
    assert.deepEqual(next?.at(-1), change(NIGHTLY.at(-1)?.at ?? 0, true));
  });

  test('is bounded: the newest changes and passages stay', () => {
    let changes: readonly ConnectionChange[] = [];
    for (let i = 0; i < 1000; i++)
      changes = withChange(changes, change(NOW + i * 1000, i % 2 === 0)) ?? changes;
    assert.equal(changes.length, CHANGES_KEPT);
    assert.equal(writtenChanges(changes).byteLength, 513);
    assert.equal(readChanges(writtenChanges(changes)).at(-1)?.at, NOW + 999_000);
    const passages = Array.from({ length: 20 }, (_, i) => ({
      ...{ at: NOW + i * 1000, isHealthy: i % 3 > 0, seconds: i === 19 ? null : i },
    }));
    const bytes = writtenPassages(passages);
    assert.equal(bytes.byteLength, 72);
    assert.deepEqual(readPassages(bytes), passages.slice(-PASSAGES_KEPT));
  });
});
