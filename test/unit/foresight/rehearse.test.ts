/** Rehearsals of small fleets, told as sentences. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rehearsalLines } from '../../../hub/cli/rehearsal-text.js';
import type { BasisNode, RehearsalBasis } from '../../../hub/foresight/basis.js';
import { rehearse, type RehearsalQuestion } from '../../../hub/foresight/rehearse.js';
import { DEFAULT_PLAN, plainPlan, type RolloutPlan } from '../../../hub/rollout/waves/plan.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { node, OLD, T0 } from '../../support/rollout-values.js';

const DAY_S = 86_400;
const NOW_S = T0 / 1000;

/** Always there, and done in twenty seconds each time. */
function steady(name: string, change: Partial<BasisNode> = {}): BasisNode {
  const passage = { at: T0, isHealthy: true, seconds: 20 };
  return {
    ...node(name),
    ...{ isHeld: false, cameFirst: true, changes: [NOW_S - 6 * DAY_S] },
    ...{ passages: [passage, passage, passage], others: [] },
    ...change,
  };
}
/** Comes for an hour each day, in six hours for the first time. */
const sleeper = (name: string): BasisNode => {
  const changes = Array.from({ length: 6 }, (_, i) => {
    const came = NOW_S - (6 - i) * DAY_S + 6 * 3600;
    return [came, came + 3600];
  }).flat();
  return { ...steady(name), isOnline: false, changes };
};
const gone = (name: string): BasisNode => ({
  ...steady(name),
  ...{ isOnline: false, changes: [NOW_S - 6 * DAY_S, NOW_S - 5 * DAY_S] },
});
const failing = (name: string): BasisNode => {
  const passage = { at: T0, isHealthy: false, seconds: 30 };
  return steady(name, { passages: Array.from({ length: 8 }, () => passage) });
};

const basisOf = (...nodes: readonly BasisNode[]): RehearsalBasis => ({
  ...{ now: T0, newest: OLD, rollout: null, isWithdrawn: false, rows: [], nodes },
  strategy: DEFAULT_STRATEGY,
});
const asked = (
  plan: Partial<RolloutPlan> = {},
  more: Partial<RehearsalQuestion> = {},
): RehearsalQuestion => ({
  plan: plainPlan({ ...DEFAULT_PLAN, maxUnavailable: '100%', ...plan }),
  strategy: { ...DEFAULT_STRATEGY, minReadySeconds: 10 },
  ...{ runs: 20, seed: 1, horizonMs: 7 * DAY_S * 1000, promoteAfterMs: 0, failureRate: null },
  ...more,
});
const four = () => ['a', 'b', 'c', 'd'].map(name => steady(name));
const told = (basis: RehearsalBasis, of: RehearsalQuestion) =>
  rehearsalLines(rehearse(basis, of), 'next').join('\n');

