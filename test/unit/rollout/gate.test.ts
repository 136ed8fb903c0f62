/** When the gate of a wave opens, as sentences, and why it stays shut. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { phaseText } from '../../../hub/cli/rollout-view.js';
import { sampleOf } from '../../../hub/rollout/waves/gate.js';
import {
  abc,
  type Case,
  fleetOf,
  outcomeOf,
  told,
  whyOf,
  waves,
  CANARY,
} from '../../support/rollout-outcome.js';
import { at, NEW, node, row, specOf, T0 } from '../../support/rollout-values.js';

describe('the gate', () => {
  const rows = [row('a', { toldAt: at(0) })];
  const canaryThat = (says: 'healthy' | 'underWay' | 'unknown', change: Partial<Case> = {}) =>
    outcomeOf({
      plan: { ...CANARY, ...change.plan },
      fleet: [node('a', { has: NEW, says }), node('b')],
      ...{ rows, status: waves(0), after: 5 },
      ...(change.spec ? { spec: change.spec } : {}),
      ...(change.status ? { status: change.status } : {}),
      ...(change.after === undefined ? {} : { after: change.after }),
    });

  test('opens when the canary is healthy', () => {
    const outcome = canaryThat('healthy');
    assert.deepEqual(told(outcome), ['b']);
    assert.equal(outcome.status.waves[0]?.passedAt, at(5));
  });

  test('is shut while the canary is on its way', () => {
    const outcome = canaryThat('underWay');
    assert.deepEqual(told(outcome), []);
    assert.equal(outcome.status.reason, 'Nodes');
    assert.match(
      whyOf(outcome, 'b'),
      /its wave has not begun: wave 1 of 2 \(1 node\) is under way/,
    );
  });

  test('of a selector that no node has is shut until a person promotes it; of nodes that went before it is open', () => {
    const plan = { waves: [{ selector: 'canry=yes' }], maxUnavailable: 4 };
    const typo = outcomeOf({ plan, fleet: fleetOf() });
    assert.deepEqual([told(typo), typo.status.reason], [[], 'NoSuchNode']);
    const promoted = outcomeOf({ plan, spec: { promoted: 1 }, fleet: fleetOf() });
    assert.deepEqual(told(promoted), abc);
    const twice = { ...plan, waves: [{ selector: 'canary=yes' }, { selector: 'site=north' }] };
    const labels = { canary: 'yes', site: 'north' };
    const fleet = [node('a', { has: NEW, labels }), node('b'), node('c')];
    const status = waves(0);
    assert.deepEqual(told(outcomeOf({ plan: twice, status, fleet, rows: [row('a')] })), ['b', 'c']);
  });

  test('is shut while nobody knows how the canary is, unless the plan allows that', () => {
    assert.deepEqual(told(canaryThat('unknown')), []);
    assert.deepEqual(told(canaryThat('unknown', { plan: { allowUnknown: true } })), ['b']);
  });

  test('is shut until it has baked, and wakes then', () => {
    const plan = { bakeSeconds: 60 };
    const first = canaryThat('healthy', { plan });
    assert.deepEqual([first.status.reason, first.wakeAt], ['Bake', T0 + 65_000]);
    const { status } = first;
    assert.deepEqual(told(canaryThat('healthy', { plan, status, after: 64 })), []);
    assert.deepEqual(told(canaryThat('healthy', { plan, status, after: 65 })), ['b']);
  });

  test('is shut until a person promotes the wave, where people do', () => {
    const plan = { promotion: 'manual' } as const;
    const shut = canaryThat('healthy', { plan });
    assert.deepEqual([told(shut), shut.status.reason], [[], 'Promotion']);
    assert.deepEqual(told(canaryThat('healthy', { plan, spec: { promoted: 1 } })), ['b']);
  });

  test('is not opened by a promotion while a node is on its way, but by force', () => {
    assert.deepEqual(told(canaryThat('underWay', { spec: { promoted: 1 } })), []);
    assert.deepEqual(told(canaryThat('underWay', { spec: { forced: 1 } })), ['b']);
  });

  test('is opened by force only when everybody of the wave was told who can be', () => {
    const plan = { waves: [{ nodes: 2 }], maxUnavailable: 1 };
    const fleet = [node('a', { has: NEW, says: 'underWay' }), node('b'), node('c')];
    const two = [...rows, row('b')];
    const look = { plan, spec: { forced: 1 }, fleet, rows: two, status: waves(0), after: 5 };
    assert.equal(outcomeOf(look).status.waves.length, 1);
  });

  test('is shut while no node has shown that the revision is healthy anywhere', () => {
    const fleet = [node('a', { has: NEW, says: 'held' }), node('b')];
    const outcome = outcomeOf({ plan: CANARY, fleet, rows, status: waves(0) });
    assert.deepEqual([told(outcome), outcome.status.reason], [[], 'NotProven']);
  });

  const south = { selector: 'site=south' };
  const away = node('b', { labels: { site: 'south' }, offline: true });
  const TWO = { waves: [{ nodes: 1 }, south], maxUnavailable: 4 };
  const both = [...rows, row('b', { wave: 1 })];
  test('skips a node that is away, on the word of those of its wave that can be reached', () => {
    const there = node('d', { labels: { site: 'south' }, has: NEW });
    const fleet = [node('a', { has: NEW }), away, node('c'), there];
    const all = [...both, row('d', { wave: 1 })];
    const outcome = outcomeOf({ plan: TWO, fleet, rows: all, status: waves(0, 1), after: 5 });
    assert.deepEqual(told(outcome), ['c']);
  });

  test('is shut while the whole wave is away, whatever those before it showed, but for force', () => {
    const fleet = [node('a', { has: NEW }), away, node('c')];
    const look = { plan: TWO, fleet, rows: both, status: waves(0, 1), after: 5 };
    const outcome = outcomeOf(look);
    assert.deepEqual([told(outcome), outcome.status.reason], [[], 'Away']);
    assert.deepEqual(told(outcomeOf({ ...look, spec: { forced: 2 } })), ['c']);
  });

  test('lets nothing pass while the line of the hub is cut and everybody is away', () => {
    const cut = { offline: true };
    const fleet = [node('a', { has: NEW, ...cut }), ...['b', 'c', 'd'].map(one => node(one, cut))];
    const plan = { ...CANARY, waves: [{ nodes: 1 }, { nodes: 2 }] };
    const { status, rows: begun } = outcomeOf({ plan, fleet, rows, status: waves(0), after: 5 });
    assert.deepEqual(
      [status.phase, status.reason, status.waves.length],
      ['progressing', 'Away', 2],
    );
    const back = fleet.map(one => ({ ...one, isOnline: true }));
    const later = outcomeOf({ plan, fleet: back, rows: [...rows, ...begun], status, after: 99 });
    assert.equal(told(later).length, 1);
  });

  test('of the last wave is shut while it is away: the rollout is not complete', () => {
    const fleet = [node('a', { has: NEW }), node('b', { offline: true })];
    const outcome = outcomeOf({ plan: CANARY, fleet, rows, status: waves(0, 1), after: 5 });
    assert.deepEqual([outcome.status.phase, outcome.status.reason], ['progressing', 'Away']);
  });

  describe('with five canaries of which one can be reached', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const five = (healthy: number, change: Partial<Case> = {}) =>
      outcomeOf({
        plan: { waves: [{ nodes: 5 }], maxUnavailable: 9, ...change.plan },
        fleet: [
          ...names.map((name, i) => node(name, i < healthy ? { has: NEW } : { offline: true })),
          node('z'),
        ],
        rows: names.map(name => row(name)),
        ...{ status: waves(0), spec: change.spec ?? {}, after: 5 },
      });

    test('is shut on the word of that one, and says how many it needs', () => {
      const { status } = five(1);
      assert.equal(told(five(1)).length, 0);
      assert.deepEqual(
        [status.reason, status.message],
        ['Sample', '1 of 5 nodes showed how it is there, 3 must'],
      );
      assert.match(
        phaseText({ spec: specOf(), status }),
        /^progressing, wave 1 of 1: 1 of 5 nodes showed .*; the others cannot be reached/,
      );
    });

    test('is opened by force, by enough of them, and by a plan that wants no more', () => {
      assert.deepEqual(told(five(1, { spec: { forced: 1 } })), ['z']);
      assert.deepEqual(told(five(2)), []);
      assert.deepEqual(told(five(3)), ['z']);
      assert.deepEqual(told(five(1, { plan: { minSample: 1 } })), ['z']);
      assert.deepEqual(told(five(1, { plan: { minSample: '20%' } })), ['z']);
    });

    test('is shut until all have spoken where the plan wants that', () => {
      assert.deepEqual(told(five(4, { plan: { minSample: '100%' } })), []);
      assert.deepEqual(told(five(4, { plan: { minSample: 9 } })), []);
      assert.deepEqual(told(five(5, { plan: { minSample: 9 } })), ['z']);
    });

    test('of the last wave opens on one: nothing comes after it', () => {
      const fleet = [
        node('a', { has: NEW }),
        ...names.slice(1).map(n => node(n, { offline: true })),
      ];
      assert.equal(outcomeOf({ fleet, status: waves(0), after: 5 }).status.phase, 'completed');
    });
  });

  test('wants of small waves a half, and of large ones no more than three', () => {
    const sizes = [1, 2, 3, 4, 5, 6, 2500];
    assert.deepEqual(
      sizes.map(size => sampleOf('auto', size)),
      [1, 1, 2, 2, 3, 3, 3],
    );
    assert.deepEqual(
      sizes.map(size => sampleOf('50%', size)),
      [1, 1, 2, 2, 3, 3, 1250],
    );
    assert.equal(sampleOf(undefined, 4), 2);
  });

  test('waits for a node that is away until the deadline, where the plan says wait', () => {
    const plan = { ...TWO, offlinePolicy: 'wait', offlineDeadlineSeconds: 60 } as const;
    const there = node('d', { labels: { site: 'south' }, has: NEW });
    const fleet = [node('a', { has: NEW }), away, node('c'), there];
    const look = { plan, fleet, rows: [...both, row('d', { wave: 1 })], status: waves(0, 1) };
    const before = outcomeOf({ ...look, after: 60 });
    assert.deepEqual([told(before), before.wakeAt], [[], T0 + 61_000]);
    assert.deepEqual(told(outcomeOf({ ...look, after: 61 })), ['c']);
  });

  test('that was passed is not shut again by a late word', () => {
    const fleet = [node('a', { has: NEW, says: 'underWay' }), node('b')];
    const outcome = outcomeOf({ plan: CANARY, fleet, rows, status: waves(0, 1), after: 5 });
    assert.deepEqual([told(outcome), outcome.status.waves.length], [['b'], 2]);
  });
});
