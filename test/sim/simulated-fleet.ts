/** Hub, broker and devices of one history, on one line of events; who dies is begun anew. Everything by one seed. */
import Database from 'better-sqlite3';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleObject } from '../../hub/objects.js';
import { assignmentOf } from '../../hub/rollout/director.js';
import { sha256Hex } from '../../protocol/canonical.js';
import { topicsOf } from '../../protocol/topics.js';
import { FLEET } from '../support/fleet.js';
import { enrolled } from '../support/member.js';
import { randomOf } from '../support/random.js';
import { SimulatedBroker } from './broker.js';
import { Claims } from './claims.js';
import { execProgram, IMAGES, manifestsOf, program, ZONES, type Content } from './content.js';
import { Device } from './device.js';
import { ADMIN, startHub, type HubLife } from './hub-life.js';
import { strangers } from './judge.js';
import { linesOf } from './lines.js';
import { useLine } from './mqtt-client.js';
import type { Phase } from './mix.js';
import { phaseOf } from './phases.js';
import { enter } from './steps.js';
import { recordOf } from './membership.js';
import { KeyRing, type RootChange } from './roots.js';
import { Sticks } from './sticks.js';
import { Actor, Scheduler } from './scheduler.js';
import { PLAIN } from './secret-value.js';
import { Switches } from './switches.js';
import { newJournal, newStore } from './templates.js';
import { BEGINNINGS, NODE_WINDOWS } from './windows.js';

const HUB_CLIENT = 'flotilla-hub';
const topics = topicsOf(FLEET);

export interface FleetOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly folder: string;
  /** How many bundles, and nodes, have maintenance windows, from 0 to 1. */
  readonly windowShare: number;
  readonly onTrace?: (line: string) => void;
}

export class SimulatedFleet {
  readonly scheduler = new Scheduler();
  readonly broker: SimulatedBroker;
  readonly devices: Device[] = [];
  readonly broken: string[] = [];
  /** By digest of the revision. */
  readonly revisions = new Map<string, Content>();
  /** By bundle: the newest revision, where every node is to have it. */
  readonly #everywhere = new Map<string, string>();
  /** What the hub was asked to apply last. */
  #applied: Content | null = null;
  /** Faults, with the phase of whom they befell. */
  readonly reached: string[] = [];
  /** For what the history itself chooses; what the parts draw is another row of numbers. */
  readonly random: () => number;
  /** The operator, and whoever repairs. */
  readonly person = new Actor('person');
  readonly ring = new KeyRing();
  readonly sticks = new Sticks(this);
  hubActor: Actor | null = null;
  hub: HubLife | null = null;
  /** No fault begins any more. */
  isMended = false;
  readonly #claims = new Claims(this.revisions, what => this.breaks(what));
  readonly switches = new Switches({
    revisions: this.revisions,
    wallNow: () => this.wallNow(),
    breaks: what => this.breaks(what),
  });
  readonly #beganAt: number;
  #hubLives = 0;
  #digest = sha256Hex('');
  #lines: string[] = [];
  readonly folder: string;
  readonly windowShare: number;
  readonly #parts: () => number;
  readonly #onTrace: (line: string) => void;

