/**
 * The controller on the real store: decisions become rows, assignments and messages in one transaction, whoever is killed or speaks in
 * between. Nodes are what they report: the test writes their words as the ingest does.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { BundleObject, NodeObject } from '../../../hub/objects.js';
import { HELD_ANNOTATION } from '../../../hub/recovery/held-annotation.js';
import { activateBundleNow } from '../../../hub/rollout/activate-now.js';
import { bundleWriter } from '../../../hub/rollout/apply.js';
import { startController, type Controller } from '../../../hub/rollout/controller.js';
import type { RolloutDesk } from '../../../hub/rollout/desk.js';
import { assignmentOf, BUNDLES_MAX } from '../../../hub/rollout/director.js';
import { nodeWriter } from '../../../hub/rollout/remove-node.js';
import { rolloutDesk } from '../../../hub/rollout/say.js';
import { DEFAULT_PLAN, plainPlan, type RolloutPlan } from '../../../hub/rollout/waves/plan.js';
import type { RolloutObject } from '../../../hub/rollout/waves/rollout-object.js';
import type { Verb } from '../../../hub/rollout/waves/verbs.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import type { Actor, Mutation, Store } from '../../../hub/store/store.js';
import type { BundleManifest } from '../../../protocol/bundle-manifest.js';
import type { BundleStatus } from '../../../protocol/documents/node.js';

import { REAL_CLOCK } from '../../support/clock.js';
import { FLEET, HUB, RELEASE, trustedRoot } from '../../support/fleet.js';
import { enrolMember, memberRecord } from '../../support/member.js';
import { eventually } from '../../support/wait.js';

const ADMIN: Actor = { kind: 'user', name: 'ann' };
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };
const NODES = ['a', 'b', 'c'];
const CANARY: RolloutPlan = plainPlan({
  ...DEFAULT_PLAN,
  maxUnavailable: 3,
  waves: [{ selector: 'canary=yes' }],
});

class Hub {
  readonly directory = mkdtempSync(join(tmpdir(), 'flotilla-rollout-'));
  store!: Store;
  controller: Controller | null = null;
  desk!: RolloutDesk;

  async open(): Promise<void> {
    const path = join(this.directory, 'hub.db');
    this.store = await openSqliteStore({ path, clock: REAL_CLOCK });
    const root = () => trustedRoot();
    this.desk = rolloutDesk({ store: this.store, root, clock: REAL_CLOCK });
  }

  start(): void {
    const root = () => trustedRoot();
    const parts = { store: this.store, root, hubSigner: HUB, clock: REAL_CLOCK, log: SILENT };
    this.controller = startController(parts);
  }

  async close(): Promise<void> {
    await this.controller?.close();
    this.controller = null;
    await this.store.close();
  }

  async join(node: string): Promise<void> {
    const labels: Readonly<Record<string, string>> = node === 'a' ? { canary: 'yes' } : {};
    const identityKey = Buffer.from(node.padEnd(32)).toString('hex');
    const record = memberRecord(node, { identityKey, labels });
    await enrolMember({ store: this.store, controller: this.controller }, record);
    await this.change(node, status => ({ ...status, conditions: ready(status, 'True') }));
  }

  /** As the ingest writes it. */
  async change(
    node: string,
    change: (status: NodeObject['status']) => NodeObject['status'],
  ): Promise<void> {
    const object = (await this.store.get('Node', '', node)) as NodeObject;
    const { name, namespace, labels, annotations } = object.metadata;
    const put: Mutation = {
      type: 'put',
      object: {
        kind: 'Node',
        metadata: { name, namespace, labels, annotations },
        spec: object.spec,
        status: change(object.status),
      },
      expect: 'any',
    };
    await this.store.commit({ kind: 'node', name: node }, [put]);
  }

  async label(node: string, labels: Readonly<Record<string, string>>): Promise<void> {
    const object = (await this.store.get('Node', '', node)) as NodeObject;
    const { kind, spec, status } = object;
    const { name, namespace, annotations } = object.metadata;
    const metadata = { name, namespace, labels, annotations };
    const put: Mutation = { type: 'put', object: { kind, metadata, spec, status }, expect: 'any' };
    await this.store.commit(ADMIN, [put]);
  }

  away(node: string): Promise<void> {
    return this.change(node, status => ({ ...status, conditions: ready(status, 'Unknown') }));
  }

  back(node: string): Promise<void> {
    return this.change(node, status => ({ ...status, conditions: ready(status, 'True') }));
  }

  /** The node speaks of what it is assigned; `former`: what lies in its directory then. */
  async says(node: string, state: BundleStatus['state']): Promise<void> {
    const assigned = await this.assigned(node);
    assert.ok(assigned, `${node} has nothing to speak of`);
    const { revision, digest, attempt } = assigned;
    const isIn = state === 'healthy' || state === 'failed';
    const said: BundleStatus = {
      ...{ namespace: 'default', name: 'shop', revision, digest, attempt, state },
      ...{ active: isIn ? digest : null, failed: state === 'failed' ? digest : null },
      ...{ reason: '', message: '', since: '2026-01-01T00:00:00.000Z' },
    };
    await this.change(node, status => ({
      ...status,
      flotilla: { ...status.flotilla, bundles: [said] },
    }));
  }

  async assigned(node: string) {
    const record = await this.store.assignment(node);
    return record ? assignmentOf(record).bundles.find(b => b.name === 'shop') : undefined;
  }

  async revisions(): Promise<(number | null)[]> {
    const all = await Promise.all(NODES.map(node => this.assigned(node)));
    return all.map(one => one?.revision ?? null);
  }

  async has(...wanted: (number | null)[]): Promise<void> {
    await eventually(`nodes have ${wanted.join()}`, async () => {
      const now = await this.revisions();
      if (now.join() === wanted.join()) return true;
      throw new Error(`${now.join()}: ${JSON.stringify((await this.rollout())?.status)}`);
    });
  }

  async rollout(): Promise<RolloutObject | null> {
    return (await this.store.get('Rollout', 'default', 'shop')) as RolloutObject | null;
  }

  async phase(wanted: string): Promise<void> {
    await eventually(`the rollout is ${wanted}`, async () => {
      const { status } = (await this.rollout()) ?? {};
      if (status?.phase === wanted) return true;
      throw new Error(JSON.stringify(status));
    });
  }

  async apply(image: string, rollout?: RolloutPlan, nodeSelector = ''): Promise<BundleObject> {
    const { store } = this;
    const root = () => trustedRoot();
    const writer = bundleWriter({ store, root, releaseSigner: RELEASE, clock: REAL_CLOCK });
    const { object } = await writer.apply(ADMIN, {
      ...{ namespace: 'default', name: 'shop', labels: {}, annotations: {} },
      spec: {
        nodeSelector,
        manifests: [podOf('web', image)],
        ...(rollout ? { rollout } : {}),
      },
      ...{ expect: 'any', dryRun: false },
    });
    return object;
  }

  say(verb: Verb, isForced = false): Promise<string> {
    const word = {
      namespace: 'default',
      name: 'shop',
      verb,
      reason: 'a test',
      isForced,
      seen: null,
    };
    return this.desk.say(ADMIN, word);
  }
}

