/**
 * A hub for tests of the node: signs with the keys of `fleet.ts`, publishes what it is told,
 * records and checks what the node says, and confirms or answers only when told to.
 */
import { connect, type MqttClient } from 'mqtt';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type {
  EventDocument,
  PodDocument,
  PresenceDocument,
  RequestDocument,
  StatusDocument,
} from '../../protocol/documents/node.js';
import { seal } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { topicsOf } from '../../protocol/topics.js';
import { openNodeDocument } from '../../protocol/verify-messages.js';
import { KnownStatuses } from '../../hub/ingest/known-statuses.js';
import { assignmentDocument, FLEET, HUB, NODE, NODE_NAME, RELEASE } from './fleet.js';
import { eventually } from './wait.js';

interface Said {
  readonly presence: PresenceDocument[];
  readonly request: RequestDocument[];
  readonly status: StatusDocument[];
  readonly pod: PodDocument[];
  readonly event: EventDocument[];
}

const KINDS = ['presence', 'request', 'status', 'pod', 'event'] as const;

export class ScriptedHub {
  readonly topics = topicsOf(FLEET);
  /** Genuine documents of the node, in order. */
  readonly said: Said = { presence: [], request: [], status: [], pod: [], event: [] };
  /** Topics with something on them that the node's key did not sign, or that is no document. */
  readonly foreign: string[] = [];
  /** What acknowledgements say of the assignment. */
  assigned = { epoch: 1, generation: 0 };
  lastPublished: Buffer = Buffer.alloc(0);
  /** Payload sizes by topic kind. */
  readonly sizes: { kind: string; bytes: number }[] = [];
  readonly #client: MqttClient;
  readonly #statuses = new KnownStatuses();

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (topic, payload) => this.#receive(topic, payload));
  }

  static async connect(port: number): Promise<ScriptedHub> {
    const client = connect(`mqtt://127.0.0.1:${port}`, { clientId: 'hub', reconnectPeriod: 50 });
    client.on('error', () => undefined);
    const hub = new ScriptedHub(client);
    await eventually('the hub to connect', () => client.connected);
    await client.subscribeAsync(
      KINDS.map(kind => hub.topics.everyNode(kind)),
      { qos: 1 },
    );
    return hub;
  }

  /** Safe to call twice. */
  async stop(): Promise<void> {
    if (!this.#client.disconnecting && !this.#client.disconnected)
      await this.#client.endAsync(true);
  }

  async publish(topic: string, payload: Buffer | string, retain = true): Promise<void> {
    this.lastPublished = Buffer.from(payload);
    await this.#client.publishAsync(topic, payload, { qos: 1, retain });
  }

  async announce(session: string, online = true): Promise<void> {
    const document = { fleet: FLEET, epoch: 1, session, online, sealingKey: '11'.repeat(32) };
    await this.publish(this.topics.hub(), seal('hub', document, [HUB]));
  }

  /** The manifests as they are, then the envelope. */
  async publishBundle(
    document: BundleDocument,
    pods: readonly Record<string, unknown>[],
    signers: readonly Signer[] = [RELEASE],
  ): Promise<void> {
    for (const pod of pods) await this.publishBlob(canonicalJson(pod));
    await this.publishEnvelope(document, signers);
  }

  async publishEnvelope(
    document: BundleDocument,
    signers: readonly Signer[] = [RELEASE],
  ): Promise<void> {
    const digest = sha256Hex(canonicalJson(document));
    await this.publish(this.topics.blob(digest), seal('bundle', document, signers));
  }

  async publishBlob(content: string | Buffer, published: Buffer | string = content): Promise<void> {
    await this.publish(this.topics.blob(sha256Hex(content)), published);
  }

  /** As if they had never been published. */
  async clearBlobs(document: BundleDocument): Promise<void> {
    const digests = [sha256Hex(canonicalJson(document))];
    digests.push(...document.manifests.map(({ digest }) => digest));
    for (const digest of digests) await this.publish(this.topics.blob(digest), '');
  }

  async assign(
    change: Partial<AssignmentDocument>,
    signers: readonly Signer[] = [HUB],
  ): Promise<void> {
    const payload = seal('assignment', assignmentDocument(change), signers);
    await this.publish(this.topics.node(NODE_NAME, 'assignment'), payload);
  }

  async answer(nonce: string, change: { published?: string[]; absent?: string[] }): Promise<void> {
    const document = { fleet: FLEET, node: NODE_NAME, nonce, published: [], absent: [], ...change };
    const topic = this.topics.node(NODE_NAME, 'answer');
    await this.publish(topic, seal('answer', document, [HUB]), false);
  }

  /** Confirms events through `through`, the newest status, and every pod document seen. */
  /** `has`: what the hub says it has of pods, instead of all that came. */
  async acknowledge(through: number, has?: Record<string, string>): Promise<void> {
    const status = this.status();
    const came = Object.fromEntries(
      this.said.pod.map(({ pod }) => {
        const { namespace, name } = pod['metadata'] as { namespace: string; name: string };
        return [`${namespace}/${name}`, sha256Hex(canonicalJson(pod))];
      }),
    );
    const document = {
      fleet: FLEET,
      node: NODE_NAME,
      journal: status.journal,
      through,
      boot: status.boot,
      counter: status.counter,
      row: status.history.row,
      pods: has ?? came,
      ...this.assigned,
    };
    const topic = this.topics.node(NODE_NAME, 'ack');
    await this.publish(topic, seal('ack', document, [HUB]), false);
  }

  /** The newest status. */
  status(): StatusDocument {
    const status = this.said.status[this.said.status.length - 1];
    if (!status) throw new Error('the node has sent no status');
    return status;
  }

  /** Waits for a status that satisfies the predicate. */
  async statusWhere(what: string, is: (status: StatusDocument) => boolean) {
    return eventually(`a status: ${what}`, () => this.said.status.findLast(is));
  }

  #receive(topic: string, payload: Buffer): void {
    const address = this.topics.parse(topic);
    const kind = KINDS.find(known => known === address?.kind);
    if (!kind || payload.byteLength === 0) return;
    const whole = kind === 'status' ? this.#statuses.whole(NODE_NAME, payload) : payload;
    if (whole === null) return;
    const opened = openNodeDocument(kind, whole, {
      fleet: FLEET,
      node: NODE_NAME,
      identityKey: NODE.publicKey,
    });
    if (!opened.ok) {
      this.foreign.push(`${topic}: ${opened.refusal.code} ${opened.refusal.detail}`);
      return;
    }
    if (kind === 'status') this.#statuses.remember(NODE_NAME, opened.value.envelope);
    this.sizes.push({ kind, bytes: payload.byteLength });
    (this.said[kind] as unknown[]).push(opened.value.document);
  }
}
