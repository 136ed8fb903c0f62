/**
 * A real hub, a real agent on the real engine, and Mosquitto with TLS that allows everything to
 * everyone, or with proper access rules. Once the node runs its bundle, the hub may be ended: from then on its keys
 * are the test's, as if they were stolen.
 */
import { connect, type MqttClient } from 'mqtt';
import { loadIdentity } from '../../agent/membership/identity.js';
import { HUB_NAME } from '../../agent/membership/hub-tls.js';
import { readJournal } from '../../agent/journal/reader.js';
import { loadHub, type LoadedHub } from '../../hub/setup/load.js';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { RequestDocument, StatusDocument } from '../../protocol/documents/node.js';
import { openEnvelope, seal } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { topicsOf, type Topics } from '../../protocol/topics.js';
import { openNodeDocument } from '../../protocol/verify-messages.js';
import { ensureTestImage, TEST_IMAGE } from './docker.js';
import { freePort, Playground, writeMosquitto } from './programs.js';
import type { Attacked } from './refusal.js';
import { eventually } from './wait.js';

export const NODE = 'edge-1';
const MOSQUITTO = '/usr/sbin/mosquitto';

export function podOf(name: string, word = 'one'): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: TEST_IMAGE,
          command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.2; done'],
          env: [{ name: 'WORD', value: word }],
        },
      ],
    },
  };
}

export class AttackWorld implements Attacked {
  readonly play = new Playground();
  readonly statuses: StatusDocument[] = [];
  readonly requests: RequestDocument[] = [];
  /** What lay on the node's assignment topic last. */
  assignment: AssignmentDocument | null = null;
  #hub: LoadedHub | null = null;
  #client: MqttClient | null = null;
  #port = 0;
  readonly #blobs = new Map<string, Buffer>();
  #onRequest: ((request: RequestDocument) => void) | null = null;

