/**
 * The hub of the yardstick: MQTT.js with a window of 100, as fast as it goes, with the signatures that the true loop needs and nothing else: no
 * store, no documents, no decisions.
 */
import type { MqttClient } from 'mqtt';
import type { LoadedHub } from '../../hub/setup/load.js';
import { topicsOf } from '../../protocol/topics.js';
import { bareClient } from './bare-client.js';
import { eachOf } from './fleet/at-once.js';
import { isSigned, signedMessage } from './fleet/bare.js';
import { nowNs } from './fleet/counts.js';

const WINDOW = 100;

export interface BareLoop {
  readonly assignmentBytes: number;
  /** Checked and answered with as many signed bytes; none: delivery alone. */
  readonly replies: number;
  readonly ackBytes: number;
  readonly nodes: readonly { readonly name: string; readonly publicKey: string }[];
}

export class BareHub {
  readonly #hub: LoadedHub;
  readonly #client: MqttClient;

  private constructor(hub: LoadedHub, client: MqttClient) {
    this.#hub = hub;
    this.#client = client;
  }

  static async connect(hub: LoadedHub, port: number): Promise<BareHub> {
    return new BareHub(hub, await bareClient(hub, port));
  }

  /** Nanoseconds from the first publication to the last reply that was checked; with no replies, to the last PUBACK. */
  async run({
    assignmentBytes,
    replies,
    ackBytes,
    nodes,
  }: BareLoop): Promise<{ beganNs: number; endedNs: number }> {
    const topics = topicsOf(this.#hub.root.document.fleet);
    const sign = (message: Uint8Array) => this.#hub.hubSigner.sign(message);
    const keys = new Map(nodes.map(({ name, publicKey }) => [name, publicKey]));
    const all = nodes.length * replies;
    let checked = 0;
    let onAll: () => void = () => undefined;
    const over = new Promise<void>(resolve => (onAll = resolve));
    this.#client.on('message', (topic, payload) => {
      const address = topics.parse(topic);
      const node = address !== null && 'node' in address ? address.node : '';
      if (!isSigned(payload, keys.get(node) ?? '')) throw new Error(`${node} signs badly`);
      checked++;
      this.#client.publish(topics.node(node, 'ack'), signedMessage(ackBytes, sign), { qos: 1 });
      if (checked === all) onAll();
    });
    if (replies > 0) await this.#client.subscribeAsync(topics.everyNode('event'), { qos: 1 });
    const plain = Buffer.alloc(assignmentBytes, 0x61);
    const beganNs = nowNs();
    await eachOf(nodes, WINDOW, ({ name }) => {
      const message = replies > 0 ? signedMessage(assignmentBytes, sign) : plain;
      const how = { qos: 1, retain: true } as const;
      return this.#client.publishAsync(topics.node(name, 'assignment'), message, how);
    });
    if (replies > 0) await over;
    return { beganNs, endedNs: nowNs() };
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }
}