  constructor({ seed, nodes, folder, windowShare, onTrace = () => undefined }: FleetOptions) {
    this.folder = folder;
    this.windowShare = windowShare;
    this.#onTrace = onTrace;
    this.random = randomOf(seed);
    this.#parts = randomOf(seed ^ 0x5eed);
    this.#beganAt = BEGINNINGS[Math.floor(this.random() * BEGINNINGS.length)] ?? 0;
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    newStore(this.#store());
    this.broker = new SimulatedBroker({
      scheduler: this.scheduler,
      random: this.#parts,
      trace: line => this.trace(`mqtt ${line}`),
      onPublish: (client, topic, payload) => this.#published(client, topic, payload),
    });
    useLine(this.broker);
    enter({
      scheduler: this.scheduler,
      random: this.#parts,
      disk: (actor, database) => this.#disk(actor, database !== null),
      onFile: path => this.#fileChanged(path),
    });
    for (let i = 1; i <= nodes; i++) this.devices.push(this.#device(`n${i}`));
  }

  /** Hub and devices begin; the devices are members. */
  async begin(): Promise<void> {
    await this.startHub();
    await this.scheduler.run(this.scheduler.now + 100);
    await this.byHub(async ({ store }) => {
      for (const device of this.devices) {
        const record = recordOf(device, this.wallNow(), this.zone());
        await store.commit({ kind: 'node', name: device.name }, enrolled(record));
      }
    });
    for (const device of this.devices) device.start();
  }

  wallNow(): number {
    return this.#beganAt + this.scheduler.now;
  }

  trace(line: string): void {
    const text = `${this.scheduler.now} ${line}`;
    if (line.includes(PLAIN)) this.breaks('a value of a Secret is logged');
    this.#onTrace(text);
    this.#lines.push(text);
    if (this.#lines.length >= 256) this.#fold();
  }

  /** Of everything that was traced. */
  digest(): string {
    this.#fold();
    return this.#digest;
  }

  breaks(what: string): void {
    if (this.broken.includes(what)) return;
    this.trace(`BROKEN ${what}`);
    this.broken.push(what);
  }

  // ----------------------------------------------------------------------------------------------- the hub

  async startHub(): Promise<void> {
    const actor = new Actor(`hub.${++this.#hubLives}`);
    const { scheduler } = this;
    this.hubActor = actor;
    actor.onDeath = () => {
      this.hub = null;
      this.broker.drop(HUB_CLIENT, false);
      this.trace(`${actor.name} is killed`);
      const awayMs = 1_000 + Math.floor(this.#parts() * 30_000);
      scheduler.after(awayMs, this.person, () => void this.startHub());
    };
    const bornAt = scheduler.now;
    const say = (message: string, fields: object = {}) =>
      this.trace(`${actor.name} ${message} ${JSON.stringify(fields)}`);
    scheduler.after(0, actor, () => {
      const starting = startHub({
        path: this.#store(),
        ring: this.ring,
        clock: scheduler.clockOf(actor, {
          now: () => this.wallNow(),
          monotonic: () => scheduler.now - bornAt,
        }),
        random: this.#parts,
        log: { info: say, warn: say, error: say },
        onRevision: revision => this.#isMade(revision),
      });
      starting.then(
        hub => (this.hub = hub),
        (error: unknown) => {
          if (!actor.isDead) this.breaks(`the hub cannot start: ${String(error)}`);
        },
      );
    });
  }

  /** The hub does this when it is up; what it refuses is traced. Resolves when it is done, or the hub died at it. */
  async byHub<T>(work: (hub: HubLife) => Promise<T>): Promise<T | null> {
    const { hub, hubActor: actor, scheduler } = this;
    if (!hub || !actor || actor.isDead) return null;
    let result: T | null = null;
    let isOver = false;
    scheduler.after(0, actor, () => {
      work(hub).then(
        value => {
          result = value;
          isOver = true;
        },
        (error: unknown) => {
          if (!actor.isDead) this.trace(`refused: ${String(error)}`);
          isOver = true;
        },
      );
    });
    await scheduler.run(scheduler.now + 60_000, () => isOver || actor.isDead);
    return result;
  }

  async apply(content: Content): Promise<boolean> {
    this.#applied = content;
    this.#everywhere.delete(content.bundle);
    const applied = await this.byHub(({ bundles }) =>
      bundles.apply(ADMIN, {
        ...{ namespace: 'default', name: content.bundle, labels: {}, annotations: {} },
        spec: {
          nodeSelector: content.nodeSelector,
          manifests: manifestsOf(content),
          strategy: content.strategy,
        },
        ...{ expect: 'any', dryRun: false },
      }),
    );
    if (!applied) return false;
    this.revisions.set(applied.object.status.digest, content);
    if (content.nodeSelector === '') {
      this.#everywhere.set(content.bundle, applied.object.status.digest);
    }
    return true;
  }

  /** Known before it is written down: a hub that dies in that moment tells nobody, and rolls it out when it is back. */
  #isMade({ bundle, digest }: { readonly bundle: string; readonly digest: string }): void {
    const content = this.#applied;
    if (content?.bundle !== bundle || this.revisions.has(digest)) return;
    this.revisions.set(digest, content);
  }

  /** The next root, which the hub takes now or, where it is away, with the next one that it is told of. */
  async rotate(change: RootChange): Promise<void> {
    await this.publishRoot();
    const { version } = this.ring.newest().document;
    const isInForce = await this.byHub(({ store }) => store.root(version));
    if (isInForce) this.ring.keep(this.ring.next(change));
    await this.publishRoot();
  }

  /** Again is safe. */
  async publishRoot(): Promise<void> {
    await this.byHub(hub => hub.takeRoot());
  }

  zone(): string {
    return ZONES[Math.floor(this.random() * ZONES.length)] ?? 'a';
  }

  /** Something may have to wait for a window. */
  hasWindows(): boolean {
    const all = [...this.revisions.values()];
    return (
      all.some(({ windows }) => windows.length > 0) ||
      this.devices.some(({ ownWindows }) => ownWindows.length > 0)
    );
  }

  /** Time passes; then everybody is looked at. */
  async pass(ms: number): Promise<void> {
    await this.scheduler.run(this.scheduler.now + ms);
    for (const device of this.devices) device.look();
    await strangers(this);
  }

  async bundles(): Promise<readonly BundleObject[]> {
    const listed = await this.byHub(({ store }) => store.list('Bundle'));
    return (listed?.items ?? []) as readonly BundleObject[];
  }

  /** How far it is. */
  phaseOf(device: Device): Phase {
    return phaseOf({ life: device.life, isUp: device.isUp() }, this.#everywhere.values());
  }

  async close(): Promise<void> {
    for (const { actor } of this.devices) if (actor) end(actor);
    if (this.hubActor) end(this.hubActor);
    await this.scheduler.as(this.person, () => undefined);
    enter(null);
    useLine(null);
    rmSync(this.folder, { recursive: true, force: true });
  }

  // ------------------------------------------------------------------------------------------- inside

  #store(): string {
    return join(this.folder, 'hub.db');
  }

  #device(name: string): Device {
    const device = new Device(name, {
      scheduler: this.scheduler,
      random: this.#parts,
      folder: this.folder,
      now: () => this.wallNow(),
      trace: line => this.trace(line),
      broken: what => this.breaks(what),
      onSwitch: (one, switched) => this.switches.judge(one, switched),
      ownWindows: this.random() < this.windowShare ? NODE_WINDOWS : [],
      hasRealTimeClock: this.random() < 0.3,
      onKilled: killed => {
        this.broker.drop(name, false);
        const awayMs = 500 + Math.floor(this.#parts() * 20_000);
        this.scheduler.after(awayMs, killed.machine, () => killed.start());
      },
      ...{ program, execProgram },
    });
    newJournal(device.dataDir);
    for (const image of IMAGES) device.engine.registry.add(image);
    return device;
  }

  #disk(actor: Actor, isDatabase: boolean): void {
    const device = this.devices.find(one => one.actor === actor);
    if (device?.isDiskFull !== true) return;
    if (isDatabase) throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
    const error = new Error('ENOSPC: no space left on device, write');
    throw Object.assign(error, { code: 'ENOSPC', syscall: 'write', errno: -28 });
  }

  #fileChanged(path: string): void {
    if (!path.includes('/manifests/flotilla_')) return;
    this.devices.find(({ manifests }) => path.startsWith(manifests))?.onFile();
  }

  /** What an assignment that left the hub asks for may be started on its node. */
  #published(client: string, topic: string, payload: Buffer): void {
    const address = topics.parse(topic);
    if (!address || !('node' in address) || payload.length === 0) return;
    const device = this.devices.find(({ name }) => name === address.node);
    if (address.kind === 'status' && device?.name === client) this.#claims.heard(device, payload);
    if (client !== HUB_CLIENT || address.kind !== 'assignment') return;
    // On the way it may be but what differs; the store has it whole.
    void this.hub?.store.assignment(address.node).then(record => {
      if (record) this.allow(address.node, assignmentOf(record).bundles);
    });
  }

  /** An assignment of that node, which left the hub, names these. */
  allow(node: string, bundles: readonly { readonly digest: string }[]): void {
    const device = this.devices.find(({ name }) => name === node);
    for (const { digest } of bundles) {
      const content = this.revisions.get(digest);
      for (const line of content ? linesOf(content) : []) device?.allowed.add(line);
    }
  }

  #fold(): void {
    this.#digest = sha256Hex(this.#digest + this.#lines.join('\n'));
    this.#lines = [];
  }
}

function end(actor: Actor): void {
  actor.onDeath = () => undefined;
  actor.die();
}
