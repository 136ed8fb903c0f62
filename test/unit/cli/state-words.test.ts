/** How a bundle stands on a node, in the words of who looks: the same at the hub and at the device. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { failureOf } from '../../../agent/cli/import.js';
import { historyLines } from '../../../agent/cli/journal.js';
import { redoneText } from '../../../agent/cli/site.js';
import { fateOf } from '../../../hub/rollout/fate.js';
import { bundleStateText } from '../../../protocol/bundle-state-text.js';
import type { BundleState, BundleStatus } from '../../../protocol/documents/node.js';
import { NOW } from '../../support/fleet.js';

const ROWS: readonly (readonly [sentence: string, BundleState, reason: string, words: string])[] = [
  ['what runs well is healthy', 'healthy', 'ContainersSettled', 'healthy'],
  ['what was refused or is kept failed', 'failed', 'PodFailed', 'failed'],
  ['what gave way was rolled back', 'rolledBack', 'ProgressDeadlineExceeded', 'rolled back'],
  ['what a person went back from was undone', 'rolledBack', 'UndoneAtDevice', 'undone'],
  ['and so was what waits to go back', 'failed', 'UndoneAtDevice', 'undone'],
  ['what a person took back is on its way', 'activating', 'RedoneAtDevice', 'activating'],
];

const redone = (isThere: boolean, waits: string[]) => {
  const of = { namespace: 'default', name: 'shop', revision: 2, isThere, why: 'undone' };
  return redoneText({ bundles: [of], waits });
};

describe('what was undone and is taken back', () => {
  test('is tried again at once', () => assert.equal(redone(false, []), 'is tried again'));
  test('stays where it lies there still', () => assert.equal(redone(true, []), 'stays'));
  test('is tried again when its window opens, and not before', () => {
    assert.equal(
      redone(false, ['Window: it opens at 3']),
      'is tried again as soon as nothing keeps it waiting (flotilla-agent status)',
    );
  });
});

describe('a bundle on a node', () => {
  for (const [sentence, state, reason, words] of ROWS) {
    test(`${sentence}: ${words}`, () => assert.equal(bundleStateText({ state, reason }), words));
  }

  test('is undone for whoever describes the node where it is for who follows the rollout', () => {
    for (const [, state, reason, words] of ROWS) {
      assert.equal(
        fateOf({ state, reason }) === 'undone',
        words === 'undone',
        `${state} ${reason}`,
      );
    }
  });

  test('is told at the device in the same words, by the journal and where a file was carried to it', () => {
    const bundle = { namespace: 'default', name: 'shop', revision: 2, digest: 'd', attempt: 0 };
    const step = { ...bundle, reason: 'PodFailed', message: 'no', state: 'rolledBack' as const };
    const row = { n: 1, at: NOW, hash: '', entry: { kind: 'bundle' as const, ...step } };
    const [, line] = historyLines({ history: [row] });
    assert.match(line ?? '', /revision 2 +rolled back +PodFailed: no$/);
    const told = { ...step, active: null, failed: 'd', since: '' } as BundleStatus;
    assert.equal(failureOf([told])?.message, 'bundle/shop revision 2 rolled back: PodFailed: no');
  });
});
