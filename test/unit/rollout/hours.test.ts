/** Windows of waves, as sentences: when a wave begins, takes nodes, and what it says while it may not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { phaseText } from '../../../hub/cli/rollout-view.js';
import { outcomeOf, told, waves, whyOf, type Case } from '../../support/rollout-outcome.js';
import { at, NEW, node, row, specOf, T0 } from '../../support/rollout-values.js';

/** Open from 02:00 to 03:00; the rollout begins at 00:00. */
const NIGHT = [{ schedule: '0 2 * * *', duration: '1h', timeZone: 'UTC' }];
const HOUR = 3600;
const REST = { nodes: '100%', windows: NIGHT } as const;
/** A canary at any time, and the rest by night. */
const plan = { waves: [{ nodes: 1 }, REST], maxUnavailable: 4 };

describe('a wave with a window', () => {
  const rows = [row('a', { toldAt: at(0) })];
  const well = [node('a', { has: NEW }), node('b'), node('c')];
  const next = (of: Partial<Case> = {}) =>
    outcomeOf({ plan, fleet: well, rows, status: waves(0), after: HOUR, ...of });

  test('does not begin before it opens, says when that is, and wakes then', () => {
    const outcome = next();
    const { reason, message, waves: begun } = outcome.status;
    assert.deepEqual([told(outcome), reason, begun.length], [[], 'Window', 1]);
    assert.equal(begun[0]?.passedAt, null);
    assert.equal(message, 'wave 2 of 2 (100%) takes nodes from 2026-06-01T02:00:00Z on');
    assert.match(whyOf(outcome, 'b'), /^its wave has not begun: wave 2 of 2 \(100%\) takes nodes/);
    assert.equal(outcome.wakeAt, T0 + 2 * HOUR * 1000);
    const text = phaseText({ spec: specOf(plan), status: outcome.status });
    assert.match(text, /^progressing: wave 2 of 2 \(100%\) takes nodes from 2026-06-01T02:00:00Z/);
  });

  test('begins when it opens', () => {
    const outcome = next({ after: 2 * HOUR });
    assert.deepEqual([told(outcome), outcome.status.waves.length], [['b', 'c'], 2]);
  });

  test('waits for its gate while it is open', () => {
    const fleet = [node('a', { has: NEW, says: 'underWay' }), node('b')];
    const outcome = next({ fleet, after: 2 * HOUR });
    assert.deepEqual([told(outcome), outcome.status.reason], [[], 'Nodes']);
  });

  test('does not begin when a node of the one before is well no more by then', () => {
    const { status } = next();
    const fleet = [node('a', { has: NEW, says: 'failed' }), node('b')];
    const outcome = next({ fleet, status, after: 2 * HOUR });
    assert.deepEqual([told(outcome), outcome.status.phase], [[], 'paused']);
  });

  test('bakes and is promoted by day, and begins by night', () => {
    const byHand = { ...plan, promotion: 'manual' } as const;
    assert.equal(next({ plan: byHand }).status.reason, 'Promotion');
    const promoted = next({ plan: byHand, spec: { promoted: 1 } });
    assert.deepEqual([told(promoted), promoted.status.reason], [[], 'Window']);
    assert.equal(next({ plan: { ...plan, bakeSeconds: 2 * HOUR } }).status.reason, 'Bake');
  });

  test('begins at once when a person forces the one before', () => {
    assert.deepEqual(told(next({ spec: { forced: 1 } })), ['b', 'c']);
  });

  test('takes no more nodes once it is closed; who was told goes on', () => {
    const fleet = [node('a', { has: NEW }), node('b', { has: NEW, says: 'underWay' }), node('c')];
    const look = { fleet, rows: [...rows, row('b', { wave: 1 })], status: waves(0, 2 * HOUR) };
    const outcome = next({ ...look, after: 3 * HOUR });
    assert.deepEqual([told(outcome), outcome.status.reason], [[], 'Nodes']);
    assert.equal(
      whyOf(outcome, 'c'),
      'waits for its turn: wave 2 of 2 (100%) takes nodes from 2026-06-02T02:00:00Z on',
    );
    assert.equal(outcome.wakeAt, T0 + 26 * HOUR * 1000);
    const done = [node('a', { has: NEW }), node('b', { has: NEW }), node('c')];
    const later = next({ ...look, fleet: done, after: 3 * HOUR });
    assert.deepEqual([told(later), later.status.reason], [[], 'Window']);
    assert.deepEqual(told(next({ ...look, fleet: done, after: 26 * HOUR })), ['c']);
  });

  test('is the first: nobody is told before it opens, but for force', () => {
    const first = { waves: [{ nodes: 1, windows: NIGHT }], maxUnavailable: 4 };
    const fleet = [node('a'), node('b')];
    const before = outcomeOf({ plan: first, fleet, after: HOUR });
    assert.deepEqual([told(before), before.status.waves], [[], []]);
    assert.equal(before.wakeAt, T0 + 2 * HOUR * 1000);
    assert.equal(told(outcomeOf({ plan: first, fleet, after: 2 * HOUR })).length, 1);
    const forced = outcomeOf({ plan: first, spec: { forced: 1 }, fleet, after: HOUR });
    assert.equal(told(forced).length, 1);
  });

  test('goes by any of its windows', () => {
    const noon = { schedule: '0 12 * * *', duration: '1h', timeZone: 'UTC' };
    const both = { ...plan, waves: [{ nodes: 1 }, { ...REST, windows: [...NIGHT, noon] }] };
    assert.deepEqual(told(next({ plan: both, after: 12 * HOUR })), ['b', 'c']);
  });

  test('holds no node on its way back', () => {
    const fleet = [node('a', { has: NEW }), node('b', { has: NEW, says: 'underWay' })];
    const aborted = { by: 'ann', at: at(HOUR), reason: '' };
    const outcome = next({ fleet, spec: { aborted }, status: waves(0, 1) });
    const back = outcome.decisions.filter(one => one.action === 'back');
    assert.equal(back.length, 2);
  });

  test('goes by the clocks of its zone', () => {
    const windows = [{ ...NIGHT[0], timeZone: 'Europe/Berlin' }] as typeof NIGHT;
    const outcome = next({
      plan: { ...plan, waves: [{ nodes: 1 }, { ...REST, windows }] },
      after: 0,
    });
    assert.deepEqual(told(outcome), ['b', 'c']);
  });
});
