/** The fleet in numbers: each node once, in the words of `get nodes` and of `get bundles`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeWords } from '../../../hub/enrolment/node-words.js';
import { bundleCounts, nodeCounts } from '../../../hub/rollout/fleet-counts.js';
import type { NodeObject } from '../../../hub/objects.js';

type Conditions = NonNullable<Parameters<typeof nodeWords>[0]>;

const ready = (status: string) => ({ type: 'Ready', status });
const enrolled = (reason: string) => ({ type: 'Enrolled', status: 'False', reason });
const is = (type: string) => ({ type, status: 'True' });

describe('how a node stands', () => {
  const rows: readonly (readonly [string, Conditions, boolean, string])[] = [
    ['one that said nothing yet', [], false, 'Unknown'],
    ['one that is connected and works', [ready('True')], false, 'Ready'],
    ['one whose engine does not answer', [ready('False')], false, 'NotReady'],
    ['one that is away', [ready('Unknown')], false, 'NotReady'],
    ['one that waits for approval', [enrolled('PendingApproval')], false, 'PendingApproval'],
    [
      'one that was shut out, however it stood',
      [ready('True'), enrolled('Revoked')],
      true,
      'Revoked',
    ],
    ['a word that nobody knows is no new state', [enrolled('Whatever')], false, 'NotReady'],
    ['one that is cordoned', [ready('True')], true, 'Ready,SchedulingDisabled'],
    [
      'several remarks, always in the same order',
      [is('AheadOfHub'), is('CloneSuspected'), ready('True')],
      true,
      'Ready,SchedulingDisabled,CloneSuspected,AheadOfHub',
    ],
  ];
  for (const [sentence, conditions, unschedulable, words] of rows) {
    test(sentence, () => {
      const { state, remarks } = nodeWords(conditions, { unschedulable });
      assert.equal([state, ...remarks].join(','), words);
    });
  }

  test('a fleet is counted by them', () => {
    const node = (conditions: Conditions, unschedulable = false) =>
      ({ spec: { unschedulable }, status: { conditions } }) as unknown as NodeObject;
    const { states, remarks } = nodeCounts([
      ...[node([ready('True')]), node([ready('True')], true), node([ready('Unknown')])],
      ...[node([]), node([enrolled('Revoked')]), node([is('Restoring'), ready('True')])],
    ]);
    assert.deepEqual(states, { Ready: 3, NotReady: 1, Unknown: 1, PendingApproval: 0, Revoked: 1 });
    assert.equal(remarks.SchedulingDisabled, 1);
    assert.equal(remarks.Restoring, 1);
  });
});

test('of a bundle reached and not reached are apart, and together they are all', () => {
  const fates = {
    ...{ healthy: 5, failed: 1, undone: 0, held: 2, window: 0, locked: 0, notUndoReady: 0 },
    ...{ obstructed: 0, unknown: 0, underWay: 3 },
  };
  const nodes = { desired: 20, updated: 6, healthy: 5, failed: 1, offline: 4 };
  const counts = bundleCounts(
    { metadata: { namespace: 'default', name: 'web' } as never },
    { fates, status: { revision: 3, digest: 'd', nodes } },
  );
  assert.equal(counts.reached, 11);
  assert.equal(counts.states.notReached, 9);
  assert.equal(counts.applied, 6);
  assert.equal(
    Object.values(counts.states).reduce((sum, n) => sum + n, 0),
    20,
  );
});
