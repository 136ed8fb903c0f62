/** What nodes say of a revision beside healthy and failed: counted apart, told apart, and what a wait for the rollout makes of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BUNDLE_TABLE } from '../../../hub/api/tables/own-kinds.js';
import {
  mendHint,
  obstacleLines,
  progressLine,
  progressOf,
} from '../../../hub/cli/rollout-progress.js';
import { nodeViewOf, verdictOf, type Verdict } from '../../../hub/cli/rollout-progress.js';
import type { ApiObject } from '../../../hub/cli/client.js';
import type { BundleObject, NodeObject } from '../../../hub/objects.js';
import { rollUp } from '../../../hub/rollout/rollout.js';

const DIGEST = 'd'.repeat(64);
const NOW = Date.parse('2026-01-01T00:00:00Z');
const BUNDLE = {
  kind: 'Bundle',
  metadata: { namespace: 'default', name: 'shop', annotations: {} },
  spec: { nodeSelector: '', manifests: [] },
  status: { revision: 2, digest: DIGEST, nodes: {} },
};

/** `state reason` of each node. */
function nodes(said: readonly string[]) {
  return said.map((text, i) => {
    const [state, reason] = text.split(' ');
    const own = { namespace: 'default', name: 'shop', revision: 2, digest: DIGEST, attempt: 0 };
    const flotilla = { bundles: [{ ...own, state, reason, message: 'why', active: null }] };
    const conditions = [
      { type: 'Ready', status: 'True' },
      { type: 'Enrolled', status: 'True' },
    ];
    return { metadata: { name: `n${i}`, labels: {} }, status: { conditions, flotilla } };
  });
}

const ROWS: readonly {
  readonly sentence: string;
  readonly said: readonly string[];
  readonly status: string;
  readonly failed: number;
  readonly verdict: Verdict;
}[] = [
  {
    sentence: 'healthy everywhere: Active',
    said: ['healthy ContainersSettled'],
    ...{ status: 'Active', failed: 0, verdict: 'healthy' },
  },
  {
    sentence: 'on its way: Progressing',
    said: ['progressing ContainersPending', 'staged Fetching'],
    ...{ status: 'Progressing', failed: 0, verdict: 'waiting' },
  },
  {
    sentence: 'healthy here and on its way there: Progressing',
    said: ['healthy ContainersSettled', 'activating PodsPending'],
    ...{ status: 'Progressing', failed: 0, verdict: 'waiting' },
  },
  {
    sentence: 'without room for it on a node: Waiting',
    said: ['healthy ContainersSettled', 'waiting DiskPressure'],
    ...{ status: 'Waiting on 1 node', failed: 0, verdict: 'waiting' },
  },
  {
    sentence: 'failed, whether it gave way or not',
    said: ['failed Policy', 'rolledBack PodFailed', 'healthy ContainersSettled'],
    ...{ status: 'Failed on 2 nodes', failed: 2, verdict: 'failed' },
  },
  {
    sentence: 'undone by a person: no failure, and nothing left to wait for',
    said: ['rolledBack UndoneAtDevice', 'healthy ContainersSettled'],
    ...{ status: 'Undone on 1 node', failed: 0, verdict: 'failed' },
  },
  {
    sentence: 'undone, and awaits what it goes back to',
    said: ['failed UndoneAtDevice'],
    ...{ status: 'Undone on 1 node', failed: 0, verdict: 'failed' },
  },
  {
    sentence: 'waits for an image: it may go on at any time',
    said: ['waiting PullingImage', 'waiting Conflict'],
    ...{ status: 'Waiting on 2 nodes', failed: 0, verdict: 'waiting' },
  },
  {
    sentence: 'kept waiting by a pod: as long as that asks for time',
    said: ['waiting Locked', 'healthy ContainersSettled'],
    ...{ status: 'Locked on 1 node', failed: 0, verdict: 'waiting' },
  },
  {
    sentence: 'not begun with because a node could not go back: until it can',
    said: ['waiting NotUndoReady', 'waiting NotUndoReady'],
    ...{ status: 'Not undo-ready on 2 nodes', failed: 0, verdict: 'waiting' },
  },
  {
    sentence: 'kept waiting by a window here and by a person there: both are counted',
    said: ['waiting Window', 'waiting Held'],
    ...{ status: 'Held on 1 node, window on 1 node', failed: 0, verdict: 'waiting' },
  },
  {
    sentence: 'several at once: each with its count',
    said: ['failed Policy', 'waiting Held', 'waiting ErrImagePull', 'rolledBack UndoneAtDevice'],
    status: 'Failed on 1 node, undone on 1 node, held on 1 node, waiting on 1 node',
    ...{ failed: 1, verdict: 'waiting' },
  },
  {
    sentence: 'nobody knows: not healthy, not failed, and the wait ends with that',
    said: ['activating HealthUnknown', 'healthy ContainersSettled'],
    ...{ status: 'Unknown on 1 node', failed: 0, verdict: 'unknown' },
  },
  {
    sentence: 'nobody knows of one and another is on its way',
    said: ['activating HealthUnknown', 'activating PodsPending'],
    ...{ status: 'Unknown on 1 node', failed: 0, verdict: 'waiting' },
  },
];

describe('a bundle that is', () => {
  for (const { sentence, said, status, failed, verdict } of ROWS) {
    test(sentence, () => {
      const fleet = nodes(said);
      const counted = rollUp(
        BUNDLE as unknown as BundleObject,
        fleet as unknown as readonly NodeObject[],
      );
      const at = BUNDLE_TABLE.columns.findIndex(({ name }) => name === 'Status');
      const object = { ...BUNDLE, status: counted } as unknown as Parameters<
        typeof BUNDLE_TABLE.cells
      >[0];
      assert.equal(BUNDLE_TABLE.cells(object, NOW)[at], status);
      assert.equal(counted.nodes.failed, failed);
      const progress = progressOf(
        BUNDLE as unknown as Parameters<typeof progressOf>[0],
        fleet.map(node => nodeViewOf(node as unknown as ApiObject)),
      );
      assert.equal(verdictOf(progress), verdict);
      assert.equal(progress.failed, failed);
    });
  }

  test('undone by hand alone names the word that takes it back, and what failed does not', () => {
    const hint = (failed: number, undone: number) =>
      mendHint({ failed, undone }, { name: 'shop', namespace: 'default' });
    assert.match(hint(0, 1), /^at the device flotilla-agent redo shop takes it back; or apply/);
    assert.match(hint(1, 1), /^apply a mended revision, or .* rollout retry bundle\/shop/);
    assert.match(hint(1, 0), /^apply a mended revision/);
  });

  test('undone is named with who did it, apart from what failed', () => {
    const said = ['rolledBack UndoneAtDevice', 'failed Policy'];
    const progress = progressOf(
      BUNDLE as unknown as Parameters<typeof progressOf>[0],
      nodes(said).map(node => nodeViewOf(node as unknown as ApiObject)),
    );
    assert.deepEqual(obstacleLines(progress).sort(), [
      '  failed on n1: Policy: why',
      '  undone on n0: UndoneAtDevice: why',
    ]);
    assert.equal(
      progressLine('shop', progress),
      'bundle/shop revision 2: 0 of 2 nodes healthy, 0 updated, 1 failed, 1 undone at the device',
    );
  });
});
