/** Whether the hub goes on looking at the fleet for every word of a node; and who may speak on a rollout when. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NodeObject } from '../../../hub/objects.js';
import { gatedRollouts } from '../../../hub/recovery/gate.js';
import type { RolloutDesk } from '../../../hub/rollout/desk.js';
import type { Candidate } from '../../../hub/rollout/rollout.js';
import { Places } from '../../../hub/rollout/reach.js';
import {
  fleetOf,
  lookAt,
  standingOffers,
  type MemberNode,
  type OpenRollout,
} from '../../../hub/rollout/rollouts.js';
import type { RolloutObject, RolloutStatus } from '../../../hub/rollout/waves/rollout-object.js';
import type { Store } from '../../../hub/store/store.js';
import { at, BEGUN, NEW, OLD, specOf, T0 } from '../../support/rollout-values.js';

const ROOT = { denied: [] as string[], floors: {} };
const WAVE = { startedAt: at(0), settledAt: null, passedAt: null };

function openAs(change: Partial<RolloutStatus>, isWithdrawn = false): OpenRollout {
  const candidate: Candidate = {
    ...{ namespace: 'default', name: 'shop', requirements: [], held: false },
    ...{ ...NEW, limit: null, isWithdrawn },
  };
  const object = {
    kind: 'Rollout',
    metadata: { namespace: 'default', name: 'shop' },
    spec: specOf(),
    status: { ...BEGUN, waves: [WAVE], ...change },
  } as unknown as RolloutObject;
  return { candidate, object, rows: new Map(), baseLimit: null };
}

/** It runs what it is assigned, and is healthy. */
function member(name: string, has: typeof OLD): MemberNode {
  const said = { namespace: 'default', name: 'shop', ...has, attempt: 0, state: 'healthy' };
  const object = {
    spec: {},
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      flotilla: { bundles: [{ ...said, active: has.digest, failed: null }] },
    },
  } as unknown as NodeObject;
  const assigned = [{ namespace: 'default', name: 'shop', ...has, attempt: 0 }];
  return { name, labels: {}, object, assigned, barrier: null };
}

describe('the hub looks at the fleet for each word of a node', () => {
  const isOpen = (change: Partial<RolloutStatus>, ...members: MemberNode[]) =>
    lookAt([openAs(change)], members, { root: ROOT, now: T0 }).isOpen;

  test('while a rollout goes on, or an aborted one is still to go back somewhere', () => {
    assert.equal(isOpen({}, member('a', OLD)), true);
    assert.equal(isOpen({ phase: 'aborted' }, member('a', NEW)), true);
  });

  test('and no more when it is paused, complete, or back everywhere', () => {
    assert.equal(isOpen({ phase: 'paused' }, member('a', OLD)), false);
    assert.equal(isOpen({ phase: 'aborted' }, member('a', OLD)), false);
    assert.equal(isOpen({}, member('a', NEW)), false);
  });
});

describe('a node whose assignment could not be written', () => {
  test('keeps its membership, and was not told', () => {
    const open = openAs({ waves: [] });
    const plan = specOf({ waves: [{ nodes: 1 }] });
    const rollout = { ...open, object: { ...open.object, spec: plan } };
    const look = lookAt([rollout], [member('a', OLD), member('b', OLD)], { root: ROOT, now: T0 });
    const rowsOf = (written: string[]) =>
      look
        .mutations(new Set(written))
        .flatMap(one => (one.type === 'rolloutNode' ? [one.record] : []));
    assert.deepEqual(
      rowsOf([]).map(({ wave, toldAt }) => [wave, toldAt]),
      [[0, null]],
    );
    const [told] = rowsOf(['a', 'b']);
    assert.ok(told?.toldAt);
  });
});

describe('between two looks', () => {
  test('a node that does not run a withdrawn revision is offered the former one', () => {
    const rollout = openAs({}, true);
    const offered = (one: MemberNode) =>
      standingOffers([rollout], one, ROOT)([rollout.candidate]).map(c => c.revision);
    const waiting = { ...member('a', OLD), assigned: member('a', NEW).assigned };
    assert.deepEqual([offered(waiting), offered(member('b', NEW))], [[1], [2]]);
  });
});

describe('the former revision', () => {
  test('is not bound by the number of nodes that the newest may reach', () => {
    const open = openAs({});
    const candidate = { ...open.candidate, limit: {} as Candidate['limit'] };
    const [offer] = standingOffers([{ ...open, candidate }], member('a', OLD), ROOT)([candidate]);
    assert.deepEqual([offer?.revision, offer?.limit], [1, null]);
  });
});

describe('a place of a bundle whose number of nodes is limited', () => {
  test('is not taken for a node that gets nothing', () => {
    const limit = { mostFor: () => 1 };
    const candidate = { ...openAs({}).candidate, limit };
    const clone = { ...member('a', OLD), barrier: 'CloneSuspected: gets nothing new' };
    const places = new Places(limit, []);
    const hasPlace = (_: Candidate, node: string) => places.take(node, {});
    const fleet = fleetOf(candidate, [clone, member('b', OLD), member('c', OLD)], hasPlace);
    assert.deepEqual(
      fleet.map(({ name, barrier }) => [name, barrier]),
      [
        ['a', 'CloneSuspected: gets nothing new'],
        ['b', null],
        ['c', 'the release keys that signed it reach no more nodes'],
      ],
    );
    assert.deepEqual(places.refused(), ['c']);
  });
});

describe('a word on a rollout', () => {
  test('waits while a restored hub learns; looking does not', async () => {
    const desk = { say: () => 'said', view: () => 'seen' } as unknown as RolloutDesk;
    const store = {
      recovery: () => Promise.resolve({ learning: true }),
      unheard: () => Promise.resolve(['edge-1']),
    } as unknown as Store;
    const gated = gatedRollouts(desk, store);
    const word = { namespace: 'default', name: 'shop', verb: 'pause', reason: '' } as const;
    const actor = { kind: 'user', name: 'ann' } as const;
    await assert.rejects(
      gated.say(actor, { ...word, isForced: false, seen: null }),
      /still learns what/,
    );
    assert.equal(await gated.view({ namespace: 'default', name: 'shop', node: null }), 'seen');
  });
});
