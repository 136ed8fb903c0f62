/**
 * Whom the attacks are made on: a fleet as a person sets it up (hub, Mosquitto, agent and containers are real), whose hub is
 * then gone and whose keys are in the attacker's hands, as many of them as a row says.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { connect, type MqttClient } from 'mqtt';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { AssignedBundle, AssignmentDocument } from '../../../protocol/documents/assignment.js';
import type { RequestDocument, StatusDocument } from '../../../protocol/documents/node.js';
import type { RootDocument } from '../../../protocol/documents/root.js';
import { seal } from '../../../protocol/envelope.js';
import { keyId, signerOf, type Signer } from '../../../protocol/keys.js';
import { topicsOf, type Topics } from '../../../protocol/topics.js';
import { openNodeDocument } from '../../../protocol/verify-messages.js';
import { KnownStatuses } from '../../../hub/ingest/known-statuses.js';
import { docker, ensureTestImage } from '../docker.js';
import { freePort } from '../ports.js';
import { askAgent, Playground, writeMosquitto, writeOpenMosquitto } from '../programs.js';
import { eventually } from '../wait.js';
import { NODE, OTHER, PEOPLE } from './cast.js';
import { payloadOf, podText } from './documents.js';

interface Keys {
  readonly root: Signer;
  readonly release: Signer;
  readonly hub: Signer;
}

interface AgentStatus {
  readonly hub: {
    readonly epoch: number;
    readonly generation: number;
    readonly rootVersion: number;
  };
}

export interface Setting {
  /** Mosquitto keeps everybody to his topics; else everybody may do everything. */
  readonly acl: boolean;
  /** Size of the node's disk; absent: that of this machine. */
  readonly diskMiB?: number;
}

export class Victim {
  readonly play = new Playground();
  /** Genuine statuses of the node, oldest first. */
  readonly #known = new KnownStatuses();
  readonly statuses: StatusDocument[] = [];
  /** The newest of them as it was sent. */
  newestStatus: Buffer | null = null;
  /** Its genuine requests, oldest first. */
  readonly requests: RequestDocument[] = [];
  /** What it is answered when it asks for the time, milliseconds since 1970; null: nothing. */
  time: (() => number) | null = null;
  /** What the broker keeps, by topic: an attacker in the broker's place has all of it. */
  readonly recorded = new Map<string, Buffer>();
  topics!: Topics;
  keys!: Keys;
  /** The root in force. */
  root!: RootDocument;
  /** The assignment in force. */
  current!: AssignmentDocument;
  nodePublicKey!: string;
  /** Its broker keeps everybody to his topics. */
  isGuarded = false;
  /** During an attack: what is sent, and what came through, each as topic and digest. */
  #attempted: Set<string> | null = null;
  #heard: Set<string> | null = null;
  /** In the broker's place: may publish anything. */
  #broker!: MqttClient;
  /** The certificate of a device that belongs to the fleet. */
  #device!: MqttClient;
  readonly #url: { value: string } = { value: '' };
  #disk: string | null = null;
  #conf = '';

  static async open(setting: Setting): Promise<Victim> {
    const victim = new Victim();
    try {
      await victim.#open(setting);
    } catch (error) {
      await victim.close();
      throw error;
    }
    return victim;
  }

