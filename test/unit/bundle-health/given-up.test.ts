/** What is told of a revision that was given up, and when it is healthy after all. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bundleHealth } from '../../../agent/activation/bundle-health.js';
import { JUST_OPENED } from '../../../agent/activation/gate.js';
import type { BundleRecord } from '../../../agent/journal/journal.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { NOW } from '../../support/fleet.js';
import { changed, file, pod, RECORD, running, SETTLED_MS } from '../../support/judged-pods.js';

describe('a revision that was given up', () => {
  test('has the last words of its container: its message, else the end of its log', () => {
    const spent = { ...JUST_OPENED, stalledMs: 1e9, made: 1, ready: 1 };
    const wordsOf = (message: string, lines: string | null) => {
      const ended = { exitCode: 3, ...(message === '' ? {} : { message }) };
      const waiting = pod('a', [{ waiting: { reason: 'CrashLoopBackOff' } }]);
      const report = changed(waiting, { ready: false, lastState: { terminated: ended } });
      const lastLines = lines === null ? {} : { lastLines: new Map([['c0', lines]]) };
      const pods = [{ ...report, ...lastLines }];
      const gate = () => spent;
      const [judged] = bundleHealth({
        records: [RECORD],
        files: [file('a')],
        pods,
        now: NOW,
        gate,
      }).transitions;
      assert.equal(judged?.phase, 'givenUp');
      assert.doesNotMatch(judged.message, /table|bye/, 'and they are nowhere else');
      return judged.culprit?.lastWords;
    };
    assert.equal(wordsOf('', 'no such table'), 'no such table');
    assert.equal(wordsOf('bye', 'no such table'), 'bye');
    assert.equal(wordsOf('', 'x'.repeat(5000))?.length, 2048);
    assert.equal(wordsOf('', null), null);
  });

  const AFTER_ALL: readonly (readonly [
    string,
    Partial<BundleRecord>,
    'keep' | 'rollback',
    string,
    Partial<Parameters<typeof bundleHealth>[0]>?,
  ])[] = [
    ['that goes back as soon as it can is not made good by it', {}, 'rollback', 'failed'],
    [
      'that can never go back is healthy after all',
      {},
      'rollback',
      'healthy',
      { cannotReturn: () => true },
    ],
    [
      'that a person undid is not, whether it can go back or not',
      { reason: 'UndoneAtDevice' },
      'rollback',
      'failed',
      { cannotReturn: () => true },
    ],
    [
      'that its rollout wants to start alone is not while it could not',
      {},
      'keep',
      'failed',
      { aloneFault: () => ({ reason: 'ImageMissing', message: 'web:1' }) },
    ],
    ['that is kept is healthy after all', {}, 'keep', 'healthy'],
    ['that has nothing before it is healthy after all', { healthy: null }, 'rollback', 'healthy'],
    ['that a person undid is not', { reason: 'UndoneAtDevice' }, 'keep', 'failed'],
  ];
  for (const [sentence, record, onFailure, state, more] of AFTER_ALL) {
    test(`ready after it was given up: a revision ${sentence}`, () => {
      const given = {
        state: 'failed',
        reason: 'PodFailed',
        givenUp: true,
        activeGivenUp: true,
      } as const;
      const { statuses } = bundleHealth({
        records: [{ ...RECORD, ...given, ...record }],
        files: [file('a')],
        pods: [pod('a', [running(SETTLED_MS + 1)])],
        now: NOW,
        active: () => ({
          revision: 2,
          strategy: { ...DEFAULT_STRATEGY, onFailure, require: ['aloneReady'] },
          bindings: new Map(),
        }),
        ...more,
      });
      assert.equal(statuses[0]?.state, state);
    });
  }
});
