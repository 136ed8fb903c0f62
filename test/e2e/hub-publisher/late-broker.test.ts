/**
 * The hub's publisher against a broker that acknowledges late or never: what it may claim in its mark, and how much it keeps
 * in flight.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Aedes } from 'aedes';
import { NODE_NAME } from '../../support/fleet.js';
import { eventually } from '../../support/wait.js';
import {
  ACK,
  blob,
  numberOf,
  PublisherWorld,
  spyOn,
  topics,
  type Said,
} from '../../support/publisher-world.js';

let world: PublisherWorld;

beforeEach(async () => {
  world = await PublisherWorld.make();
});
afterEach(() => world.close());

/** aedes on a plain socket that holds back the PUBACK of what `holds` names. */
class HoldingBroker {
  holds: (topic: string) => boolean = () => false;
  /** PUBLISHes of the hub's link whose PUBACK is held back. */
  held = 0;
  readonly seen: Said[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #aedes: Aedes;
  readonly #server = createServer(socket => {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    this.#aedes.handle(socket);
  });

  private constructor(aedes: Aedes) {
    this.#aedes = aedes;
    aedes.authorizePublish = (client, { topic, payload }, done) => {
      this.seen.push({ topic, payload: Buffer.from(payload) });
      if (!this.holds(topic)) return done(null);
      this.held++;
      // aedes reads on when everything that it read was answered: as if this had been.
      setImmediate(() => client?.conn.emit('readable'));
    };
  }

  static async start(): Promise<HoldingBroker> {
    const broker = new HoldingBroker(await Aedes.createBroker({ concurrency: 10_000 }));
    broker.#server.listen(0, '127.0.0.1');
    await once(broker.#server, 'listening');
    return broker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  marks(): (number | null)[] {
    return this.seen
      .filter(({ topic }) => topic === topics.mark())
      .map(({ payload }) => numberOf(payload));
  }

  blobs(): string[] {
    return this.seen.map(({ topic }) => topic).filter(topic => topic.includes('/blob/'));
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
    await new Promise<void>(resolve => this.#aedes.close(resolve));
  }
}

describe("the hub's publisher on a broker that acknowledges late", () => {
  let broker: HoldingBroker;
  beforeEach(async () => {
    broker = await HoldingBroker.start();
  });
  afterEach(async () => {
    await world.link?.close();
    await broker.stop();
  });

  test('marks nothing at or above what is not acknowledged, and starts over from the mark', async () => {
    await world.publishBlobs(10);
    broker.holds = topic => topic === blob(6);
    world.startLink(broker.port, { brokerIsFresh: true });
    await eventually('a mark', () => broker.marks().includes(5));
    await world.publishBlobs(5, 11);
    await eventually('what follows is sent', () => broker.blobs().includes(blob(15)));
    await eventually('the birth', () => world.link?.connected());
    assert.ok(broker.marks().every(number => number !== null && number <= 5));
    broker.holds = () => false;
    broker.seen.splice(0);
    broker.cut();
    await eventually('the whole mark', () => broker.marks().includes(15));
    const expected = Array.from({ length: 10 }, (_, i) => blob(i + 6));
    assert.deepEqual(broker.blobs(), expected);
    assert.ok(broker.marks().every(number => number !== null && number > 5));
  });

  test('has a hundred in flight and no more, messages among them', async () => {
    await world.publishBlobs(150);
    broker.holds = topic => topic !== topics.hub() && topic !== topics.mark();
    const running = world.startLink(broker.port, { brokerIsFresh: true }, 4);
    await eventually('it is connected', () => running.connected());
    await eventually('the window is full', () => broker.held >= 100);
    for (let i = 0; i < 20; i++) running.messenger.ack(NODE_NAME, ACK);
    // What it says about itself needs no place, and comes on the same connection after the rest.
    const spy = await spyOn(broker.port);
    broker.seen.splice(0);
    await spy.client.publishAsync(topics.hub(), 'an old word', { qos: 1, retain: true });
    await eventually('its birth again', () => broker.seen.length === 2);
    await spy.client.endAsync(true);
    assert.equal(broker.held, 100);
    assert.deepEqual(broker.marks(), []);
  });

  test('gives up a broker that acknowledges nothing', async () => {
    await world.publishBlobs(1);
    broker.holds = topic => topic === blob(1);
    world.startLink(broker.port, { brokerIsFresh: true }, 100);
    await eventually('the next attempt', () => broker.held > 1);
    assert.ok(world.log.some(line => line.includes('acknowledged nothing')));
  });
});
