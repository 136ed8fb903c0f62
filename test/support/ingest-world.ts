/**
 * What the hub does with reports, without a broker: real store on disk, the real loop on a clock that stands still, nodes
 * whose messages are handed over directly, and a door before `commit` that a test can close or break.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Ingest } from '../../hub/ingest/ingest-parts.js';
import { startIngest } from '../../hub/ingest/ingest.js';
import type { NodeMessage } from '../../hub/link/messages.js';
import type { EventObject, NodeObject, PodObject } from '../../hub/objects.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import type { Actor, Committed, Mutation, Store } from '../../hub/store/store.js';
import type { AckDocument, AnswerDocument, TimeDocument } from '../../protocol/documents/hub.js';
import { topicsOf } from '../../protocol/topics.js';
import { SimulatedClock } from '../sim/clock.js';
import { FLEET, NOW, trustedRoot } from './fleet.js';
import { enrolled, memberRecord } from './member.js';
import { ScriptedNode } from './scripted-node.js';
import { eventually } from './wait.js';

const topics = topicsOf(FLEET);

/** Stands before each commit of a node; whatever it throws is what the commit throws. */
export type Door = (actor: Actor, mutations: readonly Mutation[]) => Promise<void> | void;

export class IngestWorld {
  readonly clock = new SimulatedClock(NOW);
  readonly logged: string[] = [];
  readonly acks: AckDocument[] = [];
  readonly answers: AnswerDocument[] = [];
  readonly times: TimeDocument[] = [];
  /** Asked for with a nonce. */
  readonly fresh: string[] = [];
  /** Commits of nodes that are on disk. */
  commits = 0;
  door: Door = () => undefined;
  /** False: what is said to nodes is lost. */
  delivers = true;
  /** What `manifestsOf` gives for every bundle. */
  manifests: readonly Pod[] | null = null;
  onAck: (ack: AckDocument) => void = () => undefined;
  store: Store;
  #ingest: Ingest;
  readonly #folder: string;

  private constructor(folder: string, store: Store) {
    this.#folder = folder;
    this.store = store;
    this.#ingest = this.#begin();
  }

  static async make(): Promise<IngestWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'flotilla-ingest-'));
    const world = await openSqliteStore({
      path: join(folder, 'hub.db'),
      clock: new SimulatedClock(NOW),
    });
    return new IngestWorld(folder, world);
  }

  #begin(): Ingest {
    const say = (message: string, fields: object = {}) =>
      void this.logged.push(`${message} ${JSON.stringify(fields)}`);
    const ingest = startIngest({
      store: this.#guarded(),
      root: () => trustedRoot(),
      messenger: {
        ack: (_, document) => {
          if (!this.delivers) return;
          this.acks.push(document);
          this.onAck(document);
        },
        answer: (_, document) => void (this.delivers && this.answers.push(document)),
        time: (_, document) => void (this.delivers && this.times.push(document)),
        command: () => undefined,
      },
      clock: this.clock,
      log: { info: say, warn: say, error: say },
      freshAssignment: async (_, nonce) => void this.fresh.push(nonce),
      republish: async digests => ({ published: [...digests], absent: [] }),
      republishRoot: async () => undefined,
      manifestsOf: async () => this.manifests,
    });
    ingest.linkUp();
    return ingest;
  }

  /** The store with the door before its commits. */
  #guarded(): Store {
    const { store } = this;
    const commit = async (actor: Actor, mutations: readonly Mutation[]): Promise<Committed> => {
      await this.door(actor, mutations);
      const committed = await store.commit(actor, mutations);
      this.commits++;
      return committed;
    };
    return new Proxy(store, {
      get: (target, name) => {
        if (name === 'commit') return commit;
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  }

  receive(message: NodeMessage): void {
    this.#ingest.receive(message);
  }

  /** The hub's process ends and begins again on the same file. */
  async restart(): Promise<void> {
    await this.#ingest.close();
    await this.store.close();
    this.store = await openSqliteStore({
      path: join(this.#folder, 'hub.db'),
      clock: this.clock,
      create: false,
    });
    this.#ingest = this.#begin();
  }

  async stopIngest(): Promise<void> {
    await this.#ingest.close();
  }

  async close(): Promise<void> {
    await this.#ingest.close();
    await this.store.close();
    rmSync(this.#folder, { recursive: true });
  }

  /** A member of the fleet that speaks to the loop directly. */
  async join(name: string, labels: Record<string, string> = {}): Promise<SpeakingNode> {
    const node = new SpeakingNode(name, this);
    const joinedAt = new Date(this.clock.now()).toISOString();
    const record = memberRecord(name, { identityKey: node.signer.publicKey, joinedAt, labels });
    await this.store.commit({ kind: 'node', name }, enrolled(record));
    return node;
  }

  /** Until the hub said nothing and wrote nothing for some turns. */
  async quiet(): Promise<void> {
    const activity = () => `${this.commits} ${this.acks.length} ${this.logged.length}`;
    for (let turns = 0, before = ''; turns < 10; turns++) {
      await turn();
      if (activity() !== before) turns = 0;
      before = activity();
    }
  }

  /** Moves the clock, a sleeper at a time. */
  async pass(ms: number): Promise<void> {
    const end = this.clock.now() + ms;
    while (this.clock.now() < end) {
      this.clock.advance(end - this.clock.now());
      await this.quiet();
    }
  }

  async acked(what: string, isIt: (ack: AckDocument) => boolean): Promise<AckDocument> {
    return eventually(what, () => this.acks.find(isIt), { everyMs: 2 });
  }

  async node(name: string): Promise<NodeObject> {
    const found = await this.store.get('Node', '', name);
    if (!found) throw new Error(`there is no node ${name}`);
    return found as NodeObject;
  }

  async pods(): Promise<readonly PodObject[]> {
    return (await this.store.list('Pod')).items as readonly PodObject[];
  }

  async events(): Promise<readonly EventObject[]> {
    return (await this.store.list('Event')).items as readonly EventObject[];
  }

  /** Of all that is stored: equal means that nothing changed. */
  async version(): Promise<string> {
    return (await this.store.list('Token')).resourceVersion;
  }
}

/** Its messages need no broker. */
export class SpeakingNode extends ScriptedNode {
  readonly #world: IngestWorld;
  /** All that it said, to be said again. */
  readonly said: NodeMessage[] = [];
  #connections = 0;

  constructor(name: string, world: IngestWorld) {
    super(name);
    this.#world = world;
  }

  override async publish(topic: string, payload: Buffer): Promise<void> {
    const address = topics.parse(topic);
    if (!address || !('node' in address)) throw new Error(`no topic of a node: ${topic}`);
    const { kind, node } = address;
    this.say({ kind: kind as NodeMessage['kind'], node, payload, retained: false });
  }

  say(message: NodeMessage): void {
    this.said.push(message);
    this.#world.receive(message);
  }

  again(): void {
    for (const message of this.said) this.#world.receive(message);
  }

  presence(online: boolean): void {
    if (online) this.#connections++;
    const document = { ...this.stamp(), n: this.#connections, session: 'e'.repeat(32), online };
    const payload = this.seal('presence', document);
    this.say({ kind: 'presence', node: this.name, payload, retained: false });
  }
}
