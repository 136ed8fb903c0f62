/**
 * The hub between its store and real brokers: what it publishes, what it publishes again, what it
 * records of nodes and confirms. Both brokers keep nothing over a restart.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { connect, type MqttClient } from 'mqtt';
import type { EventObject, PodObject } from '../../hub/objects.js';
import type { MarkDocument } from '../../protocol/documents/hub.js';
import { seal } from '../../protocol/envelope.js';
import { topicsOf } from '../../protocol/topics.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { startBroker, type BrokerKind, type TestBroker } from '../support/brokers.js';
import { FLEET, HUB, NODE, trustedRoot } from '../support/fleet.js';
import { ADMIN, HubCore } from '../support/hub-core.js';
import { manifest } from '../support/pods.js';
import { ScriptedNode } from '../support/scripted-node.js';
import { eventually } from '../support/wait.js';

const topics = topicsOf(FLEET);
/** Of the hub's clock, where it waits before it tries its broker again, or for a mark that does not come. */
const HURRY = 5;

/** Sees everything on the broker: retained messages with what is said live. */
class Spy {
  readonly live: string[] = [];
  readonly retained = new Map<string, Buffer>();
  /** All that stood on `hub`, in order. */
  readonly hubWords: Buffer[] = [];
  readonly #client: MqttClient;

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (topic, payload, { retain }) => {
      if (!retain) this.live.push(topic);
      if (topic === topics.hub()) this.hubWords.push(payload);
      if (payload.byteLength === 0) this.retained.delete(topic);
      else this.retained.set(topic, payload);
    });
  }

  static async on(port: number): Promise<Spy> {
    const client = connect(`mqtt://127.0.0.1:${port}`, { clientId: 'spy', reconnectPeriod: 20 });
    client.on('error', () => undefined);
    const spy = new Spy(client);
    await eventually('the spy connects', () => client.connected);
    await client.subscribeAsync(`${topics.prefix}#`, { qos: 1 });
    return spy;
  }

  async publish(topic: string, payload: Buffer): Promise<void> {
    await this.#client.publishAsync(topic, payload, { qos: 1, retain: true });
  }

  /** The number of a genuine mark of that store. */
  markNumber(store: string): number | null {
    const payload = this.retained.get(topics.mark());
    if (!payload) return null;
    const opened = openHubDocument('mark', payload, { root: trustedRoot() });
    if (!opened.ok || opened.value.document.store !== store) return null;
    return opened.value.document.number;
  }

  /** Topics of publications that were said since the last call. */
  publishedSince(): string[] {
    const own = /\/(blob\/|root|node\/[^/]+\/assignment)/;
    return this.live.splice(0).filter(topic => own.test(topic));
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true);
  }
}

