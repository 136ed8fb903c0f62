/** The estimate of a rollout's end, and the bars that show how far it is. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { barOf } from '../../../hub/cli/progress-bar.js';
import { waveBars } from '../../../hub/cli/rollout-view.js';
import { timeLeftMs, timeLeftText } from '../../../hub/cli/time-left.js';
import type { RolloutPlan } from '../../../hub/rollout/waves/plan.js';
import type { RolloutStatus } from '../../../hub/rollout/waves/rollout-object.js';
import type { StandCounts, WaveView } from '../../../hub/rollout/waves/view.js';
import { at, BEGUN, specOf, T0 } from '../../support/rollout-values.js';

const NOBODY: StandCounts = {
  ...{ nodes: 0, healthy: 0, failed: 0, unknown: 0, aside: 0, underWay: 0, window: 0 },
  ...{ obstructed: 0, silent: 0, person: 0, waiting: 0, away: 0 },
};
const wave = (startedAt: number, settledAt: number | null = null) => {
  const settled = settledAt === null ? null : at(settledAt);
  return { startedAt: at(startedAt), settledAt: settled, passedAt: null };
};

interface Case {
  readonly plan?: Partial<RolloutPlan>;
  readonly promoted?: number;
  readonly status?: Partial<RolloutStatus>;
  readonly total: Partial<StandCounts>;
  /** Seconds since it began. */
  readonly now: number;
}

function seen({ plan = {}, promoted = 0, status = {}, total }: Case) {
  const spec = specOf({ waves: [{ nodes: 1 }], ...plan }, { promoted });
  const waves: WaveView[] = spec.plan.waves.map(() => ({ of: 'x', began: null, ...NOBODY }));
  return { spec, waves, status: { ...BEGUN, ...status }, total: { ...NOBODY, ...total } };
}

const LAST = { waves: [wave(0, 10), wave(10)] };
const FIRST = { waves: [wave(0)] };

const ROWS: readonly [string, Case, number | null][] = [
  ['goes on as it did', { status: LAST, total: { healthy: 10, waiting: 20 }, now: 100 }, 200],
  ['counts who is on the way', { status: LAST, total: { healthy: 10, underWay: 5 }, now: 100 }, 50],
  [
    'counts who failed as done',
    { status: LAST, total: { failed: 5, healthy: 5, waiting: 10 }, now: 100 },
    100,
  ],
  [
    'leaves out who cannot be reached',
    { status: LAST, total: { healthy: 10, away: 90, silent: 3 }, now: 100 },
    0,
  ],
  [
    'adds the bake of each wave that is to come',
    {
      plan: { waves: [{ nodes: 1 }, { nodes: 5 }], bakeSeconds: 60 },
      status: FIRST,
      total: { healthy: 1, waiting: 3 },
      now: 10,
    },
    30 + 120,
  ],
  [
    'counts the time of a bake as no work, and what is baked already as over',
    {
      plan: { bakeSeconds: 60 },
      status: { reason: 'Bake', waves: [wave(0, 10)] },
      total: { healthy: 1, waiting: 3 },
      now: 30,
    },
    30 + 40,
  ],
  [
    'knows nothing before the first node is done',
    { status: FIRST, total: { underWay: 1 }, now: 10 },
    null,
  ],
  ['knows nothing before a wave began', { total: { healthy: 1, waiting: 1 }, now: 10 }, null],
  [
    'does not know when people promote',
    { plan: { promotion: 'manual' }, status: FIRST, total: { healthy: 1, waiting: 1 }, now: 10 },
    null,
  ],
  [
    'knows it once they have promoted all there is',
    {
      plan: { promotion: 'manual' },
      promoted: 1,
      status: FIRST,
      total: { healthy: 1, waiting: 1 },
      now: 10,
    },
    10,
  ],
  [
    'does not know when somebody resumes it',
    {
      status: { ...LAST, phase: 'paused', reason: 'Person' },
      total: { healthy: 1, waiting: 1 },
      now: 10,
    },
    null,
  ],
  [
    'does not know when a wave that is away comes back',
    { status: { ...FIRST, reason: 'Away' }, total: { healthy: 1, waiting: 1 }, now: 10 },
    null,
  ],
  [
    'is nothing of what is complete',
    { status: { ...LAST, phase: 'completed', reason: 'Done' }, total: { healthy: 1 }, now: 10 },
    null,
  ],
];

describe('the time left', () => {
  for (const [sentence, of, expected] of ROWS) {
    test(sentence, () => {
      const ms = timeLeftMs(seen(of), T0 + of.now * 1000);
      assert.equal(ms, expected === null ? null : expected * 1000);
    });
  }

  test('is said as an estimate, with whom it leaves out', () => {
    const of = { status: LAST, total: { healthy: 10, waiting: 20, away: 2, window: 1 }, now: 100 };
    assert.equal(
      timeLeftText(seen(of), T0 + 100_000),
      'about 3m20s left at the rate so far, without 3 that wait or are away',
    );
    assert.equal(timeLeftText(seen({ total: {}, now: 0 }), T0), '');
  });
});

describe('a bar', () => {
  const BARS: readonly [string, Parameters<typeof barOf>[0], string][] = [
    [
      'shows done, failed and on the way',
      { done: 5, failed: 2, moving: 1, of: 10 },
      '[#####xx-  ]',
    ],
    ['of nobody is empty', { done: 0, failed: 0, moving: 0, of: 0 }, '[          ]'],
    ['never grows out of its room', { done: 1, failed: 3, moving: 1, of: 4 }, '[###xxxxxxx]'],
  ];
  for (const [sentence, parts, expected] of BARS) {
    test(sentence, () => assert.equal(barOf(parts, 10), expected));
  }

  test('stands before each wave', () => {
    const began = wave(0);
    const one: WaveView = { ...NOBODY, of: '1 node', began, nodes: 2, healthy: 1, underWay: 1 };
    const other: WaveView = { ...NOBODY, of: '100%', began: null };
    const status = { ...BEGUN, waves: [began] };
    assert.deepEqual(waveBars({ status, waves: [one, other] }), [
      '  [#####-----] wave 1 of 2 (1 node): under way; 1 of 2 healthy, 1 under way',
      '  [          ] wave 2 of 2 (100%): has not begun',
    ]);
  });
});
