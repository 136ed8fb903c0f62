/** What the hub makes of nodes that do not say what they should (on a quicker clock). */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { startBroker, type TestBroker } from '../support/brokers.js';
import { HubCore } from '../support/hub-core.js';
import { ScriptedNode } from '../support/scripted-node.js';
import { eventually } from '../support/wait.js';

describe('a hub that waits for a node', () => {
  let broker: TestBroker;
  let hub: HubCore;
  let edge: ScriptedNode;

  beforeEach(async () => {
    broker = await startBroker('aedes');
    hub = await HubCore.make(broker.port, { speed: 20 });
    edge = new ScriptedNode('edge1');
    hub.start({ brokerIsFresh: true });
    await hub.join('edge1', edge.signer);
    await edge.connect(broker.port);
  });
  afterEach(async () => {
    await edge.vanish();
    await hub.close();
    await broker.stop();
  });

  test('a pod that the status names and nobody told is asked for', async () => {
    const web = edge.pod('web');
    await edge.status({ pods: { [web.key]: web.summary } });
    const asked = await eventually('an ack that names it', () =>
      edge.acks.find(({ pods }) => web.key in pods),
    );
    assert.equal(asked.pods[web.key], '0'.repeat(64));
    await edge.tell(web);
    await eventually('it is shown', () => hub.store.get('Pod', 'default', 'web-edge1'));
  });

  test('a node that does not come back after the broker lost everything is offline', async () => {
    await edge.status();
    await eventually('it is ready', async () => (await hub.ready('edge1')) === 'True');
    await hub.kill();
    await edge.vanish();
    await broker.restart();
    hub.start({ brokerIsFresh: true });
    const stays = new ScriptedNode('edge2');
    await hub.join('edge2', stays.signer);
    await stays.connect(broker.port);
    await stays.status();
    await eventually('this one is ready', async () => (await hub.ready('edge2')) === 'True');
    await eventually('it is offline', async () => (await hub.ready('edge1')) === 'Unknown');
    assert.equal(await hub.ready('edge2'), 'True');
    await stays.vanish();
  });
});
