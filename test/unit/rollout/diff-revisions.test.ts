/** Which two revisions `flotilla diff bundle/NAME` compares, and which of them a node runs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  revisionRunning,
  sidesOf,
  type RevisionDiffOptions,
} from '../../../hub/cli/diff-revisions.js';
import type { RevisionApiObject } from '../../../hub/cli/revisions.js';

/** Revisions 1, 2 and 5, the newest. */
const ITEMS = [1, 2, 5].map(revision => ({
  spec: { revision, digest: `d${revision}` },
  status: { isNewest: revision === 5 },
})) as unknown as RevisionApiObject[];

describe('a diff of revisions', () => {
  const ROWS: readonly [string, RevisionDiffOptions, readonly [number | null, number] | RegExp][] =
    [
      ['shows what the newest changed', {}, [2, 5]],
      ['shows what an earlier one changed', { toRevision: '2' }, [1, 2]],
      ['is from one to the newest', { revision: '1' }, [1, 5]],
      ['is between any two, in either direction', { revision: '5', toRevision: '1' }, [5, 1]],
      ['is from what a node runs', { node: 'edge-7' }, [null, 5]],
      [
        'is from what a node runs to another than the newest',
        { node: 'e', toRevision: '1' },
        [null, 1],
      ],
      [
        'of the first has nothing before it',
        { toRevision: '1' },
        /there is no revision before 1; say which/,
      ],
      ['is from one side', { node: 'e', revision: '1' }, /either --node or --revision/],
      ['wants numbers', { revision: 'v1' }, /--revision v1: must be the number of a revision/],
    ];
  for (const [sentence, options, expected] of ROWS) {
    test(sentence, () => {
      if (expected instanceof RegExp) return assert.throws(() => sidesOf(options, ITEMS), expected);
      const { from, to } = sidesOf(options, ITEMS);
      assert.deepEqual([from, to], expected);
    });
  }
});

describe('what a node runs', () => {
  const of = { node: 'edge-7', items: ITEMS };
  test('is the revision that lies in its directory', () => {
    assert.equal(revisionRunning({ active: 'd2' }, of), 2);
  });
  test('is nothing where it has none, or was never told', () => {
    assert.equal(revisionRunning({ active: null }, of), null);
    assert.equal(revisionRunning(undefined, of), null);
  });
  test('may be unknown to a restored hub', () => {
    assert.throws(
      () => revisionRunning({ active: 'd9' }, of),
      /edge-7 runs a revision that this hub/,
    );
  });
});
