/** What a node says of its history beside what the hub heard before. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { anchorOf, historyFault, nextAnchor } from '../../../hub/ingest/history-watch.js';
import type { NodeExtra } from '../../../hub/objects.js';
import type { StatusDocument } from '../../../protocol/documents/node.js';

const JOURNAL = 'a'.repeat(32);
const hash = (digit: string) => digit.repeat(64);

/** Heard: row 10, under hash 1. */
const before = {
  journal: JOURNAL,
  history: { row: 10, head: hash('1') },
} as unknown as NodeExtra;

type Told = StatusDocument['history'];
const now = (history: Told, journal = JOURNAL) => ({ journal, history }) as StatusDocument;

const shown = (row: number, known: Told['known'], oldest = 1): Told => ({
  ...{ row, head: hash('2'), oldest, known },
});

const GOOD: [string, Told][] = [
  ['the same row', { row: 10, head: hash('1'), oldest: 1, known: null }],
  ['a later row, before the hub named any', shown(12, null)],
  ['a later row, and the one that the hub named last', shown(12, { row: 10, hash: hash('1') })],
  ['a row that the hub named before that one', shown(12, { row: 7, hash: hash('9') })],
  ['a row that retention cut off', shown(20, { row: 10, hash: null }, 11)],
];

const BAD: [string, Told, RegExp][] = [
  ['fewer rows', shown(9, null), /^its newest row is 9, and row 10 was there before$/],
  ['none at all', { row: 0, head: null, oldest: 0, known: null }, /^its newest row is 0/],
  ['the same number under another hash', shown(10, null), /^row 10 is another one than before$/],
  [
    'another hash for the row heard of',
    shown(12, { row: 10, hash: hash('3') }),
    /^row 10 is another/,
  ],
  [
    'no such row, although an older one is kept',
    shown(2000, { row: 10, hash: null }, 10),
    /^row 10, which was there before, is gone$/,
  ],
];

describe('history', () => {
  for (const [sentence, told] of GOOD) {
    test(`with ${sentence} is the one that was told of`, () => {
      assert.equal(historyFault(before, now(told)), null);
    });
  }
  for (const [sentence, told, expected] of BAD) {
    test(`with ${sentence} was written anew`, () => {
      assert.match(historyFault(before, now(told)) ?? 'null', expected);
    });
  }
  test('of another journal is compared with nothing', () => {
    const other = 'b'.repeat(32);
    assert.equal(historyFault(before, now(shown(1, null), other)), null);
    assert.deepEqual([anchorOf(before, other).row, anchorOf(before, JOURNAL).row], [0, 10]);
  });
  test('of a node that said nothing yet is compared with nothing', () => {
    const nothing = { journal: null } as unknown as NodeExtra;
    assert.equal(historyFault(nothing, now(shown(1, null))), null);
  });
  test('is asked for the same row until a status has shown it', () => {
    const anchor = { row: 10, head: hash('1') };
    const after = (history: Told) => nextAnchor(anchor, now(history)).row;
    assert.equal(after(shown(12, null)), 10);
    assert.equal(after(shown(12, { row: 7, hash: hash('9') })), 10);
    assert.equal(after(shown(12, { row: 10, hash: hash('1') })), 12);
    assert.equal(after(shown(12, { row: 10, hash: null })), 12);
    assert.equal(nextAnchor({ row: 0, head: null }, now(shown(12, null))).row, 12);
  });
});
