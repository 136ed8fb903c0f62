/** The activation table, every state × every event, and what follows from it whatever happens. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../../support/properties.js';
import {
  move,
  ON_WAKING,
  PHASES,
  toldState,
  type ActivationEvent,
  type Phase,
} from '../../../agent/activation/table.js';

const EVENTS: readonly ActivationEvent[] = [
  ...(['assigned', 'fetching', 'obstacle', 'unfit', 'staged'] as const),
  ...(['pending', 'made', 'ready', 'broke', 'deadline', 'undone'] as const),
  ...(['unassigned', 'gone'] as const),
];

/** A row for each state, a column for each event, in the order of `EVENTS`; `.`: nothing changes. */
const GRID = `
none        staged . . . . . . . . . . . .
staged      staged staged waiting failed activating . . . . . . removing .
waiting     staged staged waiting failed activating . . . . . . removing .
activating  staged staged waiting failed activating activating progressing healthy failed givenUp . removing .
progressing staged staged waiting failed activating activating progressing healthy failed givenUp . removing .
healthy     staged staged waiting failed activating activating progressing healthy failed . . removing .
failed      staged staged waiting failed activating activating progressing healthy failed givenUp . removing .
givenUp     staged . . . . . . healthy . . rolledBack removing .
rolledBack  staged . . . . . . . . . . removing .
removing    staged . . . . . . . . . . . removed
removed     staged . . . . . . . . . . . .
`;

const expected = new Map(
  GRID.trim()
    .split('\n')
    .map(line => line.split(/ +/))
    .map(([phase = '', ...cells]) => [phase, cells]),
);

describe('the activation table', () => {
  test('has a row for every state', () => {
    assert.deepEqual([...PHASES].sort(), [...expected.keys()].sort());
  });

  for (const phase of PHASES) {
    test(`${phase}: every event leads where it should, or nowhere`, () => {
      const cells = EVENTS.map(event => move(phase, event)?.to ?? '.');
      assert.deepEqual(cells, expected.get(phase));
    });
  }

  test('an act goes with each change: a switch where files are to change, an undo where one is given up', () => {
    const acts = PHASES.flatMap(phase =>
      EVENTS.flatMap(event => {
        const next = move(phase, event);
        return next ? [`${event} ${next.to} ${next.act}`] : [];
      }),
    );
    assert.deepEqual([...new Set(acts)].sort(), [
      'assigned staged stage',
      'broke failed rest',
      'deadline givenUp undo',
      'fetching staged await',
      'gone removed forget',
      'made progressing watch',
      'obstacle waiting await',
      'pending activating watch',
      'ready healthy rest',
      'staged activating switch',
      'unassigned removing remove',
      'undone rolledBack switch',
      'unfit failed rest',
    ]);
  });

  test('on waking up every state has something to do, and an undo that is owed is done', () => {
    assert.deepEqual(ON_WAKING, {
      ...{ none: 'rest', staged: 'stage', waiting: 'stage', activating: 'watch' },
      ...{ progressing: 'watch', healthy: 'watch', failed: 'stage', givenUp: 'undo' },
      ...{ rolledBack: 'rest', removing: 'remove', removed: 'rest' },
    });
  });

  test('the hub is told every state but those that are none; what was given up is failed', () => {
    const silent = PHASES.filter(phase => toldState(phase) === null);
    assert.deepEqual(silent, ['none', 'removed']);
    assert.equal(toldState('givenUp'), 'failed');
  });
});

const events = fc.array(fc.constantFrom(...EVENTS), { maxLength: 60 });
const walk = (from: Phase, path: readonly ActivationEvent[]) =>
  path.reduce<Phase>((phase, event) => move(phase, event)?.to ?? phase, from);

describe('whatever happens', () => {
  test('what was given up begins again only by another revision or a raised attempt', () => {
    const others = fc.array(
      fc.constantFrom(...EVENTS.filter(event => event !== 'assigned' && event !== 'ready')),
    );
    const begun: Phase[] = ['staged', 'waiting', 'activating', 'progressing', 'healthy', 'failed'];
    fc.assert(
      fc.property(fc.constantFrom<Phase>('givenUp', 'rolledBack'), others, (from, path) => {
        assert.ok(!begun.includes(walk(from, path)));
      }),
    );
  });

  test('the newest assignment can be begun from anywhere', () => {
    fc.assert(
      fc.property(events, path => {
        assert.equal(walk('none', [...path, 'assigned']), 'staged');
      }),
    );
  });

  test('a bundle that is no longer listed goes from anywhere that it can be in', () => {
    fc.assert(
      fc.property(events, path => {
        const at = walk('none', ['assigned', ...path]);
        assert.equal(walk(at, ['unassigned', 'gone']), 'removed');
      }),
    );
  });

  test('pods are judged only of what was switched to: no pod makes a staged bundle healthy', () => {
    const pods: ActivationEvent[] = ['pending', 'made', 'ready', 'broke', 'deadline', 'undone'];
    for (const phase of ['none', 'staged', 'waiting', 'removing', 'removed'] as const)
      for (const event of pods) assert.equal(move(phase, event), null, `${phase} ${event}`);
  });
});
