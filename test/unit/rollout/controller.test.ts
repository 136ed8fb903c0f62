/**
 * The controller on the real store: decisions become rows, assignments and messages in one transaction, whoever is killed or speaks in
 * between. Nodes are what they report: the test writes their words as the ingest does.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BundleObject } from '../../../hub/objects.js';
import { HELD_ANNOTATION } from '../../../hub/recovery/held-annotation.js';
import { bundleWriter } from '../../../hub/rollout/apply.js';
import { BUNDLES_MAX } from '../../../hub/rollout/director.js';
import { nodeWriter } from '../../../hub/rollout/remove-node.js';
import type { Actor, Mutation, Store } from '../../../hub/store/store.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { FLEET, RELEASE, trustedRoot } from '../../support/fleet.js';
import {
  ADMIN,
  CANARY,
  eachOnSettledHub,
  type RolloutHub,
  podOf,
} from '../../support/rollout-hub.js';

describe('a rollout in waves on the store', () => {
  let hub: RolloutHub;
  eachOnSettledHub(settled => (hub = settled));

  test('gives the canary the revision, then the rest, and completes', async () => {
    await hub.apply('web:2', CANARY);
    await hub.has(2, 1, 1);
    await hub.says('a', 'healthy');
    await hub.has(2, 2, 2);
    await hub.says('b', 'healthy');
    await hub.says('c', 'healthy');
    await hub.phase('completed');
  });

  test('of a revision that a restored hub learned from its canary begins again with the waves', async () => {
    await hub.apply('web:2', CANARY);
    await hub.has(2, 1, 1);
    const { kind, metadata, spec, status } = (await hub.store.get(
      'Bundle',
      'default',
      'shop',
    )) as BundleObject;
    const { namespace, name, labels } = metadata;
    const annotations = { [HELD_ANNOTATION]: '2026-08-01T12:00:00.000Z' };
    await hub.store.commit(ADMIN, [
      { type: 'delete', kind: 'Rollout', namespace, name },
      { type: 'dropRolloutNodes', namespace, bundle: name },
      {
        type: 'put',
        object: { kind, metadata: { namespace, name, labels, annotations }, spec, status },
        expect: 'any',
      },
    ]);
    await hub.apply('web:2', CANARY);
    await hub.phase('progressing');
    assert.equal((await hub.rollout())?.spec.base?.revision, 1);
    await hub.has(2, 1, 1);
    await hub.says('a', 'healthy');
    await hub.has(2, 2, 2);
    assert.equal((await hub.rollout())?.spec.to.revision, 2, 'no new revision');
  });

  test('a node that is removed has no place in it any more', async () => {
    await hub.apply('web:2', CANARY);
    await hub.has(2, 1, 1);
    const { store } = hub;
    const writer = nodeWriter({ store, fleet: FLEET, disconnect: () => undefined });
    await writer.remove(ADMIN, { name: 'a', dryRun: false });
    assert.deepEqual(await store.rolloutNodes('default', 'shop'), []);
  });

  test('writes the row, the assignment and the message of a node in one transaction', async () => {
    await hub.controller?.close();
    const commits: string[][] = [];
    const { store } = hub;
    hub.store = new Proxy(store, {
      get: (_, name: keyof Store) =>
        name === 'commit'
          ? (actor: Actor, mutations: readonly Mutation[]) => {
              commits.push(mutations.map(one => (one.type === 'put' ? one.object.kind : one.type)));
              return store.commit(actor, mutations);
            }
          : (store[name] as () => unknown).bind(store),
    });
    hub.start();
    await hub.apply('web:2', CANARY);
    await hub.has(2, 1, 1);
    const told = commits.filter(types => types.includes('rolloutNode'));
    assert.deepEqual(told, [['Rollout', 'rolloutNode', 'decision', 'assignment', 'publish']]);
    const [row] = await hub.store.rolloutNodes('default', 'shop');
    assert.deepEqual([row?.node, row?.wave, row?.isBack], ['a', 0, false]);
    assert.ok(row?.toldAt);
    const object = await hub.rollout();
    assert.equal(object?.spec.base?.revision, 1);
    assert.equal(object.status.waves.length, 1);
  });

  test('of a bad canary pauses; a resume forgives it, and an abort takes everybody back', async () => {
    await hub.apply('web:2', CANARY);
    await hub.has(2, 1, 1);
    await hub.says('a', 'failed');
    await hub.phase('paused');
    assert.deepEqual(await hub.revisions(), [2, 1, 1]);
    await assert.rejects(hub.say('promote'), /is paused; resume it first/);
    assert.match(await hub.say('resume'), /revision 2 goes on; 1 known failures count no more/);
    assert.match(await hub.say('promote', true), /wave 1 of 2 passes, whatever/);
    await hub.has(2, 2, 2);
    assert.match(await hub.say('abort'), /revision 1 is put back on the nodes/);
    await hub.has(1, 1, 1);
    await assert.rejects(hub.say('resume'), /was aborted, and never goes on/);
    assert.match(await hub.say('abort'), /was aborted already/);
  });

  test('rolls back within one look where the plan says so, and the revision never begins anew', async () => {
    await hub.apply('web:2', { ...CANARY, onMaxFailures: 'rollback' });
    await hub.has(2, 1, 1);
    await hub.says('a', 'failed');
    await hub.has(1, 1, 1);
    await hub.phase('aborted');
    await hub.join('late');
    assert.equal((await hub.assigned('late'))?.revision, 1);
    await hub.apply('web:2', { ...CANARY, onMaxFailures: 'rollback' });
    await hub.controller?.settle();
    assert.deepEqual(await hub.revisions(), [1, 1, 1]);
  });

  test('passes over a node that is meant to have more than an assignment holds, says so, and tries again', async () => {
    const { store } = hub;
    const root = () => trustedRoot();
    const writer = bundleWriter({ store, root, releaseSigner: RELEASE, clock: REAL_CLOCK });
    const other = (i: number) => `other-${i}`;
    for (let i = 0; i < BUNDLES_MAX; i++) {
      const spec = { nodeSelector: 'canary=yes', manifests: [podOf(`p${i}`, 'other:1')] };
      const names = { namespace: 'default', name: other(i), labels: {}, annotations: {} };
      await writer.apply(ADMIN, { ...names, spec, expect: 'any', dryRun: false });
    }
    await hub.apply('web:2', { ...CANARY, waves: [{ nodes: '100%' }], maxUnavailable: 1 });
    await hub.has(1, 2, 1);
    await hub.says('b', 'healthy');
    await hub.has(1, 2, 2);
    const view = await hub.desk.view({ namespace: 'default', name: 'shop', node: 'a' });
    assert.deepEqual([view.total.obstructed, view.total.failed], [1, 0]);
    assert.match(
      view.node?.reason ?? '',
      /more is meant for it than an assignment holds: 129 bundles/,
    );
    await hub.says('c', 'healthy');
    await writer.remove(ADMIN, { namespace: 'default', name: other(0), dryRun: false });
    await hub.has(2, 2, 2);
    const rows = await store.rolloutNodes('default', 'shop');
    assert.equal(rows.find(({ node }) => node === 'a')?.obstacle, null);
  });

  test('goes on where it was when the hub was killed, and tells nobody twice', async () => {
    await hub.apply('web:2', { ...CANARY, maxUnavailable: 1 });
    await hub.has(2, 1, 1);
    const first = await hub.store.assignment('a');
    await hub.close();
    await hub.open();
    // The word came while no controller ran.
    await hub.says('a', 'healthy');
    hub.start();
    await hub.has(2, 2, 1);
    assert.equal((await hub.store.assignment('a'))?.generation, first?.generation);
    await hub.close();
    await hub.open();
    hub.start();
    await hub.controller?.settle();
    assert.deepEqual(await hub.revisions(), [2, 2, 1]);
    await hub.says('b', 'healthy');
    await hub.has(2, 2, 2);
  });

  test('brings a node that slept through three of them to the newest, and begins none between', async () => {
    await hub.away('c');
    for (const [i, image] of ['web:2', 'web:3', 'web:4'].entries()) {
      await hub.apply(image, CANARY);
      await hub.has(i + 2, i + 1, i + 1);
      await hub.says('a', 'healthy');
      await hub.has(i + 2, i + 2, i + 1);
      await hub.says('b', 'healthy');
      await hub.phase('completed');
      await hub.has(i + 2, i + 2, i + 2);
    }
    await hub.back('c');
    assert.equal((await hub.assigned('c'))?.revision, 4);
  });

  test('ends with the next revision that goes to all at once, or with its bundle', async () => {
    await hub.apply('web:2', CANARY);
    await hub.has(2, 1, 1);
    await hub.apply('web:3');
    await hub.has(3, 3, 3);
    assert.equal(await hub.rollout(), null);
    await assert.rejects(
      hub.say('pause'),
      /went to all its nodes at once; a rollout needs a plan: flotilla apply --wave/,
    );
    await hub.apply('web:4', CANARY);
    await hub.has(4, 3, 3);
    const { store } = hub;
    const root = () => trustedRoot();
    const writer = bundleWriter({ store, root, releaseSigner: RELEASE, clock: REAL_CLOCK });
    await writer.remove(ADMIN, { namespace: 'default', name: 'shop', dryRun: false });
    await hub.has(null, null, null);
    assert.deepEqual(await store.rolloutNodes('default', 'shop'), []);
  });
});
