/** The hub between its store and a real broker, and a scripted node: made anew for each test. */
import { after, afterEach, before, beforeEach, describe } from 'node:test';
import type { EventObject } from '../../hub/objects.js';
import { topicsOf } from '../../protocol/topics.js';
import { BrokerSpy } from './broker-spy.js';
import { startBroker, type BrokerKind, type TestBroker } from './brokers.js';
import { FLEET } from './fleet.js';
import { HubCore } from './hub-core.js';
import { ScriptedNode } from './scripted-node.js';
import { eventually } from './wait.js';

/** Of the hub's clock, where it waits before it tries its broker again, or for a mark that does not come. */
export const HURRY = 5;

export class HubOnBroker {
  broker!: TestBroker;
  hub!: HubCore;
  spy!: BrokerSpy;
  /** `edge1`. */
  edge!: ScriptedNode;

  async begin(): Promise<void> {
    await this.broker.restart();
    this.hub = await HubCore.make(this.broker.port);
    this.spy = await BrokerSpy.on(this.broker.port);
    this.edge = new ScriptedNode('edge1');
    this.hub.start({ brokerIsFresh: true });
    // A scripted node says things once: somebody has to listen by then.
    const topic = topicsOf(FLEET).hub();
    await eventually('the hub is online', () => this.spy.retained.has(topic));
  }

  async end(): Promise<void> {
    await this.edge.vanish();
    await this.spy.end();
    await this.hub.close();
  }

  async markCoversAll(): Promise<void> {
    const { hub, spy } = this;
    await eventually('the mark covers everything', async () => {
      const number = await hub.store.lastPublication();
      return spy.markNumber(await hub.store.id()) === number && number > 0;
    });
  }

  async brokerHoldsTheStore(): Promise<void> {
    const { hub, spy } = this;
    await eventually('the broker holds what the store says', async () => {
      for (const [topic, payload] of await hub.publications()) {
        const held = spy.retained.get(topic);
        if (payload === null ? held !== undefined : !held?.equals(payload)) return false;
      }
      return true;
    });
  }

  /** Numbers of the events that the scripted node told. */
  async recordedEvents(): Promise<number[]> {
    const { items } = await this.hub.store.list('Event');
    return (items as readonly EventObject[])
      .filter(({ spec }) => spec.reason === 'Tested')
      .map(({ spec }) => spec.flotilla.n)
      .sort((a, b) => a - b);
  }
}

/** The same tests on both brokers, which keep nothing over a restart. */
export function onBothBrokers(what: string, tests: (it: HubOnBroker) => void): void {
  for (const kind of ['mosquitto', 'aedes'] as const satisfies readonly BrokerKind[]) {
    describe(`${what} (${kind})`, () => {
      const it = new HubOnBroker();
      before(async () => {
        it.broker = await startBroker(kind);
      });
      after(async () => it.broker.stop());
      beforeEach(() => it.begin());
      afterEach(() => it.end());
      tests(it);
    });
  }
}
