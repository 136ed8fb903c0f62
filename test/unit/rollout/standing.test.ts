/** What `get bundles` and `rollout status` say of a rollout in each of its phases: no two phases look alike. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BUNDLE_TABLE } from '../../../hub/api/tables/own-kinds.js';
import { waveLines } from '../../../hub/cli/rollout-view.js';
import type { BundleObject, NodeObject } from '../../../hub/objects.js';
import { rollUp } from '../../../hub/rollout/rollout.js';
import type { RolloutSpec, RolloutStatus } from '../../../hub/rollout/waves/rollout-object.js';
import { viewOf } from '../../../hub/rollout/waves/view.js';
import { at, BEGUN, NEW, node, OLD, row, specOf, T0 } from '../../support/rollout-values.js';

const WAVE = { startedAt: at(0), settledAt: null, passedAt: null };
const PLAN = { waves: [{ nodes: 1 }] };
const UNDER_WAY: RolloutStatus = { ...BEGUN, waves: [WAVE] };

const metadata = { namespace: 'default', name: 'shop', annotations: {}, labels: {} };
const bundle = {
  ...{ kind: 'Bundle', metadata, spec: { nodeSelector: '', manifests: [] } },
  status: { revision: NEW.revision, digest: NEW.digest },
} as unknown as BundleObject;

/** What the one node says of the revision, and whether it is connected. */
interface Saying {
  readonly state?: string;
  readonly reason?: string;
  readonly of?: typeof NEW;
  readonly isAway?: boolean;
}

function nodeSaying({ state = 'healthy', reason = 'ContainersSettled', of = NEW, isAway }: Saying) {
  const { revision, digest } = of;
  const said = { namespace: 'default', name: 'shop', revision, digest, active: digest };
  const conditions = [{ type: 'Ready', status: isAway === true ? 'Unknown' : 'True' }];
  const bundles = [{ ...said, state, reason, message: '', attempt: 0 }];
  const flotilla = { bundles, retried: [] };
  return { metadata: { name: 'a', labels: {} }, status: { conditions, flotilla } };
}

const ROWS: readonly [string, Partial<RolloutStatus> | null, Saying, string][] = [
  ['that went to all at once and is healthy', null, {}, 'Active'],
  ['that went to all at once and is not healthy yet', null, { state: 'staged' }, 'Progressing'],
  ['that a node has not spoken of, which has another', null, { of: OLD }, 'Progressing'],
  ['under way', {}, {}, 'Progressing (wave 1/2)'],
  ['not begun yet', { waves: [] }, { of: OLD }, 'Progressing (wave 1/2)'],
  [
    'that waits for a person',
    { reason: 'Promotion' },
    {},
    'Progressing (wave 1/2, to be promoted)',
  ],
  ['paused by a person', { phase: 'paused', reason: 'Person' }, {}, 'Paused (wave 1/2)'],
  [
    'paused by failures says them too',
    { phase: 'paused', reason: 'TooManyFailures' },
    { state: 'failed', reason: 'PodFailed' },
    'Paused (wave 1/2), failed on 1 node',
  ],
  [
    'that waits for a window',
    {},
    { state: 'waiting', reason: 'Window' },
    'Progressing (wave 1/2), window',
  ],
  ['aborted while a node has it', { phase: 'aborted', reason: 'Person' }, {}, 'RollingBack'],
  ['aborted, and nobody has it', { phase: 'aborted', reason: 'Person' }, { of: OLD }, 'Aborted'],
  [
    'aborted, and who had it is away: nothing goes back now',
    { phase: 'aborted', reason: 'Person' },
    { isAway: true },
    'Aborted',
  ],
  ['complete', { phase: 'completed', reason: 'Done' }, {}, 'Complete'],
  [
    'complete, and a node fails since',
    { phase: 'completed', reason: 'Done' },
    { state: 'failed', reason: 'PodFailed' },
    'Complete, failed on 1 node',
  ],
];

describe('get bundles: a revision', () => {
  const column = BUNDLE_TABLE.columns.findIndex(({ name }) => name === 'Status');
  for (const [sentence, change, saying, expected] of ROWS) {
    test(sentence, () => {
      const rollout =
        change === null ? null : { spec: specOf(PLAN), status: { ...UNDER_WAY, ...change } };
      const nodes = [nodeSaying(saying)] as unknown as NodeObject[];
      const status = rollUp(bundle, nodes, rollout);
      const object = { ...bundle, status } as unknown as Parameters<typeof BUNDLE_TABLE.cells>[0];
      assert.equal(BUNDLE_TABLE.cells(object, T0)[column], expected);
    });
  }

  test('is not told of by the Rollout of another', () => {
    const rollout = { spec: specOf(PLAN, { to: OLD }), status: UNDER_WAY };
    assert.equal(rollUp(bundle, [], rollout).rollout, undefined);
  });
});

describe('rollout status: the waves of what was aborted', () => {
  const spec: RolloutSpec = specOf(PLAN, { aborted: { by: 'ann', at: at(9), reason: '' } });
  const status: RolloutStatus = { ...UNDER_WAY, phase: 'aborted', reason: 'Person' };
  const lines = (has: typeof NEW) => {
    const fleet = [node('a', { has, says: has === NEW ? 'failed' : 'healthy' }), node('b')];
    const rows = new Map([['a', row('a', { toldAt: at(1) })]]);
    return waveLines(
      viewOf({ spec, status }, { fleet, rows, isWithdrawn: false }, { now: T0, node: null }),
    );
  };

  test('go back while a node is still to have it', () => {
    assert.deepEqual(lines(NEW), [
      '  wave 1 of 2 (1 node): going back; 0 of 1 healthy, 1 failed',
      '  wave 2 of 2 (100%): did not begin',
    ]);
  });
  test('are sent back when none is', () => {
    assert.equal(lines(OLD)[0], '  wave 1 of 2 (1 node): sent back; 0 of 1 healthy, 1 without it');
  });
});
