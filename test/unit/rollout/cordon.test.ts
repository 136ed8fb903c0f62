/** What a cordoned node is offered, and how a rollout and whoever waits for it pass without it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  progressLine,
  progressOf,
  nodeViewOf,
  verdictOf,
} from '../../../hub/cli/rollout-progress.js';
import type { ApiObject } from '../../../hub/cli/client.js';
import type { BundleApiObject } from '../../../hub/cli/bundle-write.js';
import type { NodeObject } from '../../../hub/objects.js';
import { stayingOffers } from '../../../hub/rollout/cordon.js';
import type { Candidate } from '../../../hub/rollout/rollout.js';
import { fleetNodeOf, type MemberNode } from '../../../hub/rollout/rollouts.js';
import { decide } from '../../../hub/rollout/waves/decide.js';
import type { RevisionName } from '../../../hub/rollout/waves/rollout-object.js';
import { at, BEGUN, named, NEW, OLD, specOf, T0 } from '../../support/rollout-values.js';

const OF = { namespace: 'default', name: 'shop' };
const ROOT = { denied: [] as string[], floors: {} };

function offer(of: RevisionName): Candidate {
  return { ...OF, requirements: [], held: false, ...of, limit: null, isWithdrawn: false };
}

describe('a cordoned node', () => {
  const OFFERS: readonly [string, RevisionName | null, RevisionName, readonly number[]][] = [
    ['begins with no bundle', null, NEW, []],
    ['stays at the revision that it has', OLD, NEW, [1]],
    ['keeps the newest where it has that', NEW, NEW, [2]],
    ['goes back where the rest goes back', NEW, OLD, [1]],
    ['passes over several revisions alike', OLD, named(7), [1]],
  ];
  for (const [sentence, has, offered, expected] of OFFERS) {
    test(sentence, () => {
      const assigned = has === null ? [] : [{ ...OF, ...has, attempt: 0 }];
      const offers = stayingOffers([offer(offered)], assigned, ROOT);
      assert.deepEqual(
        offers.map(({ revision, digest, size }) => ({ revision, digest, size })),
        expected.map(named),
      );
    });
  }

  test('is not offered a revision that the root withdrew as if it were good', () => {
    const root = { ...ROOT, denied: [OLD.digest] };
    const assigned = [{ ...OF, ...OLD, attempt: 0 }];
    const [stays] = stayingOffers([offer(NEW)], assigned, root);
    assert.deepEqual([stays?.revision, stays?.isWithdrawn], [1, true]);
  });

  test('loses what is not offered any more', () => {
    assert.deepEqual(stayingOffers([], [{ ...OF, ...OLD, attempt: 0 }], ROOT), []);
  });
});

function member(name: string, has: RevisionName, unschedulable: boolean): MemberNode {
  const said = { ...OF, ...has, attempt: 0, state: 'healthy', active: has.digest, failed: null };
  const object = {
    metadata: { name, labels: {} },
    spec: unschedulable ? { unschedulable } : {},
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      flotilla: { bundles: [said] },
    },
  } as unknown as NodeObject;
  return { name, labels: {}, object, assigned: [{ ...OF, ...has, attempt: 0 }], barrier: null };
}

describe('a rollout', () => {
  const outcome = (offlinePolicy: 'skip' | 'wait', ...members: readonly MemberNode[]) =>
    decide(
      { spec: specOf({ offlinePolicy }), status: BEGUN },
      {
        fleet: members.map(one => fleetNodeOf({ ...OF, digest: NEW.digest }, one)),
        rows: new Map(),
        isWithdrawn: false,
      },
      T0 + 1000,
    );

  test('does not tell a cordoned node, and says why', () => {
    const { decisions } = outcome('skip', member('in', OLD, false), member('out', OLD, true));
    const told = decisions.filter(({ action }) => action !== 'keep');
    assert.deepEqual(
      told.map(one => one.member.node.name),
      ['in'],
    );
    const out = decisions.find(one => one.member.node.name === 'out');
    assert.match(out?.reason ?? '', /cordoned: begins nothing new until `flotilla uncordon out`/);
  });

  for (const policy of ['skip', 'wait'] as const) {
    test(`is complete without it, though nodes that are away are treated by ${policy}`, () => {
      const { status } = outcome(policy, member('in', NEW, false), member('out', OLD, true));
      assert.equal(status.phase, 'completed');
    });
  }

  const WAVE = { startedAt: at(0), settledAt: null, passedAt: null };
  const ROW = { toldAt: at(0), isBack: false, isExcused: false, isReleased: false, obstacle: null };

  /** Each in its wave; the second wave is under way. */
  const inWaves = (first: MemberNode, second: MemberNode) =>
    decide(
      {
        spec: specOf({ waves: [{ nodes: 1 }, { nodes: '100%' }] }),
        status: { ...BEGUN, waves: [{ ...WAVE, passedAt: at(1) }, WAVE] },
      },
      {
        fleet: [first, second].map(one => fleetNodeOf({ ...OF, digest: NEW.digest }, one)),
        rows: new Map(
          [first, second].map(({ name }, wave) => [name, { ...ROW, node: name, wave }]),
        ),
        isWithdrawn: false,
      },
      T0 + 2000,
    ).status;

  test('passes a wave of cordoned nodes alone, once the revision is healthy somewhere', () => {
    const { phase } = inWaves(member('in', NEW, false), member('out', OLD, true));
    assert.equal(phase, 'completed');
  });

  test('that nobody but cordoned nodes could show waits', () => {
    const { phase, reason } = inWaves(member('one', OLD, true), member('two', OLD, true));
    assert.deepEqual([phase, reason], ['progressing', 'NotProven']);
  });

  test('still looks at one that was told before it was cordoned', () => {
    const node = fleetNodeOf({ ...OF, digest: NEW.digest }, member('out', NEW, true));
    assert.deepEqual([node.barrier, node.isCordoned], [null, undefined]);
  });
});

describe('who waits for a bundle', () => {
  const bundle = {
    metadata: { ...OF },
    spec: { nodeSelector: '', manifests: [] },
    status: { revision: 2, digest: NEW.digest, nodes: {} },
  } as unknown as BundleApiObject;
  const views = (...members: readonly MemberNode[]) =>
    members.map(({ object }) => nodeViewOf(object as unknown as ApiObject));

  test('does not wait for a cordoned node, and is told of it', () => {
    const nodes = views(member('in', NEW, false), member('out', OLD, true));
    const progress = progressOf(bundle, nodes);
    assert.equal(verdictOf(progress), 'healthy');
    assert.match(progressLine('shop', progress), /1 of 2 nodes healthy, 1 updated, 1 cordoned$/);
  });

  test('waits for one that begins it', () => {
    const nodes = views(member('in', OLD, false), member('out', OLD, true));
    assert.equal(verdictOf(progressOf(bundle, nodes)), 'waiting');
  });
});
