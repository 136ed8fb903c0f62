/** Rollouts as people type them and read them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { emptyWaves } from '../../../hub/cli/plan-warnings.js';
import { planAfter, planText, type PlanOptions } from '../../../hub/cli/plan-options.js';
import {
  countsText,
  phaseText,
  reasonLines,
  waveLines,
  wordLines,
} from '../../../hub/cli/rollout-view.js';
import { parseBundle } from '../../../hub/api/bundle-body.js';
import { DEFAULT_PLAN, plainPlan } from '../../../hub/rollout/waves/plan.js';
import { viewOf } from '../../../hub/rollout/waves/view.js';
import { answer, type Verb, type Wish } from '../../../hub/rollout/waves/verbs.js';
import type { RequestError } from '../../../hub/ports.js';
import { at, BEGUN, NEW, node, row, specOf, T0 } from '../../support/rollout-values.js';

describe('the flags of a plan', () => {
  test('that are left out keep what the bundle has, and none means at once', () => {
    assert.equal(planAfter({}, null), null);
    const had = plainPlan({ ...DEFAULT_PLAN, waves: [{ nodes: 1 }] });
    assert.equal(planAfter({}, had), had);
    assert.deepEqual(planAfter({ maxFailures: '5%' }, had), { ...had, maxFailures: '5%' });
    const { minSample: _, ...older } = had;
    assert.deepEqual(planAfter({ minSample: '2' }, older as typeof had), { ...had, minSample: 2 });
    assert.equal(planText(older as typeof had), planText(had));
    assert.equal(planAfter({ atOnce: true }, had), null);
  });

  test('become a plan, and its words', () => {
    const options: PlanOptions = {
      ...{ wave: ['1', '25%', 'region in (north,south)'], maxUnavailable: '10%', bake: '10m' },
      ...{ promotion: 'manual', offline: 'wait', offlineDeadline: '1d', pace: '100' },
      ...{ onMaxFailures: 'rollback', maxFailures: '2', gateUnknown: 'allow' },
    };
    const plan = planAfter(options, null);
    assert.deepEqual(plan?.waves, [
      { nodes: 1 },
      { nodes: '25%' },
      { selector: 'region in (north,south)' },
      { nodes: '100%' },
    ]);
    assert.equal(
      planText(plan),
      'waves 1 node, 25%, region in (north,south), 100%; max unavailable 10%; max failures 2, then rollback; bake 10m0s; ' +
        'promotion manual; offline wait, deadline 24h0m0s; unknown counts as healthy; 100 nodes a minute',
    );
  });

  test('give a wave windows, and take them as they are told', () => {
    const words = '25% during 0 2 * * sun for 4h in Europe/Berlin during 0 3 * * * for 1h in UTC';
    const plan = planAfter({ wave: ['1', words, 'region in (north,south)'] }, null);
    assert.deepEqual(plan?.waves[1], {
      nodes: '25%',
      windows: [
        { schedule: '0 2 * * sun', duration: '4h', timeZone: 'Europe/Berlin' },
        { schedule: '0 3 * * *', duration: '1h', timeZone: 'UTC' },
      ],
    });
    assert.ok(planText(plan).startsWith(`waves 1 node, ${words}, region in (north,south), 100%;`));
  });

  const WRONG: readonly [PlanOptions, RegExp][] = [
    [{ wave: ['1', '0.5%'] }, /^--wave \(number 2\): "0.5%" must be a whole number/],
    [{ wave: ['a in'] }, /^--wave \(number 1\): selector "a in": expected "\("/],
    [{ wave: ['1 during night'] }, /^--wave 1 during night: use "NODES during CRON for DURATION/],
    [
      { wave: ['1', '5% during 0 2 * * * for 9d in Mars'] },
      /^--wave \(number 2\): timeZone: "Mars" is not a time zone/,
    ],
    [{ minSample: 'none' }, /^--min-sample: "none" must be a whole number from 1 .*, or auto/],
    [{ maxFailures: '-1' }, /^--max-failures: "-1" must be a whole number from 0/],
    [{ pace: 'fast' }, /^--pace: "fast" must be a whole number of nodes/],
    [{ promotion: 'never' }, /^--promotion: "never" must be automatic or manual/],
    [{ gateUnknown: 'yes' }, /^--gate-unknown yes: use allow or refuse/],
    [{ bake: '1.5ms' }, /^--bake 1.5ms: whole seconds/],
    [{ atOnce: true, wave: ['1'] }, /^either --at-once, which is no plan, or --wave/],
  ];
  for (const [options, message] of WRONG) {
    test(`are refused where they say ${JSON.stringify(options)}`, () => {
      assert.throws(() => planAfter(options, null), { message });
    });
  }
});

describe('a wave by labels that nobody has', () => {
  const member = (labels: Record<string, string>, isMember = true) => ({
    labels,
    member: isMember,
  });
  const plan = planAfter({ wave: ['1', 'region=north'] }, null) ?? DEFAULT_PLAN;
  const ROWS: readonly [string, string, ReturnType<typeof member>[], number][] = [
    ['is warned of', '', [member({ region: 'south' })], 1],
    ['is warned of in a fleet of nobody', '', [], 1],
    [
      'is fine once a node has them',
      '',
      [member({ region: 'south' }), member({ region: 'north' })],
      0,
    ],
    [
      'is warned of where the bundle selects none of those',
      'app=web',
      [member({ region: 'north' })],
      1,
    ],
    ['is fine where it selects one', 'app=web', [member({ region: 'north', app: 'web' })], 0],
    [
      'is warned of where only a node has them that was shut out',
      '',
      [member({ region: 'north' }, false)],
      1,
    ],
  ];
  for (const [sentence, selector, nodes, count] of ROWS) {
    test(sentence, () => {
      const lines = emptyWaves(plan, selector, nodes);
      assert.equal(lines.length, count);
      for (const line of lines)
        assert.match(line, /^Warning: wave 2 of 3 \(region=north\): no node/);
    });
  }
});

describe('a plan in a Bundle', () => {
  const body = (rollout: unknown) => ({ spec: { nodeSelector: '', manifests: [], rollout } });
  const parsed = (rollout: unknown) =>
    parseBundle(body(rollout), { namespace: 'default', name: 'shop' }).spec.rollout;

  test('is filled up with the defaults, and left out when it is', () => {
    assert.deepEqual(parsed({ maxFailures: 2 }), { ...DEFAULT_PLAN, maxFailures: 2 });
    assert.equal(parsed(undefined), undefined);
    assert.equal(parsed(null), undefined);
  });

  test('that is wrong is refused with the path of the field', () => {
    assert.throws(
      () => parsed({ waves: [{ nodes: 1 }, { nodes: 0 }] }),
      (error: RequestError) =>
        error.reason === 'Invalid' && error.causes[0]?.field === 'spec.rollout.waves[1].nodes',
    );
    assert.throws(() => parsed({ wave: 1 }), /unknown field "spec.rollout.wave"/);
  });
});

describe('how far a rollout is', () => {
  const waves = [{ startedAt: at(0), settledAt: null, passedAt: null }];
  const rollout = { spec: specOf({ waves: [{ nodes: 2 }] }), status: { ...BEGUN, waves } };
  const fleet = [
    node('a', { has: NEW }),
    node('b', { has: NEW, says: 'underWay' }),
    node('c', { offline: true }),
  ];
  const rows = new Map([row('a'), row('b', { toldAt: at(0) })].map(one => [one.node, one]));
  const view = viewOf(rollout, { fleet, rows, isWithdrawn: false }, { now: T0, node: 'b' });

  test('is said in phases, waves, counts and reasons', () => {
    assert.equal(phaseText(view), 'progressing, wave 1 of 2: waits for its nodes');
    assert.deepEqual(waveLines(view), [
      '  wave 1 of 2 (2 nodes): under way; 1 of 2 healthy, 1 under way',
      '  wave 2 of 2 (100%): has not begun',
    ]);
    assert.equal(countsText(view.total), '1 of 3 healthy, 1 under way, 1 away');
    assert.deepEqual(reasonLines(view), [
      '  b: wave 1 of 2 (2 nodes): on the way to revision 2',
      '  c: offline; its turn comes when it can be reached',
    ]);
    assert.deepEqual([view.node?.wave, view.node?.stand], [1, 'underWay']);
  });
});

describe('a word on a rollout', () => {
  const said = { by: 'ann', at: at(9), reason: '' };
  const wave = { startedAt: at(0), settledAt: null, passedAt: null };
  const under = { ...BEGUN, waves: [wave] };
  const tell = (
    verb: Verb,
    change = {},
    phase: 'progressing' | 'paused' | 'completed' = 'progressing',
    seen: Wish['seen'] = null,
  ) =>
    answer(
      { spec: specOf({}, change), status: { ...under, phase } },
      { verb, said, isForced: false, seen },
      { fleet: [], rows: new Map() },
    );
  const SAME: readonly [Verb, object, string][] = [
    ['pause', { paused: said }, 'revision 2 is paused already'],
    ['resume', {}, 'revision 2 is not paused'],
    ['promote', { promoted: 1 }, 'wave 1 of 1 is promoted already'],
    ['abort', { aborted: said }, 'revision 2 was aborted already'],
  ];
  for (const [verb, change, text] of SAME) {
    test(`${verb}, said twice, changes nothing`, () => {
      const answered = tell(verb, change);
      assert.ok(answered.ok);
      assert.deepEqual([answered.text, answered.spec], [text, specOf({}, change)]);
    });
  }

  test('that changes something is kept with who said it and why, for whoever looks', () => {
    const rollout = { spec: specOf(), status: under };
    const of = { fleet: [], rows: new Map() };
    const why = { ...said, reason: 'the disk was bad' };
    const paused = answer(rollout, { verb: 'pause', said: why, isForced: false, seen: null }, of);
    assert.ok(paused.ok);
    const resumed = answer(paused, { verb: 'resume', said, isForced: false, seen: null }, of);
    assert.ok(resumed.ok);
    const forced = answer(resumed, { verb: 'promote', said, isForced: true, seen: null }, of);
    assert.ok(forced.ok);
    assert.deepEqual(wordLines(forced), [
      '  2026-06-01T00:00:09Z pause by ann (the disk was bad)',
      '  2026-06-01T00:00:09Z resume by ann',
      '  2026-06-01T00:00:09Z promote --force by ann',
    ]);
  });

  test('is refused where nothing can follow from it, with what to do', () => {
    const refusalOf = (answered: ReturnType<typeof tell>) => (answered.ok ? '' : answered.refusal);
    assert.match(refusalOf(tell('abort', {}, 'completed')), /is complete; apply another revision/);
    assert.match(refusalOf(tell('pause', { aborted: said })), /was aborted, and never goes on/);
    const former = { revision: 1, wave: 1 };
    assert.match(
      refusalOf(tell('promote', {}, 'progressing', former)),
      /revision 2, wave 1 of 1 is under way, not revision 1, wave 1; look at it first/,
    );
    assert.match(
      refusalOf(tell('promote', {}, 'progressing', { revision: 2, wave: 2 })),
      /not revision 2, wave 2/,
    );
    assert.ok(tell('promote', {}, 'progressing', { revision: 2, wave: 1 }).ok);
    assert.match(refusalOf(tell('promote', {}, 'paused')), /is paused; resume it first/);
  });
});
