/** What a plan may say, and how its faults read. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  DEFAULT_PLAN,
  plainPlan,
  planFault,
  waveText,
  waveWords,
  type RolloutPlan,
} from '../../../hub/rollout/waves/plan.js';
import { sharedDown, sharedUp } from '../../../hub/rollout/waves/share.js';

const FAULTS: readonly [string, Readonly<Record<string, unknown>>, string, RegExp][] = [
  ['no node at once', { maxUnavailable: 0 }, 'maxUnavailable', /^0 must be a whole number from 1/],
  ['no percent at once', { maxUnavailable: '0%' }, 'maxUnavailable', /^"0%" must be .* 1% to 100%/],
  ['more than all', { maxUnavailable: '101%' }, 'maxUnavailable', /^"101%" must be/],
  ['no sample', { minSample: 0 }, 'minSample', /^0 must be a whole number from 1 .*, or auto$/],
  ['half a node', { maxFailures: 0.5 }, 'maxFailures', /^0.5 must be a whole number from 0/],
  ['a count as text', { maxFailures: '3' }, 'maxFailures', /^"3" must be/],
  ['no list of waves', { waves: '5%' }, 'waves', /must be a list of 1 to 32 waves/],
  ['no wave', { waves: [] }, 'waves', /must be a list/],
  ['a wave that is nothing', { waves: [null] }, 'waves[0]', /either nodes or selector/],
  ['a wave of both', { waves: [{ nodes: 1, selector: 'a' }] }, 'waves[0]', /either nodes or sel/],
  ['another field', { waves: [{ nodes: 1, name: 'x' }] }, 'waves[0]', /and nothing else/],
  [
    'a window that never opens',
    {
      waves: [{ nodes: 1, windows: [{ schedule: '0 2 31 2 *', duration: '4h', timeZone: 'UTC' }] }],
    },
    'waves[0].windows[0].schedule',
    /^"0 2 31 2 \*" has no valid day of month/,
  ],
  ['windows that are null', { waves: [{ nodes: 1, windows: null }] }, 'waves[0].windows', /a list/],
  [
    'windows that are no list',
    { waves: [{ nodes: 1, windows: 'night' }] },
    'waves[0].windows',
    /list/,
  ],
  ['an empty selector', { waves: [{ selector: '' }] }, 'waves[0].selector', /use nodes: 100%/],
  ['a broken selector', { waves: [{ selector: 'a in' }] }, 'waves[0].selector', /expected "\("/],
  ['a wave of none', { waves: [{ nodes: 0 }] }, 'waves[0].nodes', /^0 must be/],
  [
    'waves that do not grow',
    { waves: [{ nodes: 1 }, { nodes: '25%' }, { nodes: '5%' }] },
    'waves[2]',
    /^"5%" must be more than that of an earlier wave/,
  ],
  [
    'a wave after the last',
    { waves: [{ nodes: '100%' }, { nodes: '100%' }] },
    'waves[1]',
    /^"100%" must be more/,
  ],
  ['a bake of text', { bakeSeconds: '5m' }, 'bakeSeconds', /^"5m" must be whole seconds, 0 to/],
  ['a negative deadline', { offlineDeadlineSeconds: -1 }, 'offlineDeadlineSeconds', /^-1 must be/],
  ['an unknown promotion', { promotion: 'slow' }, 'promotion', /^"slow" must be automatic or manu/],
  ['an unknown policy', { offlinePolicy: null }, 'offlinePolicy', /^null must be wait or skip/],
  ['an unknown end', { onMaxFailures: 'stop' }, 'onMaxFailures', /^"stop" must be pause or rollb/],
  ['yes for true', { allowUnknown: 'yes' }, 'allowUnknown', /^"yes" must be true or false/],
  ['half a node a minute', { nodesPerMinute: 0.5 }, 'nodesPerMinute', /^0.5 must be a whole numb/],
];

describe('a plan is refused', () => {
  for (const [what, change, where, why] of FAULTS) {
    test(`with ${what}, with the field, the value and what is allowed`, () => {
      const fault = planFault({ ...DEFAULT_PLAN, ...change });
      assert.equal(`${fault?.field ?? ''}${fault?.at ?? ''}`, where);
      assert.match(fault?.message ?? '', why);
    });
  }

  test('with 33 waves, the one that is implied counted', () => {
    const waves = (n: number) => Array.from({ length: n }, (_, i) => ({ nodes: i + 1 }));
    assert.equal(planFault({ ...DEFAULT_PLAN, waves: waves(31) }), null);
    assert.match(planFault({ ...DEFAULT_PLAN, waves: waves(32) })?.message ?? '', /32 waves/);
  });
});

describe('a plan', () => {
  test('of a canary, shares and labels is fine, and ends with all that are left', () => {
    const plan: RolloutPlan = {
      ...DEFAULT_PLAN,
      waves: [{ nodes: 1 }, { nodes: '5%' }, { selector: 'region=north' }],
    };
    assert.equal(planFault({ ...plan }), null);
    assert.deepEqual(plainPlan(plan).waves.map(waveText), ['1 node', '5%', 'region=north', '100%']);
    assert.deepEqual(plainPlan(plainPlan(plan)), plainPlan(plan));
  });

  test('has a last wave with a window of its own, and none where its list is empty', () => {
    const windows = [{ schedule: '0 2 * * *', duration: '1h', timeZone: 'UTC' }];
    const plan = {
      ...DEFAULT_PLAN,
      waves: [
        { nodes: 1, windows: [] },
        { nodes: '100%', windows },
      ],
    };
    assert.equal(planFault(plan), null);
    const plain = plainPlan(plan);
    assert.deepEqual(plain.waves, [{ nodes: 1 }, { nodes: '100%', windows }]);
    assert.deepEqual(plain.waves.map(waveWords), ['1 node', '100% during 0 2 * * * for 1h in UTC']);
  });

  test('rounds nodes that may be on the way up, and failures down', () => {
    assert.deepEqual([sharedUp('5%', 30), sharedDown('5%', 30)], [2, 1]);
    assert.deepEqual([sharedUp('5%', 0), sharedDown('5%', 1)], [0, 0]);
    assert.deepEqual([sharedUp(3, 1), sharedDown(3, 1)], [3, 3]);
    assert.deepEqual([sharedUp('100%', 7), sharedDown('100%', 7)], [7, 7]);
  });
});
