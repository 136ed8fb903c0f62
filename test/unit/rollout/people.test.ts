/** What people and nodes say of a rollout, on the real store: who has to say it, what it changes at once, and where it stands afterwards. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { activateBundleNow } from '../../../hub/rollout/activate-now.js';
import { DEFAULT_PLAN, plainPlan } from '../../../hub/rollout/waves/plan.js';
import type { RolloutObject } from '../../../hub/rollout/waves/rollout-object.js';
import type { Actor, Mutation, Store } from '../../../hub/store/store.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { HUB, trustedRoot } from '../../support/fleet.js';
import { ADMIN, CANARY, eachOnSettledHub, type RolloutHub } from '../../support/rollout-hub.js';

describe('what is said of a rollout in waves', () => {
  let hub: RolloutHub;
  eachOnSettledHub(settled => (hub = settled));

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
      said?.map(({ verb, actor, detail }) => [verb, actor.name, detail]),
      [
        ['create', 'ann', 'revision 2'],
        ['update', 'ann', 'pause: a test'],
        ['update', 'ann', 'resume: a test'],
      ],
    );
  });
});
