/** A broker that lets others write to the hub's topics, and one that sends more than anybody may (S39, S61). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ownTopics } from '../../../hub/link/own-topics.js';
import { startBroker as startTestBroker } from '../../support/brokers.js';
import { fastClock } from '../../support/fast-clock.js';
import { eventually } from '../../support/wait.js';
import {
  blob,
  lastMark,
  numberOf,
  PublisherWorld,
  spyOn,
  topics,
} from '../../support/publisher-world.js';

let world: PublisherWorld;

beforeEach(async () => {
  world = await PublisherWorld.make();
});
afterEach(() => world.close());

describe('topics of the hub on a broker that lets others write there', () => {
  test('S61: what others put there, or took away, is replaced and said once', async () => {
    const broker = await startTestBroker('mosquitto');
    const { client, said } = await spyOn(broker.port);
    const put = (topic: string, payload: string | Buffer) =>
      client.publishAsync(topic, payload, { qos: 1, retain: true });
    const last = (topic: string) => said.findLast(one => one.topic === topic)?.payload.toString();
    const assignment = topics.node('edge-1', 'assignment');
    const unknown = blob(999);
    try {
      // While the hub is away, and on a broker that knows its mark.
      await world.publishBlobs(40);
      const actor = { kind: 'hub', name: 'test' } as const;
      const publish = (payload: Buffer) =>
        world.store.commit(actor, [{ type: 'publish', topic: assignment, payload }]);
      await publish(Buffer.from('first'));
      const away = world.startLink(broker.port);
      await eventually('the mark', () => numberOf(lastMark(said)) === 41);
      await away.close();
      await put(blob(1), 'garbage');
      await put(unknown, 'of nobody');
      world.log.splice(0);
      const clock = fastClock(Date.now(), 5);
      const quiet = () => undefined;
      const say = (message: string, fields: object = {}) =>
        void world.log.push(`${message} ${JSON.stringify(fields)}`);
      const guest = ownTopics({
        ...{ store: world.store, topics, clock, epoch: () => 1 },
        log: { info: quiet, warn: say, error: say },
      });
      const hub = world.startLink(broker.port, { guests: [guest] }, 5);
      await eventually('it is connected', () => hub.connected());
      await eventually('blob 1 is restored', () => last(blob(1)) === 'content 1');
      // While it is there: other words, its own old ones, none.
      await publish(Buffer.from('second'));
      await eventually('the second', () => last(assignment) === 'second');
      const from = said.length;
      const came = (topic: string, text: string) =>
        eventually(`${topic} is ${text}`, () =>
          said.slice(from).some(one => one.topic === topic && one.payload.toString() === text),
        );
      await put(assignment, 'first');
      await put(blob(2), '');
      await Promise.all([came(assignment, 'first'), came(blob(2), '')]);
      await eventually('the assignment again', () => last(assignment) === 'second');
      await eventually('blob 2 again', () => last(blob(2)) === 'content 2');
      await eventually('an event', async () => {
        const { items } = await world.store.list('Event');
        return items.some(({ metadata }) => metadata.name.includes('foreignpublication'));
      });
      assert.equal(last(unknown), 'of nobody', 'what the store knows nothing of is left');
      const warned = world.log.filter(line => line.startsWith('somebody else writes'));
      assert.equal(warned.length, 1);
      assert.match(warned[0] ?? '', /"restored":1,"unknown":1/);
      // Its own words in a burst are nobody else's: each is said once.
      said.splice(0);
      await world.publishBlobs(300, 1_000);
      for (let n = 0; n < 20; n++) await publish(Buffer.from(`word ${n}`));
      await eventually('the last word', () => last(assignment) === 'word 19');
      await clock.sleep(10_000);
      const words = said
        .filter(({ topic }) => topic === assignment)
        .map(one => one.payload.toString());
      assert.equal(new Set(words).size, words.length, words.join());
      assert.equal(said.filter(({ topic }) => topic.includes('/blob/')).length, 300);
    } finally {
      await world.link?.close();
      await client.endAsync(true);
      await broker.stop();
    }
  });
});

test('S39: a packet of 200 MiB is cut off at its header by the hub too', async () => {
  const MIB = 1024 * 1024;
  let sent = 0;
  const hungUp = new AbortController();
  const server = createServer(socket => {
    socket.on('error', () => undefined);
    socket.on('close', () => hungUp.abort());
    socket.once('data', () => {
      // CONNACK; PUBLISH, QoS 0, of 200 MiB; then as much as is taken.
      socket.write(Buffer.from([0x20, 0x02, 0x00, 0x00, 0x30, 0x80, 0x80, 0x80, 0x64]));
      const flood = () => {
        while (!socket.destroyed && sent < 200 * MIB && socket.write(Buffer.alloc(MIB)))
          sent += MIB;
      };
      socket.on('drain', flood);
      flood();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    world.startLink((server.address() as AddressInfo).port);
    await eventually('the hub hangs up', () => hungUp.signal.aborted);
    assert.ok(sent < 32 * MIB, `${sent / MIB} MiB were taken`);
    await eventually('it says why', () =>
      world.log.some(line => /announced a packet of more/.test(line)),
    );
  } finally {
    await world.link?.close();
    server.close();
  }
});
