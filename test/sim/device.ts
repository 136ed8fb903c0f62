/**
 * A machine of the fleet: its disk, its engine, its clock, and one life of the agent after the other. It watches over
 * what a machine can see by itself: what is started, what runs twice, what is stopped although nobody asked for it.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { JOURNAL_FILE } from '../../agent/journal/database.js';
import { TWIN_FILE } from '../../agent/journal/twin.js';
import { RuntimeError } from '../../agent/runtime/runtime.js';
import type { BundleStatus } from '../../protocol/documents/node.js';
import type { Journal } from '../../agent/journal/journal.js';
import { Counters } from './counters.js';
import { readIdentityKeys, type DeviceKeys } from './device-keys.js';
import { Holds } from './holds.js';
import { Locks } from './locks.js';
import { MemoryMounts } from './memory-mounts.js';
import { Readers } from './readers.js';
import { startAgent, type AgentLife } from './agent-life.js';
import { lineTo } from './engine-line.js';
import { lineOfContainer, lineOfFile } from './lines.js';
import { SimulatedEngine } from './engine.js';
import { Actor, type Scheduler } from './scheduler.js';
import { SaidEvents } from './said-events.js';
import type { Switched } from './switches.js';
import { unwritten } from './words.js';
import type { KnownWindow } from './windows.js';

export interface DeviceParts {
  readonly scheduler: Scheduler;
  readonly random: () => number;
  readonly folder: string;
  /** Wall clock of who sets his by a good one. */
  readonly now: () => number;
  readonly trace: (line: string) => void;
  readonly broken: (what: string) => void;
  readonly onSwitch: (device: Device, switched: Switched) => void;
  /** Called when a life of the agent ended without a goodbye. */
  readonly onKilled: (device: Device) => void;
  readonly program: SimulatedEngine['program'];
  readonly execProgram: SimulatedEngine['execProgram'];
  /** Of its configuration. */
  readonly ownWindows: readonly KnownWindow[];
  /** Its clock runs on while it is off, and is believed. */
  readonly hasRealTimeClock: boolean;
}

/** Manifests that came or went this recently may still be acted upon. */
const RECENT_MS = 10_000;
const START_AGAIN_MS = 5_000;

export class Device {
  readonly name: string;
  readonly machine: Actor;
  readonly engine: SimulatedEngine;
  readonly dataDir: string;
  /** Of its memory. */
  readonly mounts = new MemoryMounts();
  readonly locks: Locks;
  readonly holds = new Holds();
  readonly manifests: string;
  readonly ownWindows: readonly KnownWindow[];
  readonly hasRealTimeClock: boolean;
  actor: Actor | null = null;
  life: AgentLife | null = null;
  /** Lines of pods that an assignment for this node asked for at some time. */
  readonly allowed = new Set<string>();
  /** Digests that somebody here did not want to wait for, and those that somebody here undid. */
  readonly hastened = new Set<string>();
  readonly undone = new Set<string>();
  /** How many statuses it made. */
  words = 0;
  /** The hub knows its keys. */
  isMember = true;
  /** What its clock says beyond the time. */
  clockOffMs = 0;
  isDiskFull = false;
  /** So many steps after its next switch is written down it dies; null: it does not. */
  diesAfterSwitch: number | null = null;
  engineFails = 0;
  answersLost = 0;
  slowMs = 0;
  /** By the pod's line: since when the directory has had it, whatever else its file says. */
  readonly #wanted = new Map<string, number>();
  readonly #said = new SaidEvents();
  readonly #parts: DeviceParts;
  readonly #readers = new Readers();
  #bootedAt = 0;
  #boots = 1;
  #lives = 0;
  readonly #counters = new Counters();
  /** Nothing is left that explains its files: they are not run until a fresh assignment came. */
  #isForgetful = false;
  /** Journal and twin were lost once. */
  hasForgotten = false;
  /** Its engine failed for longer than a trial may take. */
  hadEngineTrouble = false;
  /** Containers that a fault ended: their pods begin anew, and rightly. */
  #disturbedAt = Number.NEGATIVE_INFINITY;