  /** Until the node runs the pods of bundle `shop`. */
  static async begin(options: { readonly allowsAll?: boolean } = {}): Promise<AttackWorld> {
    const world = new AttackWorld();
    try {
      await world.#begin(options);
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  get dataDir(): string {
    return this.play.path(NODE);
  }

  get staticPodPath(): string {
    return this.play.path(NODE, 'manifests');
  }

  get hub(): LoadedHub {
    if (!this.#hub) throw new Error('the hub is not loaded yet');
    return this.#hub;
  }

  get topics(): Topics {
    return topicsOf(this.hub.root.document.fleet);
  }

  pid(): number | null {
    return this.play.pid(NODE);
  }

  log(): string {
    return this.play.log(NODE);
  }

  /** The agent's own word, at the device. */
  async status<T>(): Promise<T> {
    const { stdout, stderr, code } = await this.play.agent(
      ...['status', '--data-dir', this.dataDir, '-o', 'json'],
    );
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout) as T;
  }

  /** The newest status that satisfies the predicate, from the one numbered `from` on. */
  said(what: string, is: (status: StatusDocument) => boolean, from = 0): Promise<StatusDocument> {
    return eventually(`a status: ${what}`, () => this.statuses.slice(from).findLast(is));
  }

  // ------------------------------------------------------------------------ what the test sends

  async publish(topic: string, payload: Buffer | string, retain = true): Promise<void> {
    await this.#client?.publishAsync(topic, payload, { qos: 1, retain });
  }

  /** The accepted assignment with another generation and other changes, signed by the hub's key. */
  forge(change: Partial<AssignmentDocument> = {}, signers?: readonly Signer[]): Buffer {
    if (!this.assignment) throw new Error('no assignment was seen');
    const document = { ...this.assignment, ...change };
    return seal('assignment', document, signers ?? [this.hub.hubSigner]);
  }

  async assign(change: Partial<AssignmentDocument>, signers?: readonly Signer[]): Promise<void> {
    await this.publish(this.topics.node(NODE, 'assignment'), this.forge(change, signers));
  }

  accepted(): { epoch: number; generation: number } {
    const rows = readJournal(this.dataDir).history;
    const last = rows.findLast(({ entry }) => entry.kind === 'assignment')?.entry;
    if (last?.kind !== 'assignment') throw new Error('nothing is accepted');
    return last;
  }

  /** The same bundles, signed anew: accepted, and no container is touched. */
  async acceptsNext(change: Partial<AssignmentDocument> = {}): Promise<void> {
    const generation = this.accepted().generation + 1;
    const now = Date.now();
    const fresh = { issued: iso(now), notAfter: iso(now + 90 * 86_400_000) };
    await this.assign({ ...fresh, ...change, generation });
    await eventually(`generation ${generation} is accepted`, () => {
      return this.accepted().generation === generation;
    });
    this.assignment = {
      ...(this.assignment as AssignmentDocument),
      ...fresh,
      ...change,
      generation,
    };
  }

  /** With the nonce of the node's request. */
  async acceptsNonce(generation: number, nonce: string): Promise<void> {
    const now = Date.now();
    const fresh = { issued: iso(now), notAfter: iso(now + 90 * 86_400_000) };
    await this.assign({ ...fresh, generation, nonce });
    await eventually(`generation ${generation} is accepted`, () => {
      return this.accepted().generation === generation;
    });
    this.assignment = { ...(this.assignment as AssignmentDocument), ...fresh, generation };
  }

  /** A blob that lay on the broker while the test listened. */
  blob(digest: string): Buffer {
    const payload = this.#blobs.get(digest);
    if (!payload) throw new Error(`no blob ${digest} was seen`);
    return payload;
  }

  /** Hears each genuine request of the node from now on; null: nobody does. */
  onRequest(hear: ((request: RequestDocument) => void) | null): void {
    this.#onRequest = hear;
  }

  /** Answers each question for the time with what `time` says; null: none. */
  answersTime(time: (() => number) | null): void {
    this.onRequest(
      time &&
        (({ want, nonce }) => {
          if (want === 'time') void this.tellTime(nonce, time());
        }),
    );
  }

  async tellTime(nonce: string, at: number, change: Record<string, unknown> = {}): Promise<void> {
    const { fleet } = this.hub.root.document;
    const document = { fleet, node: NODE, nonce, time: iso(at), ...change };
    const payload = seal('time', document, [this.hub.hubSigner]);
    await this.publish(this.topics.node(NODE, 'time'), payload, false);
  }

  /** From now on the test is the hub. */
  async takeHub(): Promise<void> {
    await this.play.kill('hub', 'SIGKILL');
  }

  async close(): Promise<void> {
    await this.#client?.endAsync(true).catch(() => undefined);
    await this.play.close();
  }

  async #begin({ allowsAll = true }: { readonly allowsAll?: boolean }): Promise<void> {
    const { play } = this;
    ensureTestImage();
    const [api, port] = [await freePort(), await freePort()];
    this.#port = port;
    const address = `127.0.0.1:${api}`;
    await play.ok(
      ...['hub', 'init', '--data-dir', play.path('hub'), '--listen', address],
      ...['--broker', `mqtts://127.0.0.1:${port}`],
    );
    const conf = writeMosquitto(play, port, { allowsAll });
    play.start('mosquitto', MOSQUITTO, ['-c', conf]);
    play.startHub();
    await play.hubAnswers();
    this.#hub = loadHub(play.path('hub'));
    await play.join(NODE);
    await this.#listen();
    const file = play.write('shop.json', JSON.stringify(podOf('web')));
    await play.ok('apply', '-f', file, '--bundle', 'shop', '--all-nodes');
    await this.said('shop is there', ({ bundles }) => {
      return ['progressing', 'healthy'].includes(bundles[0]?.state ?? '');
    });
  }

  async #listen(): Promise<void> {
    const { mqtt, authority } = this.hub;
    const client = connect(`mqtts://127.0.0.1:${this.#port}`, {
      ...{ clientId: `${HUB_NAME}:test`, key: mqtt.key, cert: mqtt.certificate },
      ...{ ca: authority.certificate, checkServerIdentity: () => undefined },
    });
    client.on('error', () => undefined);
    client.on('message', (topic, payload) => this.#receive(topic, payload));
    this.#client = client;
    await eventually('the test is connected', () => client.connected);
    const kinds = ['status', 'request', 'assignment'] as const;
    await client.subscribeAsync(
      [...kinds.map(kind => this.topics.node(NODE, kind)), this.topics.blob('+')],
      { qos: 1 },
    );
  }

  #receive(topic: string, payload: Buffer): void {
    const address = this.topics.parse(topic);
    if (address?.kind === 'blob') return void this.#blobs.set(address.digest, payload);
    if (address?.kind === 'assignment') {
      const opened = openEnvelope(payload, { kind: 'assignment', bytesMax: 1 << 20 });
      // What the test itself forged is no truth.
      if (opened.ok && this.play.pid('hub') !== null) {
        this.assignment = JSON.parse(opened.value.payload.toString()) as AssignmentDocument;
      }
      return;
    }
    const { fleet } = this.hub.root.document;
    const identityKey = loadIdentity(this.dataDir)?.signer.publicKey ?? '';
    const context = { fleet, node: NODE, identityKey };
    if (address?.kind === 'status') {
      const opened = openNodeDocument('status', payload, context);
      if (opened.ok) this.statuses.push(opened.value.document);
    } else if (address?.kind === 'request') {
      const opened = openNodeDocument('request', payload, context);
      if (!opened.ok) return;
      this.requests.push(opened.value.document);
      this.#onRequest?.(opened.value.document);
    }
  }
}

export function iso(at: number): string {
  return new Date(at).toISOString();
}