describe('a rehearsal says', () => {
  const table: readonly [string, RehearsalBasis, RehearsalQuestion, readonly RegExp[]][] = [
    [
      'that nodes which are always there need what they needed before, and the time to be ready',
      basisOf(...four()),
      asked(),
      [
        /^from 6d of 4 nodes and 12 passages \(0 failed\)$/m,
        /^healthy on 50% of 4 nodes after 30s, 90% of 4 nodes after 30s, 99% of 4 nodes after 30s$/m,
        /^never reached: 0; failed: 0$/m,
        /^wave 1 of 1 \(100%\): passes after 30s$/m,
        /^complete in 20 of 20 runs after 30s$/m,
      ],
    ],
    [
      'that one after the other takes so many times as long',
      basisOf(...four()),
      asked({ maxUnavailable: 1 }),
      [/^complete in 20 of 20 runs after 120s|after 2m/m],
    ],
    [
      'that waves and bakes come on top',
      basisOf(...four()),
      asked({ waves: [{ nodes: 1 }], bakeSeconds: 600 }),
      [
        /^wave 1 of 2 \(1 node, 1 node\): passes after 10m/m,
        /^wave 2 of 2 \(100%\): passes after 11m$/m,
      ],
    ],
    [
      'that a pace holds it back',
      basisOf(...four()),
      asked({ nodesPerMinute: 1 }),
      [/^complete in 20 of 20 runs after 3m30s$/m],
    ],
    [
      'who comes late, and that nobody waits for them under skip',
      basisOf(...four(), sleeper('z')),
      asked(),
      [/99% of 5 nodes after 6h/, /^complete in 20 of 20 runs after 30s$/m, /^never reached: 0;/m],
    ],
    [
      'that a wave waits for them under wait, until the deadline',
      basisOf(...four(), sleeper('z')),
      asked({ offlinePolicy: 'wait', offlineDeadlineSeconds: 12 * 3600 }),
      [/^complete in 20 of 20 runs after 6h/m],
    ],
    [
      'who is never reached within the horizon',
      basisOf(...four(), gone('z')),
      asked({}, { runs: 5 }),
      [/^never reached: 1: z in most runs; failed: 0$/m, /99% of 5 nodes in no run/],
    ],
    [
      'that a node which always failed fails, and what the gate does then',
      basisOf(...four(), failing('z')),
      asked({}, { runs: 10 }),
      [
        /paused in (9|10)/,
        /stands in (9|10) of 10: TooManyFailures: 1 failed, 0 may: first of them z/,
      ],
    ],
    [
      'that with a rollback the fleet goes back',
      basisOf(...four()),
      asked({ onMaxFailures: 'rollback' }, { failureRate: 1, runs: 5 }),
      [/^complete in 0 of 5 runs, rolled back in 5$/m],
    ],
    [
      'that maintenance windows are waited for',
      basisOf(...four()),
      asked(
        {},
        {
          strategy: {
            ...DEFAULT_STRATEGY,
            minReadySeconds: 10,
            maintenanceWindows: [{ schedule: '0 3 * * *', duration: '1h', timeZone: 'UTC' }],
          },
        },
      ),
      [/^complete in 20 of 20 runs after (3h|180m)/m],
    ],
    [
      'that a person is taken to promote, and when',
      basisOf(...four()),
      asked({ waves: [{ nodes: 1 }], promotion: 'manual' }, { promoteAfterMs: 3_600_000 }),
      [/^a person was taken to promote, up to 1 time$/m, /^wave 1 of 2 .*passes after 60m$/m],
    ],
    [
      'that a mistyped label stands for ever',
      basisOf(...four()),
      asked({ waves: [{ selector: 'canary=yess' }] }),
      [/^wave 1 of 2 \(canary=yess.*\): stands in 20 of 20: NoSuchNode$/m, /under way still in 20/],
    ],
    [
      'who has no history, and that they were taken as the others are',
      basisOf(...four(), steady('z', { changes: [], passages: [] })),
      asked(),
      [/; 1 node has no history and was taken as the others are$/m],
    ],
    [
      'that nobody was timed, and what was taken instead',
      basisOf(steady('a', { changes: [], passages: [] })),
      asked(),
      [/taken to stay as it is now$/m, /^nobody was ever timed: each node was taken to need 60s$/m],
    ],
    [
      'that who is held at the device stays, and holds nobody up',
      basisOf(...four(), steady('z', { isHeld: true })),
      asked(),
      [/^complete in 20 of 20 runs after 30s$/m, /^never reached: 1: z in most runs/m],
    ],
  ];
  for (const [name, basis, of, expected] of table) {
    test(name, () => {
      const text = told(basis, of);
      for (const line of expected) assert.match(text, line);
    });
  }

  test('the same with the same seed, and something else with another', () => {
    const passages = [5, 20, 80, 300].map(seconds => ({ at: T0, isHealthy: true, seconds }));
    const basis = basisOf(...four().map(one => ({ ...one, passages })));
    assert.deepEqual(rehearse(basis, asked()), rehearse(basis, asked()));
    const other = rehearse(basis, asked({}, { seed: 2 }));
    assert.notDeepEqual(other.healthy, rehearse(basis, asked()).healthy);
    const { low = 0, high = 0 } = other.completes;
    assert.ok((low ?? 0) < (high ?? 0), 'runs lie apart');
  });
});