for (const kind of ['mosquitto', 'aedes'] as const satisfies readonly BrokerKind[]) {
  describe(`the hub on ${kind}`, () => {
    let broker: TestBroker;
    let hub: HubCore;
    let spy: Spy;
    let edge: ScriptedNode;

    before(async () => {
      broker = await startBroker(kind);
    });
    after(async () => broker.stop());
    beforeEach(async () => {
      await broker.restart();
      hub = await HubCore.make(broker.port);
      spy = await Spy.on(broker.port);
      edge = new ScriptedNode('edge1');
      hub.start({ brokerIsFresh: true });
      // A scripted node says things once: somebody has to listen by then.
      await eventually('the hub is online', () => spy.retained.has(topics.hub()));
    });
    afterEach(async () => {
      await edge.vanish();
      await spy.end();
      await hub.close();
    });

    const markCoversAll = () =>
      eventually('the mark covers everything', async () => {
        const number = await hub.store.lastPublication();
        return spy.markNumber(await hub.store.id()) === number && number > 0;
      });

    const brokerHoldsTheStore = () =>
      eventually('the broker holds what the store says', async () => {
        for (const [topic, payload] of await hub.publications()) {
          const held = spy.retained.get(topic);
          if (payload === null ? held !== undefined : !held?.equals(payload)) return false;
        }
        return true;
      });

    const recordedEvents = async () => {
      const { items } = await hub.store.list('Event');
      return (items as readonly EventObject[])
        .filter(({ spec }) => spec.reason === 'Tested')
        .map(({ spec }) => spec.flotilla.n)
        .sort((a, b) => a - b);
    };

    test('fills an empty broker, then marks it', async () => {
      await hub.join('edge1', edge.signer);
      await hub.apply('shop', [manifest('web')]);
      await brokerHoldsTheStore();
      await markCoversAll();
    });

    test('makes a broker whole that lost everything', async () => {
      hub.clock.hurry(HURRY);
      await hub.join('edge1', edge.signer);
      await hub.apply('shop', [manifest('web')]);
      await markCoversAll();
      spy.retained.clear();
      await broker.restart();
      await brokerHoldsTheStore();
      await markCoversAll();
    });

    test('publishes after a restart only what came after the mark, clears included', async () => {
      await hub.join('edge1', edge.signer);
      await hub.apply('shop', [manifest('web')]);
      await eventually(
        'the node is assigned',
        async () => ((await hub.store.assignment('edge1'))?.generation ?? 0) > 1,
      );
      await markCoversAll();
      await hub.stop();
      spy.publishedSince();
      await hub.apply('bar', [manifest('db')], 'no=where');
      await hub.nodes.remove(ADMIN, { name: 'edge1', dryRun: false });
      hub.start();
      await markCoversAll();
      const said = spy.publishedSince();
      assert.equal(said.length, 3, said.join(' '));
      assert.ok(said.includes(topics.node('edge1', 'assignment')));
      assert.equal(spy.retained.has(topics.node('edge1', 'assignment')), false);
      await brokerHoldsTheStore();
    });

    const MARKS: readonly [string, (mark: MarkDocument) => Buffer][] = [
      ['of another store', mark => seal('mark', { ...mark, store: '9'.repeat(32) }, [HUB])],
      ['above its own numbers', mark => seal('mark', { ...mark, number: 10_000 }, [HUB])],
      ['that the hub did not sign', mark => seal('mark', mark, [NODE])],
    ];
    for (const [sentence, forge] of MARKS) {
      test(`publishes everything over a mark ${sentence}`, async () => {
        await hub.apply('shop', [manifest('web')]);
        await markCoversAll();
        await hub.stop();
        const store = await hub.store.id();
        const number = await hub.store.lastPublication();
        const forged = forge({ fleet: FLEET, store, number });
        await spy.publish(topics.mark(), forged);
        await eventually('the forged mark', () => spy.retained.get(topics.mark())?.equals(forged));
        spy.publishedSince();
        hub.start();
        await markCoversAll();
        assert.equal(spy.publishedSince().length, (await hub.publications()).size);
      });
    }

    test('is online with a new session on each connection, and offline by its will', async () => {
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
      await hub.join('edge1', edge.signer);
      await hub.apply('shop', [manifest('web')]);
      await eventually(
        'the node is assigned',
        async () => ((await hub.store.assignment('edge1'))?.generation ?? 0) > 1,
      );
      await markCoversAll();
      const number = await hub.store.lastPublication();
      await hub.kill();
      hub.start();
      await hub.join('edge2', new ScriptedNode('edge2').signer);
      await eventually(
        'the loop has looked',
        async () => (await hub.store.assignment('edge2')) !== null,
      );
      await markCoversAll();
      assert.equal((await hub.store.assignment('edge1'))?.generation, 2);
      assert.equal(await hub.store.lastPublication(), number + 1);
    });

    test('answers a request for a fresh assignment with its nonce, and keeps it in what follows', async () => {
      await hub.join('edge1', edge.signer);
      await edge.connect(broker.port);
      await edge.status();
      const nonce = await edge.ask('assignment');
      await eventually('the nonce comes', () => edge.lastAssignment()?.nonce === nonce);
      await hub.apply('shop', [manifest('web')]);
      await eventually('the bundle comes', () => edge.lastAssignment()?.bundles.length === 1);
      assert.equal(edge.lastAssignment()?.nonce, nonce);
    });

    test('goes on counting for a node that was deleted and joins again', async () => {
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

    test('publishes again what a node misses, and says what it has not', async () => {
      const digest = await hub.apply('shop', [manifest('web')]);
      await hub.join('edge1', edge.signer);
      await edge.connect(broker.port);
      await edge.status();
      await markCoversAll();
      await spy.publish(topics.blob(digest), Buffer.alloc(0));
      await spy.publish(topics.root(1), Buffer.alloc(0));
      await eventually('the broker lost it', () => !spy.retained.has(topics.blob(digest)));
      const absent = 'f'.repeat(64);
      const nonce = await edge.ask('blobs', { digests: [digest, absent] });
      const answer = await eventually('the answer', () => edge.answers[0]);
      assert.deepEqual(
        [answer.nonce, answer.published, answer.absent],
        [nonce, [digest], [absent]],
      );
      await edge.ask('root', { rootVersion: 1 });
      await brokerHoldsTheStore();
    });

    test('confirms events that lie in its store, each once and without a gap', async () => {
      await hub.join('edge1', edge.signer);
      await edge.connect(broker.port);
      await edge.events(1, 1, 2);
      await eventually('the first are safe', () => edge.lastAck()?.through === 2);
      assert.deepEqual(await recordedEvents(), [1, 2]);
      await edge.events(1, 1, 2, 3);
      await edge.events(1, 5, 6);
      await eventually('what follows a gap is not', () => edge.lastAck()?.through === 3);
      assert.deepEqual(await recordedEvents(), [1, 2, 3]);
      await edge.events(1, 4, 5, 6);
      await eventually('the gap is filled', () => edge.lastAck()?.through === 6);
      await edge.events(10, 10);
      await eventually('what left the outbox is lost', () => edge.lastAck()?.through === 10);
      assert.deepEqual(await recordedEvents(), [1, 2, 3, 4, 5, 6, 10]);
      const { items } = await hub.store.list('Event');
      const lost = (items as readonly EventObject[]).filter(e => e.spec.reason === 'EventsLost');
      assert.equal(lost.length, 1);
      assert.match(lost[0]?.spec.message ?? '', /^3 events/);
    });

    test('confirms nothing that it could not record, and records it when it comes again', async () => {
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
      assert.deepEqual(await recordedEvents(), [1, 2]);
    });

    test('shows pods as the node tells them, under the config hash that kubectl asks for', async () => {
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
      assert.deepEqual(await recordedEvents(), [1, 1, 2, 2, 3]);
    });

    test('refuses what another key signed, and goes on', async () => {
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
}

describe('what takes its time (on a quicker clock)', () => {
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
