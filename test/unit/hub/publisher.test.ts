/** What a broker lacks by the mark that it keeps, and how far the next mark may go. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { safeNumber, whatIsLacking } from '../../../hub/link/publisher-decide.js';
import type { MarkDocument } from '../../../protocol/documents.js';
import { FLEET } from '../../support/fleet.js';

const STORE = '5'.repeat(32);
const mark = (number: number, store = STORE): MarkDocument => ({ fleet: FLEET, store, number });

describe('after a connect the hub publishes', () => {
  const ROWS: readonly [string, MarkDocument | null, number, string][] = [
    ['everything to a broker without a mark', null, 0, 'NoMark'],
    ['everything over the mark of another store', mark(5, '6'.repeat(32)), 0, 'ForeignStore'],
    ['everything over a mark from its own future', mark(11), 0, 'MarkAhead'],
    ['what came after the mark', mark(7), 7, 'Marked'],
    ['nothing to a broker that has all', mark(10), 10, 'Marked'],
  ];
  for (const [sentence, seen, after, reason] of ROWS) {
    test(sentence, () => {
      const lacking = whatIsLacking({ mark: seen, storeId: STORE, lastNumber: 10 });
      assert.deepEqual(lacking, { after, reason });
    });
  }
});

describe('a mark covers', () => {
  const ROWS: readonly [string, number, readonly number[], number][] = [
    ['all that was sent when all is acknowledged', 9, [], 9],
    ['what lies before the oldest that is not', 9, [5, 8], 4],
    ['nothing before the first PUBACK', 3, [1, 2, 3], 0],
  ];
  for (const [sentence, sent, open, expected] of ROWS) {
    test(sentence, () => assert.equal(safeNumber(sent, open), expected));
  }
});
