/**
 * A node for tests of the hub: signs with a key of its own and says exactly what it is told to; keeps
 * what the hub says to it, checked.
 */
import { connect, type MqttClient } from 'mqtt';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import type { AssignmentDocument } from '../../protocol/documents/assignment.js';
import type { AckDocument, AnswerDocument, HubDocument } from '../../protocol/documents/hub.js';
import type {
  NodeStamp,
  PodSummary,
  RequestDocument,
  StatusDocument,
} from '../../protocol/documents/node.js';
import { openEnvelope, seal, type DocumentKind } from '../../protocol/envelope.js';
import type { Signer } from '../../protocol/keys.js';
import { podTopicKey } from '../../protocol/names.js';
import { unwrapped } from '../../protocol/patches.js';
import { topicsOf } from '../../protocol/topics.js';
import { openHubDocument } from '../../protocol/verify-messages.js';
import { FLEET, signer, trustedRoot } from './fleet.js';
import { plainStatus } from './plain-status.js';
import { eventually } from './wait.js';

const topics = topicsOf(FLEET);

type Said = { -readonly [K in keyof RequestDocument]?: RequestDocument[K] };

export class ScriptedNode {
  readonly name: string;
  readonly signer: Signer;
  journal = 'a'.repeat(32);
  boot = 1;
  counter = 0;
  readonly acks: AckDocument[] = [];
  readonly answers: AnswerDocument[] = [];
  readonly assignments: AssignmentDocument[] = [];
  readonly hub: HubDocument[] = [];
  #client: MqttClient | null = null;
  #n = 0;

  constructor(name: string) {
    this.name = name;
    this.signer = signer(`node ${name}`);
  }

  /** With a will, then the birth: as an agent. */
  async connect(port: number): Promise<void> {
    const n = ++this.#n;
    const presence = (online: boolean) =>
      this.seal('presence', { ...this.stamp(), n, session: 'e'.repeat(32), online });
    const topic = topics.node(this.name, 'presence');
    const client = connect(`mqtt://127.0.0.1:${port}`, {
      clientId: this.name,
      reconnectPeriod: 0,
      will: { topic, payload: presence(false), qos: 1, retain: true },
    });
    client.on('error', () => undefined);
    client.on('message', (from, payload) => this.#receive(from, payload));
    this.#client = client;
    await eventually(`${this.name} to connect`, () => client.connected);
    const own = (['ack', 'answer', 'assignment'] as const).map(kind =>
      topics.node(this.name, kind),
    );
    await client.subscribeAsync([...own, topics.hub()], { qos: 1 });
    await client.publishAsync(topic, presence(true), { qos: 1, retain: true });
  }

  /** Its power is cut: the broker publishes the will. */
  async vanish(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    client?.stream.destroy();
    await client?.endAsync(true).catch(() => undefined);
  }

  /** The journal is lost: another one begins. */
  newJournal(letter: string): void {
    this.journal = letter.repeat(32);
    this.boot = 1;
    this.counter = 0;
  }

  stamp(): NodeStamp {
    return { fleet: FLEET, node: this.name, journal: this.journal, boot: this.boot };
  }

  seal(kind: DocumentKind, document: object): Buffer {
    return seal(kind, document, [this.signer]);
  }

  async publish(topic: string, payload: Buffer, retain = false): Promise<void> {
    await this.#client?.publishAsync(topic, payload, { qos: 1, retain });
  }

  async status(change: Partial<StatusDocument> = {}): Promise<StatusDocument> {
    const document = plainStatus(this.stamp(), ++this.counter, change);
    await this.publish(topics.node(this.name, 'status'), this.seal('status', document), true);
    return document;
  }

  /** A pod as the agent tells it; the summary is what its status is to say of it. */
  pod(
    name: string,
    phase: PodSummary['phase'] = 'Running',
  ): { key: string; pod: Record<string, unknown>; summary: PodSummary } {
    const metadata = {
      namespace: 'default',
      name: `${name}-${this.name}`,
      annotations: { 'kubernetes.io/config.hash': `hash-${name}` },
    };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata, status: { phase } };
    const digest = sha256Hex(canonicalJson(pod));
    const summary = { digest, phase, ready: phase === 'Running' };
    return { key: `default/${metadata.name}`, pod, summary };
  }

  async tell(
    told: { key: string; pod: Record<string, unknown> },
    bundle: { namespace: string; name: string; revision: number } | null = null,
  ): Promise<void> {
    const [namespace = '', name = ''] = told.key.split('/');
    const source = bundle ? 'bundle' : 'file';
    const document = { ...this.stamp(), counter: ++this.counter, source, bundle, pod: told.pod };
    const topic = topics.node(this.name, 'pod', podTopicKey(namespace, name));
    await this.publish(topic, this.seal('pod', document));
  }

  async events(oldest: number, ...numbers: readonly number[]): Promise<void> {
    const events = numbers.map(n => ({
      n,
      at: new Date().toISOString(),
      type: 'Normal',
      reason: 'Tested',
      message: `event ${n}`,
      involved: {
        kind: 'Pod',
        namespace: 'default',
        name: `web-${this.name}`,
        uid: 'uid-on-node',
        fieldPath: '',
      },
    }));
    const document = { ...this.stamp(), counter: ++this.counter, oldest, events };
    await this.publish(topics.node(this.name, 'event'), this.seal('event', document));
  }

  async ask(want: RequestDocument['want'], change: Said = {}): Promise<string> {
    const nonce = change.nonce ?? sha256Hex(`${this.name} ${this.counter}`).slice(0, 32);
    const base = { ...this.stamp(), counter: ++this.counter, digests: [], rootVersion: 0 };
    const document = { ...base, ...change, nonce, want };
    await this.publish(topics.node(this.name, 'request'), this.seal('request', document));
    return nonce;
  }

  lastAck(): AckDocument | undefined {
    return this.acks[this.acks.length - 1];
  }

  lastAssignment(): AssignmentDocument | undefined {
    return this.assignments[this.assignments.length - 1];
  }

  #receive(topic: string, payload: Buffer): void {
    const address = topics.parse(topic);
    if (payload.byteLength === 0 || !address) return;
    const context = { root: trustedRoot(), node: this.name };
    const open = <K extends 'ack' | 'answer' | 'hub'>(kind: K) => {
      const opened = openHubDocument(kind, payload, context);
      if (!opened.ok) throw new Error(`the hub said what no node takes: ${opened.refusal.detail}`);
      return opened.value.document;
    };
    if (address.kind === 'ack') this.acks.push(open('ack'));
    if (address.kind === 'answer') this.answers.push(open('answer'));
    if (address.kind === 'hub') this.hub.push(open('hub'));
    if (address.kind !== 'assignment') return;
    const { envelope } = unwrapped(payload);
    const opened = openEnvelope(envelope, { kind: 'assignment', bytesMax: 1 << 20 });
    if (!opened.ok) throw new Error(opened.refusal.detail);
    this.assignments.push(JSON.parse(opened.value.payload.toString()) as AssignmentDocument);
  }
}
