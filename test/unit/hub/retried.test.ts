/** A revision that is tried again is not judged by what the node said of the attempt before. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeViewOf, progressOf, verdictOf } from '../../../hub/cli/rollout-progress.js';
import type { BundleAttempt, BundleObject, NodeObject } from '../../../hub/objects.js';
import { isRetried, stillRetried, withRetried } from '../../../hub/rollout/retried.js';
import { rollUp } from '../../../hub/rollout/rollout.js';
import type { BundleStatus } from '../../../protocol/documents/node.js';

const DIGEST = 'd'.repeat(64);
const of = { namespace: 'default', name: 'shop', digest: DIGEST };
const given: BundleAttempt = { ...of, attempt: 2 };

const bundle = {
  kind: 'Bundle',
  metadata: { namespace: 'default', name: 'shop' },
  spec: { nodeSelector: '', manifests: [] },
  status: { revision: 6, digest: DIGEST, nodes: {} },
} as unknown as BundleObject;

const SAID: readonly [string, Partial<BundleStatus>, boolean][] = [
  ['the attempt before', { attempt: 1, state: 'rolledBack' }, true],
  ['this attempt', { attempt: 2, state: 'progressing' }, false],
  ['a later attempt', { attempt: 3, state: 'healthy' }, false],
  ['another revision', { attempt: 0, digest: 'e'.repeat(64), state: 'healthy' }, false],
  ['another bundle', { attempt: 1, name: 'bar', state: 'rolledBack' }, false],
];

describe('an attempt that was given', () => {
  for (const [what, said, isAwaited] of SAID) {
    const word = isAwaited ? 'is still to be taken up' : 'is not waited for any more';
    test(`${word} when the node speaks of ${what}`, () => {
      const bundles = [{ ...of, attempt: 0, ...said }];
      assert.deepEqual(stillRetried([given], bundles), isAwaited ? [given] : []);
    });
  }

  test('takes the place of an earlier one, and of no other revision’s', () => {
    const other = { ...given, digest: 'e'.repeat(64) };
    assert.deepEqual(withRetried([{ ...given, attempt: 1 }, other], given), [other, given]);
    assert.deepEqual(withRetried(undefined, given), [given]);
    assert.equal(isRetried([other], of), false);
  });
});

describe('a rollout with nodes that wait for a window', () => {
  const node = (name: string, more: object = {}) =>
    ({
      metadata: { name, labels: {} },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        flotilla: {
          bundles: [{ ...of, revision: 7, attempt: 0, active: null, state: 'waiting', ...more }],
        },
      },
    }) as unknown as NodeObject;
  const window = (opensAt?: string) => ({ reason: 'Window', ...(opensAt ? { opensAt } : {}) });

  test('says how many, and when the first opens', () => {
    const nodes = [
      node('a', window('2026-06-02T03:00:00.000Z')),
      node('b', window('2026-06-01T03:00:00.000Z')),
      node('c', window()),
      node('d', { reason: 'PullingImage' }),
    ];
    assert.deepEqual(rollUp(bundle, nodes).waiting, {
      ...{ nodes: 3, opensAt: '2026-06-01T03:00:00.000Z' },
    });
    assert.deepEqual(rollUp(bundle, [node('c', window())]).waiting, { nodes: 1, opensAt: null });
    assert.equal(rollUp(bundle, [node('d', { reason: 'PullingImage' })]).waiting, undefined);
    assert.equal(rollUp(bundle, [node('e', { reason: 'Held' }), ...nodes]).held, 1);
  });
});

describe('a rollout with a node that gave up', () => {
  const node = (retried?: readonly BundleAttempt[]) => {
    const failed = { ...of, revision: 6, attempt: 1, active: 'a'.repeat(64), state: 'rolledBack' };
    return {
      metadata: { name: 'edge-1', labels: {} },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        flotilla: { bundles: [failed], ...(retried ? { retried } : {}) },
      },
    } as unknown as NodeObject;
  };
  const progress = (of: NodeObject) => progressOf(bundle, [nodeViewOf(of)]);

  test('has failed, and is counted so', () => {
    assert.equal(verdictOf(progress(node())), 'failed');
    assert.equal(rollUp(bundle, [node()]).nodes.failed, 1);
  });

  test('is waited for as soon as it is to try again, before it said anything', () => {
    const { open, failed } = progress(node([given]));
    assert.deepEqual([open, failed], [[{ node: 'edge-1', text: 'is to try it again' }], 0]);
    assert.equal(verdictOf(progress(node([given]))), 'waiting');
    assert.equal(rollUp(bundle, [node([given])]).nodes.failed, 0);
  });
});
