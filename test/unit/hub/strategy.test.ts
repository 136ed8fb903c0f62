/** How the passage to a revision is judged: from the command line and the API into what is signed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBundle } from '../../../hub/api/bundle-body.js';
import { strategyAfter, type StrategyOptions } from '../../../hub/cli/strategy-options.js';
import { RequestError } from '../../../hub/ports.js';
import type { BundleStrategy } from '../../../protocol/documents/bundle.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';

const KEPT: BundleStrategy = {
  ...{ progressDeadlineSeconds: 60, minReadySeconds: 5 },
  onFailure: 'keep',
};

const WINDOW_TEXTS = ['0 2 * * sun for 4h in Europe/Berlin', '@daily for 30m in UTC'];
const WINDOWS = [
  { schedule: '0 2 * * sun', duration: '4h', timeZone: 'Europe/Berlin' },
  { schedule: '@daily', duration: '30m', timeZone: 'UTC' },
];

describe('on the command line', () => {
  const rows: readonly [string, StrategyOptions, BundleStrategy | null, BundleStrategy][] = [
    ['a new bundle has the defaults', {}, null, DEFAULT_STRATEGY],
    ['what is not said stays', {}, KEPT, KEPT],
    [
      'durations and bare seconds',
      { progressDeadline: '5m', minReady: '30' },
      KEPT,
      { progressDeadlineSeconds: 300, minReadySeconds: 30, onFailure: 'keep' },
    ],
    ['zero', { minReady: '0s' }, KEPT, { ...KEPT, minReadySeconds: 0 }],
    ['windows', { window: WINDOW_TEXTS }, KEPT, { ...KEPT, maintenanceWindows: WINDOWS }],
    [
      'windows stay',
      {},
      { ...KEPT, maintenanceWindows: WINDOWS },
      { ...KEPT, maintenanceWindows: WINDOWS },
    ],
    ['windows no more', { window: ['none'] }, { ...KEPT, maintenanceWindows: WINDOWS }, KEPT],
    [
      'requirements, in the order in which they are signed',
      { require: 'undo-ready, alone-ready' },
      KEPT,
      { ...KEPT, require: ['aloneReady', 'undoReady'] },
    ],
    [
      'requirements stay',
      { minReady: '5s' },
      { ...KEPT, require: ['undoReady'] },
      { ...KEPT, require: ['undoReady'] },
    ],
    ['requirements no more', { require: 'none' }, { ...KEPT, require: ['undoReady'] }, KEPT],
    ['the way back', { onFailure: 'rollback' }, KEPT, { ...KEPT, onFailure: 'rollback' }],
  ];
  for (const [sentence, options, current, expected] of rows) {
    test(sentence, () => assert.deepEqual(strategyAfter(options, current), expected));
  }

  const refused: readonly [StrategyOptions, RegExp][] = [
    [{ progressDeadline: '1.5s' }, /^--progress-deadline 1\.5s: whole seconds/],
    [{ progressDeadline: '0' }, /^--progress-deadline: must be whole seconds, 1 or more/],
    [{ minReady: 'soon' }, /^--min-ready soon: whole seconds/],
    [{ minReady: '60s' }, /^--progress-deadline: must be greater than minReadySeconds \(60\)/],
    [{ window: ['at night'] }, /^--window at night: use "CRON for DURATION in ZONE", such as/],
    [{ window: ['none', '@daily for 1h in UTC'] }, /^--window none: none stands alone/],
    [{ window: ['0 2 * * for 4h in UTC'] }, /^--window: schedule: "0 2 \* \*" has 4 fields/],
    [
      { window: ['0 2 * * * for 4h in Berlin'] },
      /^--window: timeZone: "Berlin" is not a time zone/,
    ],
    [{ window: ['0 2 * * * for ever in UTC'] }, /^--window: duration: "ever" is not a duration/],
    [{ require: 'alone' }, /^--require alone: use alone-ready, undo-ready, both with a comma/],
    [{ require: 'none,alone-ready' }, /^--require none,alone-ready: use alone-ready/],
    [{ require: 'alone-ready,alone-ready' }, /^--require: names something twice/],
    [{ onFailure: 'explode' }, /^--on-failure: must be rollback or keep/],
  ];
  for (const [options, message] of refused) {
    test(`${JSON.stringify(options)} is refused with the flag`, () => {
      assert.throws(() => strategyAfter(options, KEPT), { message });
    });
  }
});

describe('at the API', () => {
  const parsed = (strategy: unknown) =>
    parseBundle(
      {
        ...{ apiVersion: 'flotilla.dev/v1', kind: 'Bundle', metadata: { name: 'shop' } },
        spec: { nodeSelector: '', manifests: [], strategy },
      },
      { namespace: 'default', name: null },
    ).spec.strategy;

  test('what is left out is the default, and all of it the default is none', () => {
    assert.deepEqual(parsed({ onFailure: 'keep' }), { ...DEFAULT_STRATEGY, onFailure: 'keep' });
    for (const same of [undefined, null, {}, { minReadySeconds: 10 }])
      assert.equal(parsed(same), undefined);
  });

  test('windows are kept, and none of them are none', () => {
    assert.deepEqual(parsed({ maintenanceWindows: WINDOWS }), {
      ...DEFAULT_STRATEGY,
      maintenanceWindows: WINDOWS,
    });
    assert.equal(parsed({ maintenanceWindows: [] }), undefined);
  });

  test('requirements are kept, and none of them are none', () => {
    const require = ['aloneReady', 'undoReady'] as const;
    assert.deepEqual(parsed({ require }), { ...DEFAULT_STRATEGY, require });
    assert.equal(parsed({ require: [] }), undefined);
  });

  test('what is wrong is refused with its field', () => {
    const causes = (strategy: object) => {
      try {
        parsed(strategy);
      } catch (error) {
        if (error instanceof RequestError) return error.causes.map(({ field }) => field);
        throw error;
      }
      return [];
    };
    assert.deepEqual(causes({ minReadySeconds: 600 }), ['spec.strategy.progressDeadlineSeconds']);
    assert.deepEqual(causes({ minReadySeconds: '5' }), ['spec.strategy.minReadySeconds']);
    assert.deepEqual(causes({ onFailure: 'x' }), ['spec.strategy.onFailure']);
    const windows = (window: unknown) => causes({ maintenanceWindows: [window] });
    const good = WINDOWS[0];
    const field = 'spec.strategy.maintenanceWindows[0]';
    assert.deepEqual(windows({ ...good, schedule: '* * *' }), [`${field}.schedule`]);
    assert.deepEqual(windows({ ...good, duration: 4 }), [`${field}.duration`]);
    assert.deepEqual(windows({ ...good, timeZone: 'Nowhere' }), [`${field}.timeZone`]);
    assert.deepEqual(windows({ ...good, zone: 'UTC' }), [field]);
    assert.deepEqual(windows(null), [`${field}.schedule`]);
    assert.deepEqual(causes({ maintenanceWindows: 'daily' }), ['spec.strategy.maintenanceWindows']);
    const wrong = ['aloneReady', ['alone'], ['aloneReady', 'aloneReady'], { aloneReady: true }];
    for (const require of wrong)
      assert.deepEqual(causes({ require }), ['spec.strategy.require'], JSON.stringify(require));
    assert.throws(() => parsed({ maxSurge: 1 }), /maxSurge/);
  });
});
