/** Sees everything on a broker, for tests of what the hub publishes there. */
import { connect, type MqttClient } from 'mqtt';
import { topicsOf } from '../../protocol/topics.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { FLEET, trustedRoot } from './fleet.js';
import { eventually } from './wait.js';

const topics = topicsOf(FLEET);

/** Retained messages with what is said live. */
export class BrokerSpy {
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

  static async on(port: number, clientId = 'spy'): Promise<BrokerSpy> {
    const client = connect(`mqtt://127.0.0.1:${port}`, { clientId, reconnectPeriod: 20 });
    client.on('error', () => undefined);
    const spy = new BrokerSpy(client);
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
