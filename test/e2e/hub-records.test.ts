/** What the hub records of nodes and confirms to them, on real brokers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventObject, PodObject } from '../../hub/objects.js';
import { topicsOf } from '../../protocol/topics.js';
import { FLEET } from '../support/fleet.js';
import { ADMIN } from '../support/hub-core.js';
import { HURRY, onBothBrokers } from '../support/hub-on-broker.js';
import { manifest } from '../support/pods.js';
import { ScriptedNode } from '../support/scripted-node.js';
import { eventually } from '../support/wait.js';

const topics = topicsOf(FLEET);

onBothBrokers('the hub', it => {
  test('goes on counting for a node that was deleted and joins again', async () => {
    const { broker, hub, edge } = it;
    await hub.join('edge1', edge.signer);
    await edge.connect(broker.port);
    await edge.status();
    await edge.events(1, 1, 2);
    await eventually('its events are safe', () => edge.lastAck()?.through === 2);
    const before = (await hub.store.assignment('edge1'))?.generation ?? 0;
    await hub.nodes.remove(ADMIN, { name: 'edge1', dryRun: false });
    assert.equal(await hub.store.identity('edge1'), null);
    await hub.join('edge1', edge.signer);
    assert.equal((await hub.store.assignment('edge1'))?.generation, before + 1);
    await edge.events(3, 3);
    await eventually('its events go on', () => edge.lastAck()?.through === 3);
    const { items } = await hub.store.list('Event');
    assert.deepEqual(
      (items as readonly EventObject[]).filter(({ spec }) => spec.reason === 'EventsLost'),
      [],
    );
  });

  test('confirms events that lie in its store, each once and without a gap', async () => {
    const { broker, hub, edge } = it;
    await hub.join('edge1', edge.signer);
    await edge.connect(broker.port);
    await edge.events(1, 1, 2);
    await eventually('the first are safe', () => edge.lastAck()?.through === 2);
    assert.deepEqual(await it.recordedEvents(), [1, 2]);
    await edge.events(1, 1, 2, 3);
    await edge.events(1, 5, 6);
    await eventually('what follows a gap is not', () => edge.lastAck()?.through === 3);
    assert.deepEqual(await it.recordedEvents(), [1, 2, 3]);
    await edge.events(1, 4, 5, 6);
    await eventually('the gap is filled', () => edge.lastAck()?.through === 6);
    await edge.events(10, 10);
    await eventually('what left the outbox is lost', () => edge.lastAck()?.through === 10);
    assert.deepEqual(await it.recordedEvents(), [1, 2, 3, 4, 5, 6, 10]);
    const { items } = await hub.store.list('Event');
    const lost = (items as readonly EventObject[]).filter(e => e.spec.reason === 'EventsLost');
    assert.equal(lost.length, 1);
    assert.match(lost[0]?.spec.message ?? '', /^3 events/);
  });

  test('confirms nothing that it could not record, and records it when it comes again', async () => {
    const { broker, hub, edge } = it;
    hub.clock.hurry(HURRY);
    await hub.join('edge1', edge.signer);
    await edge.connect(broker.port);
    const isOnline = () => edge.hub[edge.hub.length - 1]?.online;
    await hub.kill();
    await eventually('the hub is away', () => isOnline() === false);
    await edge.events(1, 1);
    await edge.events(1, 2);
    assert.equal(edge.acks.length, 0);
    hub.start();
    await eventually('the hub is back', isOnline);
    await edge.events(1, 1, 2);
    await eventually('they are safe', () => edge.lastAck()?.through === 2);
    assert.deepEqual(await it.recordedEvents(), [1, 2]);
  });

  test('shows pods as the node tells them, under the config hash that kubectl asks for', async () => {
    const { broker, hub, edge } = it;
    await hub.join('edge1', edge.signer);
    await hub.apply('shop', [manifest('web', { labels: { app: 'web' } })]);
    await edge.connect(broker.port);
    const [web, local] = [edge.pod('web'), edge.pod('local')];
    const bundle = { namespace: 'default', name: 'shop', revision: 1 };
    await edge.tell(web, bundle);
    await edge.tell(local);
    await edge.status({ pods: { [web.key]: web.summary, [local.key]: local.summary } });
    await edge.events(1, 1);
    await eventually('all is safe', () => edge.lastAck()?.through === 1);
    const shown = (await hub.store.get('Pod', 'default', 'web-edge1')) as PodObject;
    assert.deepEqual(shown.metadata.labels, { app: 'web' });
    assert.equal(shown.spec.containers[0]?.image, 'busybox:1');
    assert.equal(shown.status.phase, 'Running');
    const { items } = await hub.store.list('Event');
    const event = (items as readonly EventObject[]).find(e => e.spec.reason === 'Tested');
    assert.equal(event?.spec.involvedObject.uid, 'hash-web');
    const acked = Object.assign({}, ...edge.acks.map(({ pods }) => pods)) as object;
    assert.deepEqual(acked, {
      [web.key]: web.summary.digest,
      [local.key]: local.summary.digest,
    });
    await edge.status({ pods: { [web.key]: web.summary } });
    await eventually('the other is gone', async () => {
      return (await hub.store.get('Pod', 'default', 'local-edge1')) === null;
    });
    assert.ok(await hub.store.get('Pod', 'default', 'web-edge1'));
  });

  test('shows the pods of two nodes that would bear one name side by side', async () => {
    const { broker, hub } = it;
    const other = new ScriptedNode('b-c');
    const one = new ScriptedNode('c');
    await hub.join('b-c', other.signer);
    await hub.join('c', one.signer);
    await other.connect(broker.port);
    await one.connect(broker.port);
    const [first, second] = [other.pod('a'), one.pod('a-b')];
    assert.equal(first.key, second.key);
    await Promise.all([other.tell(first), one.tell(second)]);
    await eventually('both are safe', () => other.lastAck() && one.lastAck());
    const { items } = await hub.store.list('Pod');
    const nodes = (items as readonly PodObject[]).map(({ spec }) => spec.nodeName);
    assert.deepEqual(nodes.sort(), ['b-c', 'c']);
    await one.vanish();
    await other.vanish();
  });

  test('takes a new journal and never again the former one', async () => {
    const { broker, hub, edge } = it;
    await hub.join('edge1', edge.signer);
    await edge.connect(broker.port);
    await edge.status({ generation: 5 });
    await edge.events(1, 1, 2, 3);
    await eventually('the first journal is safe', () => edge.lastAck()?.through === 3);
    const former = { journal: edge.journal, counter: edge.counter };
    await edge.vanish();
    edge.newJournal('b');
    await edge.connect(broker.port);
    await edge.status({ generation: 6 });
    await edge.events(1, 1);
    await eventually('the second is safe', () => {
      const ack = edge.lastAck();
      return ack?.journal === edge.journal && ack.through === 1;
    });
    edge.journal = former.journal;
    edge.counter = former.counter + 10;
    await edge.events(1, 4);
    await edge.status({ generation: 7 });
    edge.newJournal('b');
    edge.counter = 10;
    await edge.events(1, 2);
    await eventually('the second goes on', () => edge.lastAck()?.through === 2);
    assert.equal((await hub.node('edge1')).status.flotilla.generation, 6);
    assert.deepEqual(await it.recordedEvents(), [1, 1, 2, 2, 3]);
  });

  test('refuses what another key signed, and goes on', async () => {
    const { broker, hub, edge } = it;
    await hub.join('edge1', new ScriptedNode('somebody else').signer);
    await hub.join('edge2', new ScriptedNode('edge2').signer);
    await edge.connect(broker.port);
    await edge.status();
    const second = new ScriptedNode('edge2');
    await second.connect(broker.port);
    for (let i = 0; i < 20; i++) await edge.status();
    await edge.publish(topics.node('edge2', 'status'), Buffer.from('{"not": "an envelope"}'));
    await second.status();
    await eventually('the other node is heard', () => second.lastAck());
    assert.equal((await hub.node('edge1')).status.flotilla.reportedAt, null);
    const complaints = hub.log.filter(line => line.includes('refused'));
    assert.equal(complaints.filter(line => line.includes('"edge1"')).length, 1);
    await second.vanish();
  });

  test('sees nodes come and go', async () => {
    const { broker, hub, edge } = it;
    await hub.join('edge1', edge.signer);
    assert.equal(await hub.ready('edge1'), 'Unknown');
    await edge.connect(broker.port);
    await edge.status();
    await eventually('it is ready', async () => (await hub.ready('edge1')) === 'True');
    await edge.vanish();
    await eventually('it is offline', async () => (await hub.ready('edge1')) === 'Unknown');
    await edge.connect(broker.port);
    await eventually('it is ready again', async () => (await hub.ready('edge1')) === 'True');
  });
});