const podOf = (name: string, image: string): BundleManifest => ({
  ...{ apiVersion: 'v1' as const, kind: 'Pod' as const, metadata: { name } },
  spec: { containers: [{ name: 'main', image }] },
});

function ready(
  { conditions = [] }: NodeObject['status'],
  status: 'True' | 'Unknown',
): NonNullable<NodeObject['status']['conditions']> {
  return [...conditions.filter(c => c.type !== 'Ready'), { type: 'Ready', status }];
}

describe('a rollout in waves on the store', () => {
  let hub: Hub;
  beforeEach(async () => {
    hub = new Hub();
    await hub.open();
    hub.start();
    for (const node of NODES) await hub.join(node);
    await hub.apply('web:1');
    await hub.has(1, 1, 1);
    for (const node of NODES) await hub.says(node, 'healthy');
  });
  afterEach(async () => {
    await hub.close();
    rmSync(hub.directory, { recursive: true });
  });

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
    assert.match(await hub.say('abort'), /they go back to revision 1/);
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

  test('pauses with the very word that passes the limit: nobody is told between', async () => {
    await hub.apply('web:2', { ...CANARY, waves: [{ nodes: '100%' }], maxUnavailable: 2 });
    await hub.has(2, 2, 1);
    await hub.controller?.close();
    // One failure, and one node well: that makes room for the third.
    await hub.says('b', 'healthy');
    await hub.says('a', 'failed');
    const { store } = hub;
    const commits: (readonly Mutation[])[] = [];
    hub.store = new Proxy(store, {
      get: (_, name: keyof Store) =>
        name === 'commit'
          ? (actor: Actor, mutations: readonly Mutation[]) => {
              commits.push(mutations);
              return store.commit(actor, mutations);
            }
          : (store[name] as () => unknown).bind(store),
    });
    hub.start();
    await hub.controller?.settle();
    const first = commits.find(all =>
      all.some(one => one.type === 'put' && one.object.kind === 'Rollout'),
    );
    const [put] = first ?? [];
    assert.ok(put?.type === 'put');
    assert.equal((put.object.status as RolloutObject['status']).phase, 'paused');
    assert.deepEqual(
      commits.flat().filter(({ type }) => type === 'assignment'),
      [],
    );
    assert.deepEqual(await hub.revisions(), [2, 2, 1]);
  });

  test('follows labels: who loses them loses the bundle, who gets them gets it in the last wave', async () => {
    const onSite = (image: string) => hub.apply(image, CANARY, 'site=north');
    const label = (node: string, labels: Readonly<Record<string, string>>) =>
      hub.label(node, labels);
    await label('a', { canary: 'yes', site: 'north' });
    await label('b', { site: 'north' });
    await onSite('web:2');
    await hub.has(2, 1, null);
    await label('b', {});
    await label('c', { site: 'north' });
    await hub.has(2, null, 1);
    const { node } = await hub.desk.view({ namespace: 'default', name: 'shop', node: 'c' });
    assert.equal(node?.wave, null);
    await hub.says('a', 'healthy');
    await hub.has(2, null, 2);
    const last = await hub.desk.view({ namespace: 'default', name: 'shop', node: 'c' });
    assert.equal(last.node?.wave, 2);
    await hub.says('c', 'healthy');
    await hub.phase('completed');
    // Complete or not, labels decide.
    await label('b', { site: 'north' });
    await label('a', { canary: 'yes' });
    await hub.has(null, 2, 2);
  });

  test('where a person says when begins on the node that was named, and on no other', async () => {
    const onDelete = plainPlan({ ...DEFAULT_PLAN, updateStrategy: 'onDelete' });
    await hub.apply('web:2', onDelete);
    await hub.controller?.settle();
    assert.deepEqual(await hub.revisions(), [1, 1, 1]);
    assert.equal((await hub.rollout())?.status.reason, 'OnDelete');
    const { store } = hub;
    const parts = { store, root: () => trustedRoot(), hubSigner: HUB, clock: REAL_CLOCK };
    const wish = { namespace: 'default', name: 'shop', nodes: ['b'], reason: 'a test' };
    assert.deepEqual(await activateBundleNow(parts, ADMIN, wish), { nodes: ['b'], held: [] });
    await hub.has(1, 2, 1);
    await hub.says('b', 'healthy');
    await hub.controller?.settle();
    assert.deepEqual(await hub.revisions(), [1, 2, 1]);
    assert.deepEqual(await activateBundleNow(parts, ADMIN, wish), { nodes: [], held: [] });
    const words = (await hub.rollout())?.spec.words ?? [];
    assert.deepEqual(
      words.map(({ verb, by, reason }) => [verb, by, reason]),
      [['activate', 'ann', 'a test']],
    );
    await hub.say('promote');
    await hub.has(2, 2, 1);
    await hub.says('a', 'healthy');
    await hub.has(2, 2, 2);
    await hub.says('c', 'healthy');
    await hub.phase('completed');
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

  test('that is paused in mid-wave stays so over a restart', async () => {
    await hub.apply('web:2', { ...CANARY, waves: [{ nodes: '100%' }], maxUnavailable: 1 });
    await hub.has(2, 1, 1);
    assert.match(await hub.say('pause'), /revision 2 is paused/);
    await hub.close();
    await hub.open();
    hub.start();
    await hub.says('a', 'healthy');
    await hub.phase('paused');
    await hub.controller?.settle();
    assert.deepEqual(await hub.revisions(), [2, 1, 1]);
    await hub.say('resume');
    await hub.has(2, 2, 1);
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

  test('says of each node why it has what it has, and in counts that add up', async () => {
    await hub.away('c');
    await hub.apply('web:2', CANARY);
    await hub.has(2, 1, 1);
    const of = { namespace: 'default', name: 'shop' };
    const why = async (node: string) => (await hub.desk.view({ ...of, node })).node?.reason;
    assert.match((await why('a')) ?? '', /wave 1 of 2 \(canary=yes\): on the way to revision 2/);
    assert.match((await why('b')) ?? '', /its wave has not begun: wave 1 of 2/);
    assert.match((await why('c')) ?? '', /offline; its turn comes when it can be reached/);
    await assert.rejects(hub.desk.view({ ...of, node: 'z' }), /is not for node "z"/);
    const { total } = await hub.desk.view({ ...of, node: null });
    const { nodes, ...stands } = total;
    assert.equal(nodes, 3);
    assert.equal(
      Object.values(stands).reduce((a, b) => a + b),
      3,
    );
    assert.deepEqual([total.underWay, total.waiting, total.away], [1, 1, 1]);
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

  test('is in the audit log with every word of a person', async () => {
    await hub.apply('web:2', CANARY);
    await hub.has(2, 1, 1);
    await hub.say('pause');
    await hub.say('resume');
    const lines = (await hub.store.audit(0, 1000)).filter(one => one.kind === 'Rollout');
    const [said, decided] = [true, false].map(isPerson =>
      lines.filter(({ actor }) => (actor.kind === 'user') === isPerson),
    );
    // What the hub made of it by itself.
    assert.match(decided?.[0]?.detail ?? '', /^revision 2: wave 1 of 2 \(.*\) began$/);
    assert.deepEqual([decided?.[0]?.verb, decided?.[0]?.actor.name], ['decide', 'controller']);
    assert.deepEqual(
      said?.map(({ verb, actor }) => [verb, actor.name]),
      [
        ['create', 'ann'],
        ['update', 'ann'],
        ['update', 'ann'],
      ],
    );
  });
});
