/** What happens next in a rollout, as sentences: which nodes are told, and when it has ended. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FleetNode } from '../../../hub/rollout/waves/stand.js';
import {
  outcomeOf,
  told,
  whyOf,
  offerOf,
  waves,
  abc,
  fleetOf,
  CANARY,
} from '../../support/rollout-outcome.js';
import { viewOf } from '../../../hub/rollout/waves/view.js';
import { at, BEGUN, named, NEW, node, OLD, row, specOf, T0 } from '../../support/rollout-values.js';

describe('the budget', () => {
  test('tells one node at a time unless the plan says otherwise', () => {
    const outcome = outcomeOf({ fleet: fleetOf() });
    assert.deepEqual(told(outcome), ['a']);
    assert.match(whyOf(outcome, 'a'), /wave 1 of 1 \(100%\): gets revision 2 now/);
    assert.match(whyOf(outcome, 'b'), /waits for its turn: at most 1 may be on the way at once/);
    assert.equal(offerOf(outcome, 'b'), 1);
  });

  test('tells so many at once as the plan says, in percent rounded up', () => {
    assert.deepEqual(told(outcomeOf({ plan: { maxUnavailable: '30%' }, fleet: fleetOf() })), [
      'a',
      'b',
    ]);
  });

  const BUSY: readonly [string, FleetNode][] = [
    ['is on the way', node('a', { has: NEW, says: 'underWay' })],
    ['was told and has said nothing', node('a', { has: NEW, of: OLD })],
    ['waits for a window', node('a', { has: NEW, says: 'window' })],
    ['waits for an image', node('a', { has: NEW, says: 'obstructed' })],
    ['cannot know how its pods are', node('a', { has: NEW, says: 'unknown' })],
    ['was told to try again', node('a', { has: NEW, says: 'failed', isFormer: true })],
    ['fell silent on the way', node('a', { has: NEW, says: 'underWay', offline: true })],
  ];
  for (const [what, busy] of BUSY) {
    test(`has no room while a node ${what}`, () => {
      const fleet = [busy, node('b')];
      const rows = [row('a', { toldAt: at(0) })];
      assert.deepEqual(told(outcomeOf({ fleet, rows, status: waves(0), after: 5 })), []);
    });
  }

  const FREE: readonly [string, FleetNode][] = [
    ['is healthy with it', node('a', { has: NEW })],
    ['is kept back by a person at the device', node('a', { has: NEW, says: 'held' })],
    ['was taken back by a person at the device', node('a', { has: NEW, says: 'undone' })],
    ['was offline before it was told', node('a', { offline: true })],
    ['may not be told', node('a', { barrier: 'CloneSuspected' })],
  ];
  for (const [what, free] of FREE) {
    test(`has room when the other node ${what}`, () => {
      assert.deepEqual(told(outcomeOf({ fleet: [free, node('b')], status: waves(0) })), ['b']);
    });
  }

  test('counts a node that is still on its way to what it had before, and lets that one go on', () => {
    const busy = node('b', { has: OLD, says: 'underWay' });
    const outcome = outcomeOf({ fleet: [node('a'), busy], status: waves(0) });
    assert.deepEqual(told(outcome), ['b']);
  });

  test('has room again when a silent node is past its deadline, and wakes then', () => {
    const fleet = [node('a', { has: NEW, says: 'underWay', offline: true }), node('b')];
    const rows = [row('a', { toldAt: at(0) })];
    const plan = { offlineDeadlineSeconds: 60 };
    const before = outcomeOf({ plan, fleet, rows, status: waves(0), after: 59 });
    assert.deepEqual(told(before), []);
    assert.equal(before.wakeAt, T0 + 60_000);
    assert.deepEqual(told(outcomeOf({ plan, fleet, rows, status: waves(0), after: 60 })), ['b']);
  });
});

describe('the pace', () => {
  const plan = { maxUnavailable: 4, nodesPerMinute: 2 };
  test('tells so many in a minute, and wakes when there is room again', () => {
    const fleet = [node('a', { has: NEW }), node('b', { has: NEW }), node('c'), node('d')];
    const rows = [row('a', { toldAt: at(0) }), row('b', { toldAt: at(10) })];
    const before = outcomeOf({ plan, fleet, rows, status: waves(0), after: 30 });
    assert.deepEqual(told(before), []);
    assert.equal(before.wakeAt, T0 + 60_000);
    assert.match(whyOf(before, 'c'), /at most 2 nodes a minute/);
    assert.deepEqual(told(outcomeOf({ plan, fleet, rows, status: waves(0), after: 60 })), ['c']);
  });
});

describe('a node that is meant to have more than an assignment holds', () => {
  const obstacle = '129 bundles, a node takes at most 128';
  const plan = { offlineDeadlineSeconds: 60, waves: [{ selector: 'canary=yes' }] };
  const full = node('a', { labels: { canary: 'yes' } });
  const rows = [row('a', { obstacle }), row('b')];
  const canary = (has: typeof NEW, after: number) =>
    outcomeOf({
      plan,
      fleet: [full, node('b', { labels: { canary: 'yes' }, has }), node('c')],
      ...{ rows, status: waves(0), after },
    });

  test('keeps no other from its turn, and is tried again when nobody else is left', () => {
    assert.deepEqual(told(canary(OLD, 5)), ['b']);
    assert.deepEqual(told(canary(NEW, 5)), ['a']);
  });

  test('counts as obstructed, with the reason', () => {
    const rollout = { spec: specOf(plan), status: { ...BEGUN, ...waves(0) } };
    const known = new Map(rows.map(one => [one.node, one]));
    const seen = { fleet: [full], rows: known, isWithdrawn: false };
    const { total, node: why } = viewOf(rollout, seen, { now: T0 + 5000, node: 'a' });
    assert.deepEqual([total.obstructed, total.waiting, total.failed], [1, 0, 0]);
    assert.equal(
      why?.reason,
      `wave 1 of 2 (canary=yes): more is meant for it than an assignment holds: ${obstacle}; it keeps what it has`,
    );
  });

  test('of another kind is told in the words of the nodes, which are counted together', () => {
    const rollout = { spec: specOf(plan), status: { ...BEGUN, ...waves(0) } };
    const lacks = { has: NEW, says: 'obstructed', obstacle: 'MissingParameter: give it' } as const;
    const fleet = [node('b', lacks), node('c', lacks), node('d', { ...lacks, obstacle: 'other' })];
    const seen = { fleet, rows: new Map(), isWithdrawn: false };
    const { reasons } = viewOf(rollout, seen, { now: T0 + 5000, node: null });
    assert.deepEqual(
      reasons.map(({ reason, count }) => [reason.replace(/^.*\): /, ''), count]),
      [
        ['MissingParameter: give it', 2],
        ['other', 1],
      ],
    );
  });

  test('is waited for until the deadline, and wakes then', () => {
    const before = canary(NEW, 59);
    assert.deepEqual([before.status.waves.length, before.wakeAt], [1, T0 + 60_000]);
    const after = canary(NEW, 60);
    assert.deepEqual([after.status.waves.length, told(after)], [2, ['c']]);
    assert.match(whyOf(after, 'a'), /it keeps what it has; it is not waited for$/);
  });

  test('does not hold a wave that a person forces', () => {
    const fleet = [full, node('b', { labels: { canary: 'yes' }, has: NEW }), node('c')];
    const outcome = outcomeOf({ plan, spec: { forced: 1 }, fleet, rows, status: waves(0) });
    assert.deepEqual(told(outcome), ['c']);
  });
});

describe('membership', () => {
  test('takes a canary that can be reached, and keeps to it', () => {
    const fleet = [node('a', { offline: true }), node('b', { offline: true }), node('c')];
    const outcome = outcomeOf({ plan: CANARY, fleet });
    assert.deepEqual(told(outcome), ['c']);
    assert.deepEqual(
      outcome.rows.map(one => [one.node, one.wave]),
      [['c', 0]],
    );
    assert.match(whyOf(outcome, 'a'), /offline; its turn comes when it can be reached/);
  });

  test('draws others for another revision', () => {
    const many = Array.from({ length: 40 }, (_, i) => node(`n${i}`));
    const canary = (revision: number) =>
      told(outcomeOf({ plan: CANARY, spec: { to: named(revision) }, fleet: many })).join();
    assert.ok(new Set([2, 3, 4, 5].map(canary)).size > 1);
    assert.equal(canary(2), canary(2));
  });

  test('goes by labels where the wave does', () => {
    const plan = { maxUnavailable: 4, waves: [{ selector: 'site=north' }] };
    const fleet = [
      node('a', { labels: { site: 'south' } }),
      node('b', { labels: { site: 'north' } }),
    ];
    assert.deepEqual(told(outcomeOf({ plan, fleet })), ['b']);
  });

  test('counts the nodes of earlier waves into a share', () => {
    const plan = { maxUnavailable: 9, waves: [{ nodes: 1 }, { nodes: '50%' }] };
    const fleet = [node('a', { has: NEW }), node('b'), node('c'), node('d')];
    const rows = [row('a', { toldAt: at(0) })];
    const outcome = outcomeOf({ plan, fleet, rows, status: waves(0), after: 5 });
    assert.equal(told(outcome).length, 1);
    assert.equal(outcome.status.waves.length, 2);
  });

  test('puts a node that joins meanwhile into the last wave', () => {
    const fleet = [node('a', { has: NEW }), node('new', { has: null })];
    const rows = [row('a', { toldAt: at(0) })];
    const early = outcomeOf({
      plan: CANARY,
      fleet: [node('a', { has: NEW, says: 'underWay' }), node('new', { has: null })],
      rows,
      status: waves(0),
    });
    assert.equal(offerOf(early, 'new'), 1);
    const late = outcomeOf({ plan: CANARY, fleet, rows, status: waves(0, 1), after: 5 });
    assert.deepEqual(told(late), ['new']);
  });
});

describe('the end', () => {
  test('comes when the nodes of all waves are well; who is away finds the revision then', () => {
    const fleet = [node('a', { has: NEW }), node('b', { offline: true })];
    const outcome = outcomeOf({ fleet, rows: [row('a')], status: waves(0), after: 5 });
    assert.equal(outcome.status.phase, 'completed');
    assert.equal(offerOf(outcome, 'b'), 2);
    assert.equal(outcome.rows.find(one => one.node === 'b')?.toldAt, null);
  });

  test('comes at once for a bundle that selects no node', () => {
    assert.equal(outcomeOf({ fleet: [] }).status.phase, 'completed');
  });

  test('does not come while no node could be reached', () => {
    const outcome = outcomeOf({ fleet: fleetOf({ offline: true }) });
    assert.deepEqual([outcome.status.phase, outcome.status.reason], ['progressing', 'NotProven']);
    assert.deepEqual(
      abc.map(name => offerOf(outcome, name)),
      [1, 1, 1, 1],
    );
  });

  test('of a rollout that failed on some nodes comes all the same, if so many may', () => {
    const fleet = [node('a', { has: NEW }), node('b', { has: NEW, says: 'failed' })];
    const outcome = outcomeOf({ plan: { maxFailures: 1 }, fleet, status: waves(0) });
    assert.equal(outcome.status.phase, 'completed');
  });
});

describe('a node whose turn has not come', () => {
  const unproven = { base: OLD, to: named(3), unproven: [NEW.digest] };
  const under = (fleet: readonly FleetNode[]) => {
    const plan = { waves: [{ selector: 'canary=yes' }] };
    const canary = node('z', { labels: { canary: 'yes' }, has: named(3), says: 'underWay' });
    const status = waves(0);
    return outcomeOf({ plan, spec: unproven, fleet: [...fleet, canary], rows: [row('z')], status });
  };

  const HELD: readonly [string, FleetNode, number][] = [
    ['has the last completed revision', node('a'), 1],
    ['is new', node('a', { has: null }), 1],
    ['runs one that never completed', node('a', { has: NEW }), 2],
    ['was to begin with one that never completed', node('a', { has: NEW, of: OLD }), 1],
    ['is away and was to begin with one', node('a', { has: NEW, of: OLD, offline: true }), 1],
    [
      'is away with one from long ago that it never began',
      node('a', { has: named(9), of: OLD, offline: true }),
      1,
    ],
  ];
  for (const [what, one, revision] of HELD) {
    test(`and that ${what} gets revision ${revision}`, () => {
      assert.equal(offerOf(under([one]), 'a'), revision);
    });
  }
});
