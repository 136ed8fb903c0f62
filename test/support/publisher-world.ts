/**
 * The hub's link and its store without the rest of a hub, and what a broker heard of it: a test starts the link on the broker
 * that it likes, publishes numbered blobs, and reads what was said, received and logged.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type MqttClient } from 'mqtt';
import type { HubLink, HubLinkOptions } from '../../hub/link/link-options.js';
import { startHubLink } from '../../hub/link/link.js';
import type { NodeMessage } from '../../hub/link/messages.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import type { Store } from '../../hub/store/store.js';
import { topicsOf } from '../../protocol/topics.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { fastClock } from './fast-clock.js';
import { FLEET, HUB, NODE_NAME, trustedRoot } from './fleet.js';
import { eventually } from './wait.js';

export const topics = topicsOf(FLEET);
export const blob = (n: number) => topics.blob(n.toString(16).padStart(64, '0'));
export const status = topics.node(NODE_NAME, 'status');
export const ACK = {
  ...{ fleet: FLEET, node: NODE_NAME, journal: 'a'.repeat(32), through: 3 },
  ...{ boot: 1, counter: 1, row: 1, pods: {}, epoch: 1, generation: 1 },
};

export class PublisherWorld {
  readonly log: string[] = [];
  readonly received: NodeMessage[] = [];
  /** The one that was started last. */
  link: HubLink | null = null;
  ups = 0;
  downs = 0;
  readonly store: Store;
  readonly #directory: string;

  private constructor(directory: string, store: Store) {
    this.#directory = directory;
    this.store = store;
  }

  static async make(): Promise<PublisherWorld> {
    const directory = mkdtempSync(join(tmpdir(), 'flotilla-publisher-'));
    const store = await openSqliteStore({ path: join(directory, 'hub.db'), clock: fastClock(0) });
    return new PublisherWorld(directory, store);
  }

  async close(): Promise<void> {
    await this.link?.close();
    await this.store.close();
    rmSync(this.#directory, { recursive: true });
  }

  /** `speed`: of the link's clock. */
  startLink(port: number, change: Partial<HubLinkOptions> = {}, speed = 1): HubLink {
    const say = (message: string, fields: object = {}) =>
      void this.log.push(`${message} ${JSON.stringify(fields)}`);
    this.link = startHubLink({
      url: `mqtt://127.0.0.1:${port}`,
      tls: null,
      root: () => trustedRoot(),
      hubSigner: HUB,
      sealingKey: '11'.repeat(32),
      store: this.store,
      clock: fastClock(Date.now(), speed),
      log: { info: say, warn: say, error: say },
      random: randomBytes,
      brokerIsFresh: false,
      onMessage: message => this.received.push(message),
      onUp: () => this.ups++,
      onDown: () => this.downs++,
      ...change,
    });
    return this.link;
  }

  /** Publications one to a commit, so that their numbers are known: from 1, in order. */
  async publishBlobs(count: number, from = 1): Promise<void> {
    for (let n = from; n < from + count; n++) {
      const payload = Buffer.from(`content ${n}`);
      await this.store.commit({ kind: 'hub', name: 'test' }, [
        { type: 'publish', topic: blob(n), payload },
      ]);
    }
  }

  async clear(n: number): Promise<void> {
    await this.store.commit({ kind: 'hub', name: 'test' }, [
      { type: 'publish', topic: blob(n), payload: null },
    ]);
  }
}

export interface Said {
  readonly topic: string;
  readonly payload: Buffer;
}

export function numberOf(payload: Buffer | undefined): number | null {
  const opened = payload && openHubDocument('mark', payload, { root: trustedRoot() });
  return opened?.ok ? opened.value.document.number : null;
}

export function lastMark(said: readonly Said[]): Buffer | undefined {
  return said.findLast(one => one.topic === topics.mark())?.payload;
}

export async function spyOn(port: number): Promise<{ client: MqttClient; said: Said[] }> {
  const said: Said[] = [];
  const client = connect(`mqtt://127.0.0.1:${port}`, { clientId: 'spy', reconnectPeriod: 20 });
  client.on('error', () => undefined);
  client.on('message', (topic, payload) => said.push({ topic, payload }));
  await eventually('the spy connects', () => client.connected);
  await client.subscribeAsync(`${topics.prefix}#`, { qos: 1 });
  return { client, said };
}
