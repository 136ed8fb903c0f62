/** What was counted belongs to its day and month, whatever the clock does. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  counted,
  newLedger,
  readLedger,
  rolledTo,
  type Ledger,
  type LedgerTime,
} from '../../../agent/usage/ledger.js';

const at = (text: string) => Date.parse(`${text}Z`);
const BEGUN = at('2026-11-20T10:00:00');

/** Ten bytes on the 20th, five on the 22nd of November. */
function ledger(): Ledger {
  const first = counted(newLedger({ at: BEGUN }), 'in', 10);
  return counted(rolledTo(first, { at: at('2026-11-22T08:00:00'), isProven: true }), 'in', 5);
}

const ROWS: [sentence: string, time: LedgerTime, day: string, row: number[]][] = [
  [
    'the same day goes on',
    { at: at('2026-11-22T23:59:59'), isProven: true },
    '2026-11-22',
    [5, 15, 15],
  ],
  [
    'a new day begins at zero',
    { at: at('2026-11-23T00:00:00'), isProven: true },
    '2026-11-23',
    [0, 15, 15],
  ],
  [
    'a new month begins at zero',
    { at: at('2026-12-01T00:00:00'), isProven: true },
    '2026-12-01',
    [0, 0, 15],
  ],
  [
    'the same day a year later is another month',
    { at: at('2027-11-22T08:00:00'), isProven: true },
    '2027-11-22',
    [0, 0, 15],
  ],
  [
    'a later day that nobody vouches for begins all the same: a node counts its days alone too',
    { at: at('2026-11-23T00:00:00'), isProven: false },
    '2026-11-23',
    [0, 15, 15],
  ],
  [
    'a clock back in 1970 begins nothing',
    { at: at('1970-01-01T00:00:10'), isProven: false },
    '2026-11-22',
    [5, 15, 15],
  ],
  [
    'a clock that was ahead and is put right takes nothing away',
    { at: at('2026-11-18T00:00:00'), isProven: true },
    '2026-11-18',
    [5, 15, 15],
  ],
];

describe('a ledger', () => {
  for (const [sentence, time, day, row] of ROWS) {
    test(sentence, () => {
      const rolled = rolledTo(ledger(), time);
      assert.equal(rolled.day, day);
      assert.deepEqual(rolled.counts.in, row);
      assert.equal(rolled.since <= BEGUN, true);
    });
  }

  const proven = (text: string) => ({ at: at(text), isProven: true });
  const merelySaid = (text: string) => ({ at: at(text), isProven: false });
  const JUMPS: [sentence: string, times: LedgerTime[], day: string, row: number[]][] = [
    [
      'a year that nobody vouches for, put right on the day that it was: what came between is of that day',
      [merelySaid('2031-05-01T00:00:00'), proven('2026-11-22T09:00:00')],
      '2026-11-22',
      [6, 16, 16],
    ],
    [
      'put right on a later day of the month',
      [merelySaid('2031-05-01T00:00:00'), proven('2026-11-25T09:00:00')],
      '2026-11-25',
      [1, 16, 16],
    ],
    [
      'put right in the month after: that one began at zero',
      [merelySaid('2031-05-01T00:00:00'), proven('2026-12-02T09:00:00')],
      '2026-12-02',
      [1, 1, 16],
    ],
    [
      'put right before anything was counted at all',
      [merelySaid('2031-05-01T00:00:00'), proven('2026-11-01T09:00:00')],
      '2026-11-01',
      [6, 16, 16],
    ],
    [
      'jumps that follow each other count as one',
      [
        merelySaid('2031-05-01T00:00:00'),
        merelySaid('2035-05-01T00:00:00'),
        proven('2026-11-22T09:00:00'),
      ],
      '2026-11-22',
      [7, 17, 17],
    ],
    [
      'what nobody vouched for turns out to be so: it stands',
      [merelySaid('2026-12-01T00:00:00'), proven('2026-12-01T09:00:00')],
      '2026-12-01',
      [1, 1, 16],
    ],
  ];
  for (const [sentence, times, day, row] of JUMPS) {
    test(sentence, () => {
      let it = ledger();
      // One byte after each jump; the node may be started anew in between.
      for (const time of times) {
        it = rolledTo(readLedger(JSON.stringify(it)) ?? assert.fail(), time);
        if (!time.isProven) it = counted(it, 'in', 1);
      }
      assert.deepEqual([it.day, it.counts.in, it.sure], [day, row, undefined]);
      assert.equal(it.since <= BEGUN, true);
    });
  }

  test('a clock that begins at 1970 at each start and is put right then takes nothing away', () => {
    let it = ledger();
    for (let i = 0; i < 3; i++) {
      it = rolledTo(it, merelySaid('1970-01-01T00:00:10'));
      it = rolledTo(it, proven('2026-11-22T10:00:00'));
    }
    assert.deepEqual([it.day, it.counts.in], ['2026-11-22', [5, 15, 15]]);
  });

  test('a clock that was ahead for ever does not stand still: the proven time goes on from there', () => {
    const ahead = counted(newLedger({ at: at('2099-01-01T00:00:00') }), 'out', 7);
    const right = rolledTo(ahead, { at: BEGUN, isProven: true });
    assert.deepEqual(right.counts.out, [7, 7, 7]);
    assert.equal(right.since, BEGUN);
    const next = rolledTo(right, { at: at('2026-11-21T00:00:00'), isProven: true });
    assert.deepEqual(next.counts.out, [0, 7, 7]);
  });

  test('nothing, and less than nothing, changes it not', () => {
    assert.equal(counted(ledger(), 'out', 0).counts.out, undefined);
    assert.deepEqual(counted(ledger(), 'in', -3), ledger());
  });

  test('reads what it wrote', () => {
    assert.deepEqual(readLedger(JSON.stringify(ledger())), ledger());
  });

  const BROKEN = [
    null,
    '',
    '{}',
    'null',
    '{"since":1,"day":"2026-11-22"}',
    '{"since":1,"day":"today","counts":{}}',
    '{"since":1,"day":"2026-11-22","counts":{"in":[1,2]}}',
    '{"since":1,"day":"2026-11-22","counts":{"in":[1,2,"3"]}}',
  ];
  for (const text of BROKEN) {
    test(`begins anew after ${text === null ? 'none' : JSON.stringify(text)}`, () =>
      assert.equal(readLedger(text), null));
  }
});
