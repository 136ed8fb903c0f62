/** A node that is deleted leaves nothing on the broker: everything that lies there is listed afterwards, by whoever may read it all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topicsOf } from '../../protocol/topics.js';
import { BrokerSpy } from '../support/broker-spy.js';
import { FLEET } from '../support/fleet.js';
import { ADMIN } from '../support/hub-core.js';
import { onBothBrokers, type HubOnBroker } from '../support/hub-on-broker.js';
import { ScriptedNode } from '../support/scripted-node.js';
import { eventually } from '../support/wait.js';

const topics = topicsOf(FLEET);

/** What lies there of nodes, as somebody finds it who subscribes to everything now. */
async function retainedOf({ broker }: HubOnBroker): Promise<string[]> {
  const spy = await BrokerSpy.on(broker.port, 'list');
  // Retained messages come before what is said after the subscription.
  const last = topics.node('zz', 'status');
  await spy.publish(last, Buffer.from('last'));
  await eventually('all of them came', () => spy.retained.has(last));
  await spy.publish(last, Buffer.alloc(0));
  const found = [...spy.retained.keys()].filter(topic => topic !== last);
  await spy.end();
  return found
    .filter(topic => topic.startsWith(`${topics.prefix}node/`))
    .map(topic => topic.slice(`${topics.prefix}node/`.length))
    .sort();
}

onBothBrokers('a node that is deleted', it => {
  const OF_EDGE_2 = ['edge2/assignment', 'edge2/presence', 'edge2/status'];

  async function twoNodes(): Promise<ScriptedNode> {
    const other = new ScriptedNode('edge2');
    for (const node of [it.edge, other]) {
      await it.hub.join(node.name, node.signer);
      await node.connect(it.broker.port);
      await node.status();
    }
    await eventually('both lie there', async () => (await retainedOf(it)).length === 6);
    return other;
  }

  const remove = () => it.hub.nodes.remove(ADMIN, { name: 'edge1', dryRun: false });

  test('leaves nothing, its will included, and others keep theirs', async () => {
    const other = await twoNodes();
    await remove();
    await it.edge.vanish();
    await eventually('only the other is left', async () => {
      return (await retainedOf(it)).every(topic => topic.startsWith('edge2/'));
    });
    assert.deepEqual(await retainedOf(it), OF_EDGE_2);
    await other.vanish();
  });

  test('leaves nothing though the broker could not be reached at that moment', async () => {
    const other = await twoNodes();
    it.hub.unplug();
    await remove();
    assert.equal((await retainedOf(it)).length, 6, 'nobody could clear anything');
    it.hub.plugIn();
    await eventually('only the other is left', async () => {
      return (await retainedOf(it)).every(topic => topic.startsWith('edge2/'));
    });
    assert.deepEqual(await retainedOf(it), OF_EDGE_2);
    await other.vanish();
  });

  test('leaves nothing though the hub was started anew before the broker was back', async () => {
    const other = await twoNodes();
    it.hub.unplug();
    await remove();
    await it.hub.stop();
    it.hub.plugIn();
    it.hub.start();
    await eventually('only the other is left', async () => {
      return (await retainedOf(it)).every(topic => topic.startsWith('edge2/'));
    });
    assert.deepEqual(await retainedOf(it), OF_EDGE_2);
    await other.vanish();
  });
});
