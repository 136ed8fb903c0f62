/** How often a node says again that it is there, to whoever makes the broker hold something else. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { announcedNext, announcedNow } from '../../../agent/link/announce-again.js';

const S = 1000;

/** Contradicted so many milliseconds after each announcement: the seconds between announcements. */
function waits(contradictedAfterMs: number, times: number): number[] {
  let one = announcedNow(0);
  return Array.from({ length: times }, () => {
    const next = announcedNext(one, one.at + contradictedAfterMs);
    assert.ok(next);
    const seconds = (next.at - one.at) / S;
    one = next;
    return seconds;
  });
}

describe('a node that is contradicted', () => {
  test('once, by a late will, says so after five seconds', () => {
    assert.deepEqual(announcedNext(announcedNow(10 * S), 11 * S), { at: 15 * S, waitMs: 5 * S });
  });

  test('long after it connected says so at once', () => {
    assert.equal(announcedNext(announcedNow(0), 100 * S)?.at, 100 * S);
  });

  test('again and again says so more and more rarely, down to once an hour', () => {
    const expected = [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600];
    assert.deepEqual(waits(4 * S, expected.length), expected);
  });

  test('while it is about to says nothing more', () => {
    const due = announcedNext(announcedNow(10 * S), 11 * S);
    assert.ok(due);
    assert.equal(announcedNext(due, 12 * S), null);
  });

  test('after a long silence begins with five seconds', () => {
    const before = { at: 0, waitMs: 640 * S };
    assert.equal(announcedNext(before, 1281 * S)?.waitMs, 5 * S);
    assert.equal(announcedNext(before, 1280 * S)?.waitMs, 1280 * S);
  });
});
