/** Nodes that wait for a person, as sentences: who begins when, and what the rollout says meanwhile. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { phaseText } from '../../../hub/cli/rollout-view.js';
import { planFault, DEFAULT_PLAN } from '../../../hub/rollout/waves/plan.js';
import { viewOf } from '../../../hub/rollout/waves/view.js';
import {
  outcomeOf,
  told,
  waves,
  whyOf,
  offerOf,
  type Case,
} from '../../support/rollout-outcome.js';
import { BEGUN, NEW, node, row, specOf, T0 } from '../../support/rollout-values.js';

const plan = { updateStrategy: 'onDelete', maxUnavailable: 1 } as const;
const RELEASED = { wave: -1, isReleased: true } as const;
const look = (of: Partial<Case> = {}) =>
  outcomeOf({ plan, fleet: [node('a'), node('b')], status: waves(0), after: 5, ...of });

describe('where a person says when', () => {
  test('nobody is told until then, and the rollout says whom it waits for', () => {
    const outcome = look();
    assert.deepEqual([told(outcome), outcome.status.reason], [[], 'OnDelete']);
    assert.match(whyOf(outcome, 'a'), /keeps what it has until a person says otherwise: flotilla/);
    const { status } = outcome;
    assert.match(phaseText({ spec: specOf(plan), status }), /wave 1 of 1: waits for a person/);
    assert.deepEqual([offerOf(outcome, 'a'), outcome.wakeAt], [1, null]);
  });

  test('the node that was let go is told, and no other', () => {
    assert.deepEqual(told(look({ rows: [row('b', RELEASED)] })), ['b']);
  });

  test('those that were let go begin no more at once than may be on the way', () => {
    const rows = [row('a', RELEASED), row('b', RELEASED)];
    assert.deepEqual(told(look({ rows })), ['a']);
    assert.equal(look({ rows }).status.reason, 'Nodes');
  });

  test('it is complete when the last was let go and is well, not before', () => {
    const rows = [row('a', RELEASED), row('b', RELEASED)];
    const half = look({ rows: [row('a')], fleet: [node('a', { has: NEW }), node('b')] });
    assert.deepEqual([half.status.phase, half.status.reason], ['progressing', 'OnDelete']);
    const away = [node('a', { has: NEW }), node('b', { offline: true })];
    assert.equal(look({ rows: [row('a')], fleet: away }).status.reason, 'OnDelete');
    const all = [node('a', { has: NEW }), node('b', { has: NEW })];
    assert.equal(look({ rows, fleet: all }).status.phase, 'completed');
  });

  test('a failure ends it as ever', () => {
    const fleet = [node('a', { has: NEW, says: 'failed' }), node('b')];
    assert.equal(look({ rows: [row('a'), row('b', RELEASED)], fleet }).status.phase, 'paused');
  });

  test('a promotion lets all go', () => {
    assert.deepEqual(told(look({ spec: { promoted: 1 } })), ['a']);
  });

  test('a bundle that is new needs nobody: nothing is there that would stay', () => {
    const fleet = [node('a', { has: null }), node('b', { has: NEW, says: 'underWay' })];
    const big = { ...plan, maxUnavailable: 4 };
    assert.deepEqual(told(look({ plan: big, fleet, spec: { base: null } })), ['a']);
  });

  test('those that wait are counted by themselves, away or not', () => {
    const fleet = [node('a', { has: NEW }), node('b'), node('c', { offline: true })];
    const rollout = { spec: specOf(plan), status: { ...BEGUN, ...waves(0) } };
    const seen = { fleet, rows: new Map(), isWithdrawn: false };
    const { total } = viewOf(rollout, seen, { now: T0 + 5000, node: null });
    assert.deepEqual([total.person, total.waiting, total.away, total.healthy], [2, 0, 0, 1]);
  });

  test('there are no waves, and no other word of a person', () => {
    const fault = (change: object) => planFault({ ...DEFAULT_PLAN, ...plan, ...change });
    assert.equal(fault({}), null);
    assert.equal(fault({ waves: [{ nodes: 1 }] })?.field, 'updateStrategy');
    assert.match(
      fault({ promotion: 'manual' })?.message ?? '',
      /one wave of 100%, and with promotion automatic/,
    );
  });
});
