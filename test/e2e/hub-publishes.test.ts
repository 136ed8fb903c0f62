/** What the hub publishes on real brokers, and what it publishes again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MarkDocument } from '../../protocol/documents/hub.js';
import { seal } from '../../protocol/envelope.js';
import { topicsOf } from '../../protocol/topics.js';
import { FLEET, HUB, NODE } from '../support/fleet.js';
import { ADMIN } from '../support/hub-core.js';
import { HURRY, onBothBrokers } from '../support/hub-on-broker.js';
import { manifest } from '../support/pods.js';
import { ScriptedNode } from '../support/scripted-node.js';
import { eventually } from '../support/wait.js';

const topics = topicsOf(FLEET);

onBothBrokers('the hub', it => {
  test('fills an empty broker, then marks it', async () => {
    const { hub, edge } = it;
    await hub.join('edge1', edge.signer);
    await hub.apply('shop', [manifest('web')]);
    await it.brokerHoldsTheStore();
    await it.markCoversAll();
  });

  test('makes a broker whole that lost everything', async () => {
    const { broker, hub, spy, edge } = it;
    hub.clock.hurry(HURRY);
    await hub.join('edge1', edge.signer);
    await hub.apply('shop', [manifest('web')]);
    await it.markCoversAll();
    spy.retained.clear();
    await broker.restart();
    await it.brokerHoldsTheStore();
    await it.markCoversAll();
  });

  test('publishes after a restart only what came after the mark, clears included', async () => {
    const { hub, spy, edge } = it;
    await hub.join('edge1', edge.signer);
    await hub.apply('shop', [manifest('web')]);
    await eventually(
      'the node is assigned',
      async () => ((await hub.store.assignment('edge1'))?.generation ?? 0) > 1,
    );
    await it.markCoversAll();
    await hub.stop();
    spy.publishedSince();
    await hub.apply('bar', [manifest('db')], 'no=where');
    await hub.nodes.remove(ADMIN, { name: 'edge1', dryRun: false });
    hub.start();
    await it.markCoversAll();
    const said = spy.publishedSince();
    assert.equal(said.length, 3, said.join(' '));
    assert.ok(said.includes(topics.node('edge1', 'assignment')));
    assert.equal(spy.retained.has(topics.node('edge1', 'assignment')), false);
    await it.brokerHoldsTheStore();
  });

  const MARKS: readonly [string, (mark: MarkDocument) => Buffer][] = [
    ['of another store', mark => seal('mark', { ...mark, store: '9'.repeat(32) }, [HUB])],
    ['above its own numbers', mark => seal('mark', { ...mark, number: 10_000 }, [HUB])],
    ['that the hub did not sign', mark => seal('mark', mark, [NODE])],
  ];
  for (const [sentence, forge] of MARKS) {
    test(`publishes everything over a mark ${sentence}`, async () => {
      const { hub, spy } = it;
      await hub.apply('shop', [manifest('web')]);
      await it.markCoversAll();
      await hub.stop();
      const store = await hub.store.id();
      const number = await hub.store.lastPublication();
      const forged = forge({ fleet: FLEET, store, number });
      await spy.publish(topics.mark(), forged);
      await eventually('the forged mark', () => spy.retained.get(topics.mark())?.equals(forged));
      spy.publishedSince();
      hub.start();
      await it.markCoversAll();
      assert.equal(spy.publishedSince().length, (await hub.publications()).size);
    });
  }

  test('is online with a new session on each connection, and offline by its will', async () => {
    const { broker, hub, edge } = it;
    hub.clock.hurry(HURRY);
    await edge.connect(broker.port);
    const last = () => edge.hub[edge.hub.length - 1];
    const first = await eventually('the hub is online', () => last()?.online && last());
    hub.cut();
    const second = await eventually('another session', () => {
      const now = last();
      return now?.online && now.session !== first.session ? now : null;
    });
    const offline = edge.hub.find(({ online }) => !online);
    assert.equal(offline?.session, first.session);
    await hub.kill();
    const gone = await eventually('the will', () => (last()?.online ? null : last()));
    assert.equal(gone.session, second.session);
  });

  test('says its birth again when somebody replays an old word of it', async () => {
    const { hub, spy } = it;
    hub.clock.hurry(HURRY);
    const birth = await eventually('the hub is online', () => spy.retained.get(topics.hub()));
    const old = { fleet: FLEET, epoch: 1, session: '7'.repeat(32), online: false };
    const replay = seal('hub', { ...old, sealingKey: '11'.repeat(32) }, [HUB]);
    await spy.publish(topics.hub(), replay);
    await eventually('the birth after it', () => {
      const at = spy.hubWords.findIndex(word => word.equals(replay));
      return at !== -1 && spy.hubWords.slice(at).some(word => word.equals(birth));
    });
  });

  test('gives bundles to nodes as labels, selectors and bundles come and go', async () => {
    const { broker, hub, edge } = it;
    await hub.join('edge1', edge.signer);
    await edge.connect(broker.port);
    const names = () => edge.lastAssignment()?.bundles.map(({ name }) => name);
    const assigned = (...expected: string[]) =>
      eventually(`it is to run ${expected.join(', ')}`, () => {
        return JSON.stringify(names()) === JSON.stringify(expected);
      });
    await assigned();
    await hub.apply('all', [manifest('web')]);
    await assigned('all');
    await hub.apply('shops', [manifest('till')], 'role=shop');
    await hub.label('edge1', { role: 'shop' });
    await assigned('all', 'shops');
    const digest = await hub.apply('all', [manifest('web'), manifest('db')]);
    await eventually('the new revision', () =>
      edge.lastAssignment()?.bundles.some(bundle => bundle.digest === digest),
    );
    await hub.label('edge1', {});
    await assigned('all');
    await hub.bundles.remove(ADMIN, { namespace: 'default', name: 'all', dryRun: false });
    await assigned();
    // QoS 1: the same message may come twice in a row.
    const generations = edge.assignments
      .map(({ generation }) => generation)
      .filter((generation, i, all) => generation !== all[i - 1]);
    assert.deepEqual(
      generations,
      [...new Set(generations)].sort((a, b) => a - b),
    );
  });

  test('makes no assignment anew over a restart', async () => {
    const { hub, edge } = it;
    await hub.join('edge1', edge.signer);
    await hub.apply('shop', [manifest('web')]);
    await eventually(
      'the node is assigned',
      async () => ((await hub.store.assignment('edge1'))?.generation ?? 0) > 1,
    );
    await it.markCoversAll();
    const number = await hub.store.lastPublication();
    await hub.kill();
    hub.start();
    await hub.join('edge2', new ScriptedNode('edge2').signer);
    await eventually(
      'the loop has looked',
      async () => (await hub.store.assignment('edge2')) !== null,
    );
    await it.markCoversAll();
    assert.equal((await hub.store.assignment('edge1'))?.generation, 2);
    assert.equal(await hub.store.lastPublication(), number + 1);
  });

  test('answers a request for a fresh assignment with its nonce, and keeps it in what follows', async () => {
    const { broker, hub, edge } = it;
    await hub.join('edge1', edge.signer);
    await edge.connect(broker.port);
    await edge.status();
    const nonce = await edge.ask('assignment');
    await eventually('the nonce comes', () => edge.lastAssignment()?.nonce === nonce);
    await hub.apply('shop', [manifest('web')]);
    await eventually('the bundle comes', () => edge.lastAssignment()?.bundles.length === 1);
    assert.equal(edge.lastAssignment()?.nonce, nonce);
  });

  test('publishes again what a node misses, and says what it has not', async () => {
    const { broker, hub, spy, edge } = it;
    const digest = await hub.apply('shop', [manifest('web')]);
    await hub.join('edge1', edge.signer);
    await edge.connect(broker.port);
    await edge.status();
    await it.markCoversAll();
    await spy.publish(topics.blob(digest), Buffer.alloc(0));
    await spy.publish(topics.root(1), Buffer.alloc(0));
    await eventually('the broker lost it', () => !spy.retained.has(topics.blob(digest)));
    const absent = 'f'.repeat(64);
    const nonce = await edge.ask('blobs', { digests: [digest, absent] });
    const answer = await eventually('the answer', () => edge.answers[0]);
    assert.deepEqual([answer.nonce, answer.published, answer.absent], [nonce, [digest], [absent]]);
    await edge.ask('root', { rootVersion: 1 });
    await it.brokerHoldsTheStore();
  });
});
