/** What a person is told to do when the wait for a rollout is over and nothing failed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { windowHold } from '../../../agent/activation/windows.js';
import { lateHint } from '../../../hub/cli/rollout-late.js';
import type { RolloutView } from '../../../hub/cli/rollout-view.js';

type Rollout = Pick<RolloutView, 'status' | 'total'>;

const night = { schedule: '0 2 * * *', duration: '1h', timeZone: 'UTC' };
const noon = { schedule: '0 12 * * *', duration: '1h', timeZone: 'UTC' };
const hold = windowHold({ bundle: [night], own: [noon] }, { now: 0, isKnown: true });

/** In the words of a node itself. */
const NEVER = { node: 'edge-1', text: `waiting (Window: ${hold?.message})` };
const SOON = { node: 'edge-2', text: 'waiting (Window: its maintenance window opens at 3)' };

function rolloutOf(
  reason: Rollout['status']['reason'],
  {
    phase = 'progressing',
    ...stands
  }: Partial<Rollout['total']> & { phase?: 'progressing' | 'paused' },
): Rollout {
  const none = { healthy: 0, failed: 0, unknown: 0, aside: 0, underWay: 0, window: 0 };
  const total = {
    nodes: 3,
    ...none,
    obstructed: 0,
    silent: 0,
    person: 0,
    waiting: 0,
    away: 0,
    ...stands,
  };
  return { status: { phase, reason, message: '', since: '', waves: [] }, total };
}

const ITSELF =
  /^it goes on by itself; look again with `flotilla rollout status bundle\/shop -n till`$/;
const PROMOTE = /person says so: `flotilla rollout promote bundle\/shop -n till`$/;
const OTHER = /--window\), or `flotilla rollout activate bundle\/shop -n till --now`$/;

const ROWS: readonly (readonly [string, (typeof NEVER)[], Rollout | null, RegExp])[] = [
  ['nodes fetch it', [{ node: 'edge-1', text: 'offline' }], null, ITSELF],
  ['the windows open some day', [SOON], null, ITSELF],
  ['the windows are never open together', [NEVER], null, OTHER],
  ['they are at one node, and another goes on', [NEVER, SOON], null, ITSELF],
  ['a wave waits for its nodes', [], rolloutOf('Nodes', { underWay: 1 }), ITSELF],
  ['a wave bakes', [], rolloutOf('Bake', { healthy: 1 }), ITSELF],
  ['a wave waits to be promoted', [], rolloutOf('Promotion', { healthy: 1 }), PROMOTE],
  ['a wave is shut out for ever', [NEVER], rolloutOf('Nodes', { window: 1, waiting: 2 }), OTHER],
  ['one of a wave goes on', [NEVER], rolloutOf('Nodes', { window: 1, underWay: 1 }), ITSELF],
  ['one of a wave has its hour', [NEVER, SOON], rolloutOf('Nodes', { window: 2 }), ITSELF],
];

describe('a rollout that takes longer than somebody waits', () => {
  for (const [sentence, open, rollout, expected] of ROWS) {
    test(`where ${sentence}: ${expected.source}`, () => {
      const late = { name: 'shop', namespace: 'till', progress: { open }, rollout };
      assert.match(lateHint(late), expected);
    });
  }
});
