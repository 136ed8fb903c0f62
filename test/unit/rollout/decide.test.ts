/** What happens next in a rollout, as sentences: which nodes are told, which gates stay shut, and why. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decide, type Outcome } from '../../../hub/rollout/waves/decide.js';
import type { RolloutPlan } from '../../../hub/rollout/waves/plan.js';
import type {
  RolloutNode,
  RolloutSpec,
  RolloutStatus,
} from '../../../hub/rollout/waves/rollout-object.js';
import type { FleetNode } from '../../../hub/rollout/waves/stand.js';
import { at, BEGUN, named, NEW, node, OLD, row, specOf, T0 } from '../../support/rollout-values.js';

interface Case {
  readonly plan?: Partial<RolloutPlan>;
  readonly spec?: Partial<RolloutSpec>;
  readonly status?: Partial<RolloutStatus>;
  readonly fleet: readonly FleetNode[];
  readonly rows?: readonly RolloutNode[];
  /** Seconds after it began. */
  readonly after?: number;
  readonly isWithdrawn?: boolean;
}

function outcomeOf(of: Case): Outcome {
  const { plan, spec, status, fleet, rows = [], after = 0, isWithdrawn = false } = of;
  const rollout = { spec: specOf(plan, spec), status: { ...BEGUN, ...status } };
  const known = new Map(rows.map(one => [one.node, one]));
  return decide(rollout, { fleet, rows: known, isWithdrawn }, T0 + after * 1000);
}

const acted = (outcome: Outcome, action: 'tell' | 'back') =>
  outcome.decisions.filter(one => one.action === action).map(one => one.member.node.name);
const told = (outcome: Outcome) => acted(outcome, 'tell');
const whyOf = (outcome: Outcome, name: string) =>
  outcome.decisions.find(one => one.member.node.name === name)?.reason ?? '';
const offerOf = (outcome: Outcome, name: string) =>
  outcome.decisions.find(one => one.member.node.name === name)?.offer?.revision ?? null;

/** Waves that began so many seconds after the rollout, all but the last passed. */
function waves(...starts: readonly number[]): Pick<RolloutStatus, 'waves'> {
  return {
    waves: starts.map((start, i) => {
      const isPast = i < starts.length - 1;
      const passedAt = isPast ? at(starts[i + 1] ?? 0) : null;
      return { startedAt: at(start), settledAt: passedAt, passedAt };
    }),
  };
}

