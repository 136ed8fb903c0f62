/** A node that follows what its hub did not make. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { aheadFault } from '../../../hub/ingest/ahead-of-hub.js';

const own = { epoch: 2, rootVersion: 5, generation: 7 };

describe('what a node follows', () => {
  const rows: [string, typeof own, RegExp | null][] = [
    ['this hub’s newest', own, null],
    ['an older one of this hub', { ...own, generation: 6 }, null],
    ['nothing yet', { ...own, generation: 0 }, null],
    ['an older root, whose epoch is over', { epoch: 1, rootVersion: 4, generation: 999 }, null],
    ['a higher generation', { ...own, generation: 8 }, /^it has assignment 8, .* made is 7: /],
    ['a root that is not known here', { ...own, rootVersion: 6 }, /^it has root 6, .* is 5: /],
    [
      'a root of another epoch',
      { epoch: 3, rootVersion: 6, generation: 1 },
      /^it has root 6, .*`flotilla hub recover` begins a new epoch$/,
    ],
  ];
  for (const [sentence, told, expected] of rows) {
    test(sentence, () => {
      const fault = aheadFault(told, own);
      if (expected === null) assert.equal(fault, null);
      else assert.match(fault ?? 'null', expected);
    });
  }
});