  constructor(name: string, parts: DeviceParts) {
    this.name = name;
    this.#parts = parts;
    this.ownWindows = parts.ownWindows;
    this.hasRealTimeClock = parts.hasRealTimeClock;
    this.machine = new Actor(`${name} machine`);
    const { scheduler } = parts;
    const clock = scheduler.clockOf(this.machine, {
      now: () => parts.now() + this.clockOffMs,
      monotonic: () => scheduler.now,
    });
    this.engine = new SimulatedEngine(clock);
    this.engine.filesystem = { path: '/engine', totalBytes: 2 ** 40, availableBytes: 2 ** 39 };
    this.engine.program = parts.program;
    this.engine.execProgram = parts.execProgram;
    this.dataDir = join(parts.folder, name);
    this.locks = new Locks(this, () => scheduler.now);
    this.manifests = join(this.dataDir, 'manifests');
    mkdirSync(this.manifests, { recursive: true, mode: 0o755 });
    this.keys();
  }

  /** As they lie on its disk; made where there are none. */
  keys(): DeviceKeys {
    return readIdentityKeys(this.dataDir);
  }

  isUp(): boolean {
    return this.life !== null && this.actor?.isDead === false;
  }

  /** The agent's process begins; one that cannot is begun again, as systemd does. */
  start(): void {
    if (this.isUp()) return;
    const { scheduler, random, trace, now } = this.#parts;
    const actor = new Actor(`${this.name}.${++this.#lives}`);
    this.actor = actor;
    actor.onDeath = () => {
      this.life = null;
      trace(`${actor.name} is killed`);
      this.#parts.onKilled(this);
    };
    const bornAt = scheduler.now;
    const clock = scheduler.clockOf(actor, {
      now: () => now() + this.clockOffMs,
      monotonic: () => scheduler.now - bornAt,
    });
    const say = (message: string, fields: object = {}) =>
      trace(`${actor.name} ${message} ${JSON.stringify(fields)}`);
    const fault = (error: unknown) => {
      if (actor.isDead) return;
      say('cannot start', { error: String(error) });
      actor.onDeath = () => undefined;
      actor.die();
      this.life = null;
      scheduler.after(START_AGAIN_MS, this.machine, () => this.start());
    };
    scheduler.after(0, actor, () => {
      try {
        this.life = startAgent(
          {
            ...{ node: this.name, signer: () => this.keys().signer, clock, random },
            hostMounts: this.mounts,
            ...{ dataDir: this.dataDir, manifests: this.manifests },
            maintenanceWindows: this.ownWindows.map(({ window }) => window),
            onSwitch: switched => this.#switches(switched, actor),
            onWord: journal => this.#says(journal, actor),
            log: { info: say, warn: say, error: say },
            engine: this.#line(actor),
            machine: {
              bootId: `${this.name} ${this.#boots}`,
              uptimeMs: () => scheduler.now - this.#bootedAt,
              hasRealTimeClock: this.hasRealTimeClock,
            },
          },
          fault,
        );
        this.#said.begin(this.life.journal);
        this.look();
      } catch (error) {
        fault(error);
      }
    });
  }

  kill(): void {
    this.actor?.die();
  }

  /** Killed, and begun by nobody but who says so. */
  stop(): void {
    if (!this.actor) return;
    this.actor.onDeath = () => undefined;
    this.actor.die();
    this.life = null;
  }

  /** It is told to end, and does. */
  async end(): Promise<void> {
    const { life, actor } = this;
    if (!life || !actor || actor.isDead) return;
    // Who dies on the way is begun again like any other.
    await life.close();
    actor.onDeath = () => undefined;
    actor.die();
    this.life = null;
  }

  /** The power goes and comes back: nothing that ran runs any more. */
  reboot(): void {
    this.kill();
    this.disturbed();
    this.#bootedAt = this.#parts.scheduler.now;
    this.#boots++;
    for (const { id, state } of [...this.engine.containers.values()]) {
      if (state === 'running') this.engine.exitContainer(id, 255);
    }
    for (const { id, ready } of [...this.engine.sandboxes.values()]) {
      if (ready) this.engine.killSandbox(id);
    }
    this.mounts.loseAll(this.dataDir);
  }

  /** With its twin nothing is left of what was accepted. */
  loseJournal(withTwin: boolean): void {
    this.kill();
    const files = [JOURNAL_FILE, `${JOURNAL_FILE}-wal`, `${JOURNAL_FILE}-shm`];
    for (const file of [...files, ...(withTwin ? [TWIN_FILE] : [])]) {
      rmSync(join(this.dataDir, file), { force: true });
    }
    this.#counters.forget();
    this.#isForgetful = withTwin;
    this.hasForgotten ||= withTwin;
    if (withTwin) this.holds.clear();
  }

