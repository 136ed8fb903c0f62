/** What is kept with a node of its agent's starts: the first connection, the newest status, of the last sixteen. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withReport, withSession, type Starts } from '../../../hub/ingest/starts.js';

const connects = (boot: number, n: number, session: string) => (before: Starts) =>
  withSession(before, { boot, n, session });
const reports = (boot: number, counter: number, digest: string) => (before: Starts) =>
  withReport(before, { boot, counter, digest });
const run = (...steps: ((before: Starts) => Starts)[]) =>
  steps.reduce<Starts>((state, step) => step(state), []);

describe('the starts of a node', () => {
  test('are kept with the first connection and the newest status of each', () => {
    const kept = run(
      ...[connects(1, 1, 'a'), connects(1, 2, 'b'), reports(1, 1, 'x'), reports(1, 3, 'z')],
      ...[reports(1, 2, 'y'), reports(2, 1, 'u'), connects(2, 4, 'c')],
    );
    assert.deepEqual(kept, [
      { boot: 1, n: 1, session: 'a', lastN: 2, counter: 3, digest: 'z' },
      { boot: 2, n: 4, session: 'c', lastN: 4, counter: 1, digest: 'u' },
    ]);
  });

  test('what was used is not put in the place of what was there', () => {
    const before = run(connects(8, 1, 'a'), reports(8, 3, 'x'));
    assert.equal(connects(8, 1, 'b')(before), before);
    assert.equal(reports(8, 3, 'y')(before), before);
  });

  test('are kept for the last sixteen', () => {
    const kept = run(...Array.from({ length: 40 }, (_, boot) => connects(boot, 1, 's')));
    assert.deepEqual([kept.length, kept[0]?.boot, kept[15]?.boot], [16, 24, 39]);
  });
});