  async #open({ acl, diskMiB }: Setting): Promise<void> {
    ensureTestImage();
    if (diskMiB !== undefined) this.#mountDisk(diskMiB);
    const { play } = this;
    this.isGuarded = acl;
    const [api, mqtt] = [await freePort(), await freePort()];
    this.#url.value = `mqtts://127.0.0.1:${mqtt}`;
    const listen = ['--listen', `127.0.0.1:${api}`, '--broker', this.#url.value];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    this.#conf = await (acl ? writeMosquitto : writeOpenMosquitto)(play, mqtt);
    const conf = this.#conf;
    play.start('mosquitto', '/usr/sbin/mosquitto', ['-c', conf]);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE, '--label', 'victim=yes');
    await this.#enrolOther();
    play.write('witness/pod.json', JSON.stringify(podText('witness')));
    const reach = ['--nodes', 'victim=yes', '--min-ready', '1s', '--wait', '--timeout', '2m'];
    await play.ok('apply', '-f', play.path('witness'), '--bundle', 'witness', ...reach);
    await play.kill('hub', 'SIGTERM');
    await this.#takeOver();
  }

  /** The node's data directory on a file system of its own. */
  #mountDisk(mib: number): void {
    const disk = this.play.path(NODE);
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=0700`, 'tmpfs', disk]);
    this.#disk = disk;
  }

  /** A second device of the fleet, whose certificate the attacker has; it need not run. */
  async #enrolOther(): Promise<void> {
    const { play } = this;
    const line = play.write('other.token', await play.ok('token', 'create'));
    const dir = ['--node-name', OTHER, '--data-dir', play.path(OTHER)];
    const joined = await play.agent('join', '--token-file', line, ...dir);
    if (joined.code !== 0) throw new Error(`join: ${joined.stdout}${joined.stderr}`);
  }

  async #takeOver(): Promise<void> {
    const { play } = this;
    const pem = (path: string) => signerOf(createPrivateKey(readFileSync(play.path(path))));
    this.keys = {
      root: pem('hub/keys/root.key'),
      release: pem('hub/keys/release.key'),
      hub: pem('hub/keys/hub.key'),
    };
    this.nodePublicKey = pem(`${NODE}/identity/identity.key`).publicKey;
    this.root = payloadOf<RootDocument>('root', readFileSync(play.path('hub/root.json')));
    this.topics = topicsOf(this.root.fleet);
    const ca = readFileSync(play.path('hub/pki/ca.crt'));
    this.#broker = await this.#connect('flotilla-hub:attack', {
      key: readFileSync(play.path('hub/keys/mqtt.key')),
      cert: readFileSync(play.path('hub/pki/mqtt.crt')),
      ca,
    });
    this.#device = await this.connectAs(OTHER);
    this.#broker.on('message', (topic, payload) => this.#hear(topic, payload));
    await this.#broker.subscribeAsync(`${this.topics.prefix}#`, { qos: 1 });
    const topic = this.topics.node(NODE, 'assignment');
    const assignment = await eventually('the assignment in force', () => this.recorded.get(topic));
    this.current = payloadOf<AssignmentDocument>('assignment', assignment);
    await this.#nameThePeople();
  }

  /** Root 2: two of three people sign the bundles `two/*`. */
  async #nameThePeople(): Promise<void> {
    const ids = PEOPLE.map(person => keyId(person.publicKey));
    const first = this.root.roles.release[0];
    if (!first) throw new Error('the root has no release role');
    const two = { threshold: 2, keys: ids };
    const scopes = first.scopes.map(scope => ({ ...scope, ...two }));
    const people = PEOPLE.map(person => [keyId(person.publicKey), person.publicKey] as const);
    await this.publishRoot({
      keys: { ...this.root.keys, ...Object.fromEntries(people) },
      roles: {
        ...this.root.roles,
        release: [{ ...first, ...two, bundles: ['two/*'], scopes }, ...this.root.roles.release],
      },
    });
  }

  async #connect(
    clientId: string,
    tls: { key: Buffer; cert: Buffer; ca: Buffer },
  ): Promise<MqttClient> {
    const client = connect(this.#url.value, {
      ...tls,
      clientId,
      protocolVersion: 4,
    });
    client.on('error', () => undefined);
    await eventually(`${clientId} to connect`, () => client.connected);
    return client;
  }

  #hear(topic: string, payload: Buffer): void {
    this.#heard?.add(`${topic} ${sha256Hex(payload)}`);
    if (payload.byteLength === 0) return void this.recorded.delete(topic);
    this.recorded.set(topic, payload);
    const kind = this.topics.parse(topic)?.kind;
    if (kind !== 'status' && kind !== 'request') return;
    const whole = kind === 'status' ? this.#known.whole(NODE, payload) : payload;
    if (whole === null) return;
    const opened = openNodeDocument(kind, whole, {
      fleet: this.root.fleet,
      node: NODE,
      identityKey: this.nodePublicKey,
    });
    if (!opened.ok) return;
    if (kind === 'status') {
      this.#known.remember(NODE, opened.value.envelope);
      this.newestStatus = payload;
      return void this.statuses.push(opened.value.document as StatusDocument);
    }
    const request = opened.value.document as RequestDocument;
    this.requests.push(request);
    if (request.want === 'time' && this.time) void this.tellTime(request.nonce, this.time());
  }

  /** As whoever holds the hub's key. */
  async tellTime(nonce: string, at: number, change: Record<string, unknown> = {}): Promise<void> {
    const time = new Date(at).toISOString();
    const document = { fleet: this.root.fleet, node: NODE, nonce, time, ...change };
    const payload = seal('time', document, [this.keys.hub]);
    await this.publish(this.topics.node(NODE, 'time'), payload, false);
  }

  /** The newest of its statuses, from the one numbered `from` on, that satisfies the predicate. */
  said(what: string, is: (status: StatusDocument) => boolean, from = 0): Promise<StatusDocument> {
    return eventually(`a status: ${what}`, () => this.statuses.slice(from).findLast(is));
  }

  /** Ends the agent as a power cut does and starts it again; gives the number of the first status that follows. */
  async restart(env: Readonly<Record<string, string>> = {}, between = () => undefined as void) {
    await this.play.kill(NODE, 'SIGKILL');
    between();
    const from = this.statuses.length;
    this.play.startAgentIn(env, NODE);
    await this.said('after the restart', () => true, from);
    return from;
  }

  /** As whoever holds the broker; in an attack on one that keeps everybody to his topics, as a device of the fleet. */
  async publish(topic: string, payload: Buffer | string, retain = true): Promise<void> {
    if (!this.#attempted) return void (await this.#say(this.#broker, topic, payload, retain));
    await this.publishAsDevice(topic, payload, retain);
  }

  async #say(client: MqttClient, topic: string, payload: Buffer | string, retain: boolean) {
    await client.publishAsync(topic, payload, { qos: 1, retain });
  }

  /**
   * What is published meanwhile comes from another device of the fleet. Gives what of it came through the broker: a good
   * assignment that follows has arrived by then, and so would have what was said before it.
   */
  async attack(send: () => Promise<void>): Promise<readonly string[]> {
    const [attempted, heard] = [new Set<string>(), new Set<string>()];
    this.#attempted = attempted;
    this.#heard = heard;
    try {
      await send();
    } finally {
      this.#attempted = null;
    }
    assert.ok(attempted.size > 0, 'the attack sends nothing');
    const document = this.next();
    const payload = seal('assignment', document, [this.keys.hub]);
    const topic = this.topics.node(NODE, 'assignment');
    await this.publish(topic, payload);
    await this.#accepts(document);
    await eventually('it came back', () => heard.has(`${topic} ${sha256Hex(payload)}`));
    this.#heard = null;
    this.current = document;
    return [...attempted].filter(one => heard.has(one));
  }

  /** As many as the connection takes, nothing waited for; each with its number. */
  async flood(topic: string, count: number, make: (n: number) => string): Promise<void> {
    for (let n = 0; n < count; n++) {
      this.#broker.publish(topic, make(n), { qos: 0 });
      if (n % 1_000 === 999) await new Promise(resolve => setImmediate(resolve));
    }
  }

  /** How a device of the fleet reaches the broker. */
  broker(): { readonly url: string; readonly tls: { key: string; cert: string; ca: string } } {
    const read = (file: string) => readFileSync(this.play.path(file), 'utf8');
    const tls = { key: read('hub/keys/mqtt.key'), cert: read('hub/pki/mqtt.crt') };
    return { url: this.#url.value, tls: { ...tls, ca: read('hub/pki/ca.crt') } };
  }

  /** The agent's figures in Prometheus' text. */
  metrics(): Promise<string> {
    return this.#ask('/metrics');
  }

  /** With the certificate of another device of the fleet. */
  connectAs(clientId: string): Promise<MqttClient> {
    const mine = (file: string) => readFileSync(this.play.path(OTHER, 'identity', file));
    const ca = readFileSync(this.play.path('hub/pki/ca.crt'));
    return this.#connect(clientId, { key: mine('tls.key'), cert: mine('tls.crt'), ca });
  }

  /** The fleet's broker, which keeps nothing, is started anew and has what it had. */
  async brokerAgain(): Promise<void> {
    const kept = [...this.recorded];
    this.play.start('mosquitto', '/usr/sbin/mosquitto', ['-c', this.#conf]);
    await eventually('the broker answers', () => this.#broker.connected);
    for (const [topic, payload] of kept) {
      if (!/\/(request|event|reply)$/.test(topic)) await this.publish(topic, payload);
    }
  }

  /** As another device of the fleet. */
  async publishAsDevice(topic: string, payload: Buffer | string, retain = true): Promise<void> {
    this.#attempted?.add(`${topic} ${sha256Hex(payload)}`);
    await this.#say(this.#device, topic, payload, retain);
  }

  /** A root that follows the one in force, signed as it should be; waits until the node has it. */
  async publishRoot(change: Partial<RootDocument>): Promise<void> {
    const version = this.root.version + 1;
    const next = { ...this.root, version, issued: new Date().toISOString(), ...change };
    const envelope = seal('root', next, [this.keys.root]);
    await this.publish(this.topics.root(version), envelope);
    await this.publish(this.topics.root(), envelope);
    await this.hasRoot(next);
  }

  /** Waits until the node has the root; it is the one in force from now on. */
  async hasRoot(root: RootDocument): Promise<void> {
    await eventually(`root ${root.version} on the node`, async () => {
      return (await this.agentStatus()).hub.rootVersion === root.version;
    });
    this.root = root;
  }

  /** The assignment that would follow. */
  next(change: Partial<AssignmentDocument> = {}): AssignmentDocument {
    const { root, current } = this;
    const former = current.epoch === root.epoch ? current.generation : 0;
    return {
      ...current,
      epoch: root.epoch,
      rootVersion: root.version,
      generation: former + 1,
      issued: new Date().toISOString(),
      notAfter: new Date(Date.now() + 90 * 86_400_000).toISOString(),
      nonce: null,
      ...change,
    };
  }

  async publishAssignment(document: AssignmentDocument, signers = [this.keys.hub]): Promise<void> {
    await this.publish(this.topics.node(NODE, 'assignment'), seal('assignment', document, signers));
  }

  /** The next good document; waits until the node has accepted it. */
  async assign(change: Partial<AssignmentDocument> = {}): Promise<void> {
    const document = this.next(change);
    await this.publishAssignment(document);
    await this.#accepts(document);
    this.current = document;
  }

  async #accepts(document: AssignmentDocument): Promise<void> {
    await eventually(`generation ${document.generation} on the node`, async () => {
      const { hub } = await this.agentStatus();
      return hub.generation === document.generation && hub.epoch === document.epoch;
    });
  }

  /** Assigns the bundle, waits until it is healthy, takes it away again and waits until its pods are gone. */
  async runs(bundle: AssignedBundle): Promise<void> {
    const { bundles } = this.current;
    await this.assign({ bundles: [...bundles, bundle] });
    await this.isHealthy(bundle);
    await this.assign({ bundles });
    await this.isGone(bundle);
  }

  async isHealthy({ digest }: AssignedBundle): Promise<void> {
    await eventually('the bundle is healthy', () => {
      const bundle = this.statuses.at(-1)?.bundles.find(b => b.digest === digest);
      if (bundle?.state === 'healthy') return true;
      throw new Error(`it is ${bundle?.state} ${bundle?.reason} ${bundle?.message}`);
    });
  }

  /** Neither files nor containers of the bundle are left. */
  async isGone({ namespace, name }: AssignedBundle): Promise<void> {
    await eventually(`nothing is left of ${namespace}/${name}`, () => {
      const files = readdirSync(this.play.path(NODE, 'manifests'));
      return !files.some(file => file.startsWith(`flotilla_${name}_`));
    });
    let last = this.containers();
    await eventually('its containers are gone', () => {
      const now = this.containers();
      const settled = now.length <= 2 && now.length === last.length;
      last = now;
      return settled;
    });
  }

  async publishBlob(content: string | Buffer): Promise<void> {
    await this.publish(this.topics.blob(sha256Hex(content)), content);
  }

  async publishContent(pods: readonly Record<string, unknown>[]): Promise<void> {
    for (const pod of pods) await this.publishBlob(canonicalJson(pod));
  }

  async agentStatus(): Promise<AgentStatus> {
    return JSON.parse(await this.#ask('/status')) as AgentStatus;
  }

  #ask(path: string): Promise<string> {
    return askAgent(this.play.path(NODE, 'agent.sock'), path);
  }

  containers(): readonly string[] {
    const owner = `label=flotilla.dev/owner=${this.play.path(NODE)}`;
    return docker('ps', '-aq', '--no-trunc', '--filter', owner).split('\n').sort();
  }

  async close(): Promise<void> {
    for (const client of [this.#broker, this.#device]) await client?.endAsync(true);
    await this.play.kill(NODE, 'SIGKILL');
    if (this.#disk !== null) execFileSync('umount', ['-l', this.#disk]);
    await this.play.close();
  }
}