  /** A fault ended containers, or may have. */
  disturbed(): void {
    this.#disturbedAt = this.#parts.scheduler.now;
  }

  /** No fault ended anything of late, and its files are explained. */
  isCalm(sinceMs = RECENT_MS): boolean {
    return this.#parts.scheduler.now - this.#disturbedAt > sinceMs && !this.#isForgetful;
  }

  // ------------------------------------------------------------------------------------------ what it sees

  /** A file below the manifests' directory came or went. */
  onFile(): void {
    const { scheduler } = this.#parts;
    const found = this.promised();
    for (const one of [...this.#wanted.keys()]) if (!found.includes(one)) this.#wanted.delete(one);
    for (const one of found) if (!this.#wanted.has(one)) this.#wanted.set(one, scheduler.now);
  }

  /** Of all pods' files. */
  promised(): string[] {
    return readdirSync(this.manifests)
      .filter(file => file.startsWith('flotilla_'))
      .flatMap(file => lineOfFile(readFileSync(join(this.manifests, file), 'utf8')) ?? []);
  }

  /** Of the pods that run, sorted. */
  running(): string[] {
    return [...this.engine.containers.values()]
      .filter(({ state }) => state === 'running')
      .map(one => lineOfContainer(one, this.name))
      .sort();
  }

  statuses(): readonly BundleStatus[] {
    return this.life?.session.report.current().bundles ?? [];
  }

  /** The one that it joined with is the first. */
  rootVersion(): number {
    return this.life?.journal.root()?.document.version ?? 1;
  }

  /** What holds at every moment of its life. */
  look(): void {
    if (!this.life || !this.isUp()) return;
    if (this.life.journal.accepted()) this.#isForgetful = false;
    for (const fault of this.#counters.look(this.life.journal)) this.#broken(fault);
    for (const fault of this.#readers.look(this)) this.#broken(fault);
    for (const fault of this.#said.lost(this.life.journal)) this.#broken(fault);
  }

  #switches(switched: Switched, actor: Actor): void {
    this.#parts.onSwitch(this, switched);
    if (this.diesAfterSwitch !== null) actor.diesAt = actor.steps + this.diesAfterSwitch;
    this.diesAfterSwitch = null;
  }

  #says(journal: Journal, actor: Actor): void {
    this.words++;
    if (actor.isDead || this.#parts.scheduler.actor !== actor) return;
    for (const fault of unwritten(journal, actor, this.dataDir)) this.#broken(fault);
    for (const fault of this.#counters.look(journal)) this.#broken(fault);
  }

  #line(actor: Actor) {
    const { scheduler, random } = this.#parts;
    return lineTo({
      ...{ scheduler, actor, machine: this.machine, engine: this.engine, random },
      tookMs: call => (call === 'pullImage' ? 500 : 5) + Math.floor(random() * (20 + this.slowMs)),
      before: (call, [id]) => {
        this.engine.fault = () => {
          if (random() < this.engineFails) throw new RuntimeError('EngineError', 'fails');
        };
        if (call === 'startContainer') this.#starts(id as string);
        if (call === 'stopContainer' && !actor.isDead) this.#stops(id as string);
      },
      losesAnswer: () => random() < this.answersLost,
    });
  }

  #starts(id: string): void {
    const container = this.engine.containers.get(id);
    if (!container || container.state === 'running') return;
    const what = lineOfContainer(container, this.name);
    this.#parts.trace(`${this.name} starts ${what}`);
    if (!this.allowed.has(what)) {
      this.#broken(`${what} is started, which no assignment ever asked for`);
    }
    const twin = [...this.engine.containers.values()].find(
      other =>
        other.id !== id &&
        other.state === 'running' &&
        other.pod.name === container.pod.name &&
        other.name === container.name,
    );
    if (twin) this.#broken(`${what} is started while ${twin.image} runs: the pod runs twice`);
  }

  #stops(id: string): void {
    const { scheduler, trace } = this.#parts;
    const container = this.engine.containers.get(id);
    if (container?.state !== 'running') return;
    const what = lineOfContainer(container, this.name);
    trace(`${this.name} stops ${what}`);
    const since = this.#wanted.get(what);
    const isWhole = this.engine.sandboxes.get(container.sandboxId)?.ready === true;
    if (since !== undefined && scheduler.now - since > RECENT_MS && this.isCalm() && isWhole) {
      this.#broken(`${what} did not change and is stopped`);
    }
  }

  #broken(what: string): void {
    this.#parts.broken(`${this.name}: ${what}`);
  }
}