const abc = ['a', 'b', 'c', 'd'];
const fleetOf = (words: Parameters<typeof node>[1] = {}) => abc.map(name => node(name, words));
const CANARY = { waves: [{ nodes: 1 }], maxUnavailable: 4 } as const;

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

  test('waits for a node that is away until the deadline, where the plan says wait', () => {
    const plan = { ...TWO, offlinePolicy: 'wait', offlineDeadlineSeconds: 60 } as const;
    const there = node('d', { labels: { site: 'south' }, has: NEW });
    const fleet = [node('a', { has: NEW }), away, node('c'), there];
    const look = { plan, fleet, rows: [...both, row('d', { wave: 1 })], status: waves(0, 1) };
    const before = outcomeOf({ ...look, after: 60 });
    assert.deepEqual([told(before), before.wakeAt], [[], T0 + 61_000]);
    assert.deepEqual(told(outcomeOf({ ...look, after: 61 })), ['c']);
  });

  test('of a wave that takes no node is open', () => {
    const plan = { maxUnavailable: 4, waves: [{ selector: 'site=nowhere' }] };
    assert.deepEqual(told(outcomeOf({ plan, fleet: [node('a')] })), ['a']);
  });

  test('that was passed is not shut again by a late word', () => {
    const fleet = [node('a', { has: NEW, says: 'underWay' }), node('b')];
    const outcome = outcomeOf({ plan: CANARY, fleet, rows, status: waves(0, 1), after: 5 });
    assert.deepEqual([told(outcome), outcome.status.waves.length], [['b'], 2]);
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

describe('too many failures', () => {
  const failing = [node('a', { has: NEW, says: 'failed' }), node('b'), node('c', { has: NEW })];
  const rows = [row('a', { toldAt: at(0) }), row('c', { toldAt: at(0) })];
  const status = waves(0);

  test('pause the rollout: no node is told, none goes back', () => {
    const outcome = outcomeOf({ fleet: failing, rows, status, after: 5 });
    assert.deepEqual([outcome.status.phase, outcome.status.reason], ['paused', 'TooManyFailures']);
    assert.equal(outcome.status.message, '1 failed, 0 may: first of them a');
    assert.deepEqual([told(outcome), acted(outcome, 'back')], [[], []]);
    assert.deepEqual([offerOf(outcome, 'b'), offerOf(outcome, 'c')], [1, 2]);
  });

  test('roll the fleet back in the same look, where the plan says so', () => {
    const plan = { onMaxFailures: 'rollback' } as const;
    const outcome = outcomeOf({ plan, fleet: failing, rows, status, after: 5 });
    assert.equal(outcome.status.phase, 'aborted');
    assert.deepEqual(acted(outcome, 'back'), ['a', 'c']);
    assert.deepEqual([offerOf(outcome, 'a'), offerOf(outcome, 'c')], [1, 1]);
  });

  test('are failures of all that were asked, however many may fail', () => {
    const fleet = [node('a', { has: NEW, says: 'failed' }), node('b')];
    const plan = { ...CANARY, maxFailures: 3 };
    const outcome = outcomeOf({ plan, fleet, rows: rows.slice(0, 1), status, after: 5 });
    assert.equal(outcome.status.phase, 'paused');
    assert.equal(outcome.status.message, '1 failed, and it is healthy nowhere');
  });

  test('are so many of the nodes of the waves that began', () => {
    const fleet = [...failing, ...Array.from({ length: 37 }, (_, i) => node(`n${i}`))];
    const plan = { maxFailures: '5%' };
    const canary = outcomeOf({
      plan: { ...plan, ...CANARY },
      fleet,
      rows: rows.slice(0, 1),
      status,
    });
    assert.equal(canary.status.phase, 'paused');
    assert.equal(outcomeOf({ plan, fleet, rows, status }).status.phase, 'progressing');
  });

  test('that were known when a person resumed the rollout count no more', () => {
    const excused = rows.map(one => ({ ...one, isExcused: one.node === 'a' }));
    const outcome = outcomeOf({ fleet: failing, rows: excused, status, after: 5 });
    assert.deepEqual([outcome.status.phase, told(outcome)], ['progressing', ['b']]);
  });

  test('that were forgiven and are over count again when they come back', () => {
    const excused = [row('a', { toldAt: at(0), isExcused: true })];
    const fleet = [node('a', { has: NEW, says: 'underWay' }), node('b')];
    const outcome = outcomeOf({ fleet, rows: excused, status, after: 5 });
    assert.equal(outcome.rows.find(one => one.node === 'a')?.isExcused, false);
  });

  test('are none that a node reports of an attempt before, or of another revision', () => {
    const former = node('a', { has: NEW, says: 'failed', isFormer: true });
    const other = node('b', { says: 'failed' });
    assert.equal(outcomeOf({ fleet: [former, other], rows, status }).status.phase, 'progressing');
  });
});

describe('a pause', () => {
  test('tells nobody, and lets those go on that were told', () => {
    const paused = { by: 'ann', at: at(1), reason: '' };
    const fleet = [node('a', { has: NEW, says: 'underWay' }), node('b')];
    const outcome = outcomeOf({ spec: { paused }, fleet, status: waves(0), after: 5 });
    assert.deepEqual([outcome.status.phase, told(outcome)], ['paused', []]);
    assert.deepEqual([offerOf(outcome, 'a'), offerOf(outcome, 'b')], [2, 1]);
    assert.match(whyOf(outcome, 'b'), /the rollout is paused/);
  });
});

describe('a revision that the root withdraws', () => {
  const fleet = [
    node('a', { has: NEW }),
    node('b'),
    node('c', { has: NEW, says: 'underWay' }),
    node('d', { offline: true }),
  ];
  const rows = [row('a', { toldAt: at(0) }), row('c', { toldAt: at(0) })];
  const withdrawn = (more: Partial<Case> = {}) =>
    outcomeOf({ fleet, rows, status: waves(0), after: 5, isWithdrawn: true, ...more });

  test('ends no rollout as if it were complete, and tells nobody', () => {
    const { status } = withdrawn({ fleet: [node('a', { has: NEW }), node('b')] });
    assert.deepEqual([status.phase, status.reason], ['paused', 'Withdrawn']);
    assert.deepEqual(told(withdrawn()), []);
  });

  test('stays where it runs; everybody else has the last completed one', () => {
    const outcome = withdrawn();
    assert.deepEqual(
      abc.map(name => offerOf(outcome, name)),
      [2, 1, 1, 1],
    );
    assert.deepEqual(acted(outcome, 'back'), ['c']);
    assert.match(whyOf(outcome, 'b'), /the root withdraws revision 2: gets revision 1/);
  });

  test('opens no gate, not by force', () => {
    const outcome = withdrawn({ plan: CANARY, spec: { forced: 1, promoted: 1 } });
    assert.equal(outcome.status.waves.length, 1);
  });

  test('that a person aborts is taken from those too where it runs, in their turn', () => {
    const aborted = { by: 'ann', at: at(1), reason: '' };
    const outcome = withdrawn({ plan: { maxUnavailable: 2 }, spec: { aborted } });
    assert.deepEqual(acted(outcome, 'back'), ['a', 'c']);
  });
});

describe('an abort', () => {
  const aborted = { aborted: { by: 'ann', at: at(1), reason: '' } };
  const abort = (fleet: readonly FleetNode[], more: Partial<Case> = {}) =>
    outcomeOf({ spec: { ...aborted, ...more.spec }, fleet, status: waves(0), after: 5 });

  test('takes the revision from whoever has not shown it to be healthy, at once', () => {
    const fleet = [
      node('a', { has: NEW, says: 'underWay' }),
      node('b', { has: NEW, of: OLD }),
      node('c', { has: NEW, says: 'failed' }),
      node('d', { has: NEW, offline: true }),
    ];
    assert.deepEqual(acted(abort(fleet), 'back'), abc);
  });

  test('takes it from those where it runs well one after the other', () => {
    const outcome = abort(fleetOf({ has: NEW }));
    assert.deepEqual(acted(outcome, 'back'), ['a']);
    assert.deepEqual([offerOf(outcome, 'a'), offerOf(outcome, 'b')], [1, 2]);
    const next = abort([node('a', { of: NEW }), ...fleetOf({ has: NEW }).slice(1)]);
    assert.deepEqual(acted(next, 'back'), []);
    const after = abort([node('a'), ...fleetOf({ has: NEW }).slice(1)]);
    assert.deepEqual(acted(after, 'back'), ['b']);
  });

  test('of a first revision takes the bundle away', () => {
    const outcome = abort([node('a', { has: NEW, says: 'underWay' })], { spec: { base: null } });
    assert.deepEqual([acted(outcome, 'back'), offerOf(outcome, 'a')], [['a'], null]);
  });

  test('is the end: it never begins with the revision again', () => {
    const phase = { ...waves(0), phase: 'aborted' } as const;
    const fleet = [
      node('a'),
      node('late', { has: null }),
      node('back', { has: named(0), offline: true }),
    ];
    const outcome = outcomeOf({ fleet, status: phase, after: 999 });
    assert.deepEqual(
      ['a', 'late', 'back'].map(name => offerOf(outcome, name)),
      [1, 1, 1],
    );
    assert.equal(outcome.status.phase, 'aborted');
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
