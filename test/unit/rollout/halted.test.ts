/** A rollout that does not go on, as sentences: failures, a pause, a withdrawn revision, an abort. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FleetNode } from '../../../hub/rollout/waves/stand.js';
import {
  type Case,
  outcomeOf,
  acted,
  told,
  whyOf,
  offerOf,
  waves,
  abc,
  fleetOf,
  CANARY,
} from '../../support/rollout-outcome.js';
import { at, named, NEW, node, OLD, row } from '../../support/rollout-values.js';

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
