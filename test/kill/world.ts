/**
 * One place where a node lives and dies: its directory, its engine, its hub. The agent is the real program in a
 * process of its own. The past that a chapter begins with is kept, and brought back for each point that is tried.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identityPaths } from '../../agent/membership/private-keys.js';
import { packCarried } from '../../protocol/carried.js';
import { topicsOf } from '../../protocol/topics.js';
import { FLEET } from '../support/fleet.js';
import { randomHex } from '../support/docker.js';
import { mountMemory, mountsBelow, unmountBelow } from '../support/mounts.js';
import { IMAGES, type Chapter } from './chapters.js';
import { DockerEngine, ensureImages } from './docker-engine.js';
import type { EngineState, WatchedEngine } from './engine-port.js';
import { KillEngine } from './engine.js';
import { KillHub, type HubState } from './hub.js';
import { passwordsIn } from './passwords.js';
import { makeMember } from './pki.js';

const RECORDER = join(import.meta.dirname, 'recorder.js');
const AGENT = join(import.meta.dirname, '../../../agent/bin/flotilla-agent.js');
/** What a chapter takes at the very most, on a machine that is busy. */
const PATIENCE_MS = 240_000;
const LOOK_MS = 15;
const REST_MS = 400;
const MANIFESTS = 'manifests';
const EXACTLY = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true } as const;

/** One in memory, or that of this machine. */
export const ENGINES = ['memory', 'docker'] as const;
export type EngineKind = (typeof ENGINES)[number];

export interface Past {
  /** A copy of the data directory, without what lay in memory. */
  readonly folder: string;
  /** What lay in memory, below the data directory; outlives the agent, and not the power. */
  readonly memory: { readonly folder: string; readonly mounts: readonly string[] };
  readonly engine: EngineState;
  readonly hub: HubState | null;
}

/** How a run of the agent ended. */
export type Ending = 'over' | 'killed' | { readonly never: string; readonly hasEnded?: boolean };

export interface RunOptions {
  /** Environment of the recorder; absent: it is not loaded. */
  readonly recorder?: Readonly<Record<string, string>>;
  /** A program that watches it. */
  readonly under?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** More of the agent's settings. */
  readonly flags?: readonly string[];
  /** Called again and again. What it says is lacking before the chapter is over; empty: nothing. */
  readonly meanwhile?: () => string;
  /** When the chapter is over the agent is told to end, rather than killed. */
  readonly endsWell?: boolean;
  /** How long it is left alone before that; absent: until what is said last of all is said, as a rule. */
  readonly restMs?: number;
}

export class KillWorld {
  readonly folder: string;
  readonly dataDir: string;
  readonly engine: WatchedEngine;
  readonly hub: KillHub;
  #agent: ChildProcess | null = null;
  #port = 0;
  /** What the hub says is carried there, and nobody answers. */
  #isDark = false;
  /** Somebody is still to take the static pod directory away. */
  #isHandDue = false;
  #isClosed = false;

  private constructor(folder: string, engine: WatchedEngine, hub: KillHub) {
    this.folder = folder;
    this.dataDir = join(folder, 'node');
    this.engine = engine;
    this.hub = hub;
  }

  /** `folder`: short, for sockets lie in it. The node has joined, and knows of nothing. Its name is nobody else's. */
  static async make(
    folder: string,
    engineKind: EngineKind = 'memory',
  ): Promise<{ world: KillWorld; past: Past }> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const real = realpathSync(folder);
    const dataDir = join(real, 'node');
    mkdirSync(dataDir, { mode: 0o700 });
    const pki = await makeMember(dataDir, `edge-${randomHex(6)}`);
    const engine = await openEngine(engineKind, real, dataDir);
    const hub = new KillHub(pki);
    hub.restore(null);
    await hub.open();
    const world = new KillWorld(real, engine, hub);
    world.#port = hub.port;
    await hub.close();
    const { join: file } = identityPaths(dataDir);
    const broker = `mqtts://127.0.0.1:${hub.port}`;
    writeFileSync(file, readFileSync(file, 'utf8').replace('mqtts://127.0.0.1:1', broker));
    return { world, past: { ...(await world.keep('joined')), hub: null } };
  }

  /** What is here now, as the beginning of what comes; nothing is mounted any more then. */
  async keep(name: string): Promise<Past> {
    const memory = this.#keepMemory(name);
    unmountBelow(this.dataDir);
    const folder = join(this.folder, `past-${name}`);
    rmSync(folder, { recursive: true, force: true });
    cpSync(this.dataDir, folder, { ...EXACTLY, filter: isKept });
    return { folder, memory, engine: await this.engine.save(), hub: this.hub.save() };
  }

  #keepMemory(name: string): Past['memory'] {
    const folder = join(this.folder, `memory-${name}`);
    rmSync(folder, { recursive: true, force: true });
    const mounts = mountsBelow(this.dataDir).map(path => relative(this.dataDir, path));
    for (const mount of mounts) cpSync(join(this.dataDir, mount), join(folder, mount), EXACTLY);
    return { folder, mounts };
  }

  async bringBack(past: Past): Promise<void> {
    await this.hub.close();
    await this.engine.empty();
    unmountBelow(this.dataDir);
    this.#clear(existsSync(join(past.folder, MANIFESTS)));
    cpSync(past.folder, this.dataDir, EXACTLY);
    const { folder, mounts } = past.memory;
    for (const mount of mounts) {
      mountMemory(join(this.dataDir, mount));
      cpSync(join(folder, mount), join(this.dataDir, mount), EXACTLY);
    }
    await this.engine.restore(past.engine);
    this.hub.restore(past.hub);
  }

  /** The agent knows its static pod directory by more than its path: it stays, or lies aside where there is none. */
  #clear(withManifests: boolean): void {
    const manifests = join(this.dataDir, MANIFESTS);
    const aside = join(this.folder, MANIFESTS);
    const isHere = existsSync(manifests);
    if (withManifests && existsSync(aside)) {
      rmSync(manifests, { recursive: true, force: true });
      renameSync(aside, manifests);
    } else if (!withManifests && isHere && !existsSync(aside)) {
      renameSync(manifests, aside);
    }
    for (const name of readdirSync(this.dataDir)) {
      if (name === MANIFESTS && withManifests) continue;
      rmSync(join(this.dataDir, name), { recursive: true, force: true });
    }
    if (!withManifests) return;
    for (const name of readdirSync(manifests)) rmSync(join(manifests, name), { recursive: true });
  }

  /** The hub speaks, or what it would say lies on the stick, or it is there and speaks later. */
  async begin(chapter: Chapter): Promise<void> {
    this.#isHandDue = chapter.isReplaced === true;
    if (!this.#isHandDue) await chapter.begin(this.hub);
    this.#isDark = chapter.isCarried === true;
    if (!this.#isDark) return this.hub.open(this.#port);
    const chunks: Buffer[] = [];
    const messages = this.hub.carried();
    for await (const chunk of packCarried(topicsOf(FLEET), { fleet: FLEET, messages })) {
      chunks.push(chunk);
    }
    writeFileSync(this.stick(), Buffer.concat(chunks));
  }

  stick(): string {
    return join(this.folder, 'stick.flotilla');
  }

  log(): string {
    return readFileSync(join(this.folder, 'agent.log'), 'utf8');
  }

  /** Until the chapter is over, or the agent dies. Nothing of the agent runs afterwards. */
  async run(chapter: Chapter, options: RunOptions = {}): Promise<Ending> {
    const agent = this.#start(options);
    const end = performance.now() + PATIENCE_MS;
    let isCarried = false;
    let why = '';
    while (performance.now() < end) {
      if (agent.exitCode !== null || agent.signalCode !== null) return endingOf(agent);
      if (this.#isDark) {
        isCarried ||= await this.#carry();
        if (isCarried && runsAll(this.engine, chapter)) await this.#light();
      }
      if (this.#isHandDue && this.#isAtRest()) await this.#replace(chapter);
      const also = options.meanwhile?.() ?? '';
      why = this.lacks(chapter) || also;
      if (why === '') break;
      await delay(LOOK_MS);
    }
    if (why === '' && options.endsWell === true) {
      await delay(options.restMs ?? REST_MS);
      agent.kill('SIGTERM');
      await Promise.race([once(agent, 'exit'), delay(10_000)]);
      if (agent.signalCode !== null) return endingOf(agent);
    }
    await this.stop();
    return why === '' ? 'over' : { never: why };
  }

  /** Empty: the chapter is over, and the hub knows it. */
  lacks(chapter: Chapter): string {
    if (this.#isHandDue) return 'the static pod directory is still the one that it was';
    const { status } = this.hub;
    const wanted = this.hub.assignment()?.generation;
    if (status?.generation !== wanted) return `generation ${status?.generation} of ${wanted}`;
    const told = status?.bundles.find(({ name }) => name === 'shop');
    const state = told ? `${told.state} ${told.revision}` : 'none';
    const should = chapter.state ? `${chapter.state.state} ${chapter.state.revision}` : 'none';
    if (state !== should) {
      return `the bundle is ${state} ${told?.reason ?? ''}, not ${should}: ${told?.message ?? ''}`;
    }
    const root = this.hub.root();
    if (status?.rootVersion !== root) return `root ${status?.rootVersion} of ${root}`;
    const passwords = passwordsIn(this.dataDir).join();
    if (passwords !== (chapter.password ?? ''))
      return `the password is ${passwords || 'not there'}`;
    if (!runsAll(this.engine, chapter)) return `there runs ${shown(this.engine.running())}`;
    const events = bundleEvents(this.hub.events());
    const last = chapter.events.at(-1);
    if (!events.includes(last ?? '')) return `the hub has not heard ${last}`;
    return '';
  }

  /** It runs, and knows what the hub wants. */
  #isAtRest(): boolean {
    return this.hub.status?.generation === this.hub.assignment()?.generation;
  }

  /** As `rm -r` does it, the files first; the hub speaks at the same moment. `bringBack` finds what it was aside. */
  async #replace(chapter: Chapter): Promise<void> {
    this.#isHandDue = false;
    const manifests = join(this.dataDir, MANIFESTS);
    for (const name of readdirSync(manifests)) rmSync(join(manifests, name), { recursive: true });
    renameSync(manifests, join(this.folder, MANIFESTS));
    mkdirSync(manifests, { mode: 0o755 });
    await chapter.begin(this.hub);
  }

  async stop(): Promise<void> {
    const agent = this.#agent;
    this.#agent = null;
    if (!agent || agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = once(agent, 'exit');
    agent.kill('SIGKILL');
    await ended;
  }

  /** Nothing of it runs, nor can begin any more. Its folder stays. */
  async quit(): Promise<void> {
    this.#isClosed = true;
    await this.stop();
    await this.hub.close();
    await this.engine.close();
    unmountBelow(this.dataDir);
  }

  async close(): Promise<void> {
    await this.quit();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #light(): Promise<void> {
    this.#isDark = false;
    await this.hub.open(this.#port);
  }

  #start({ recorder, under = [], env: more, flags = [] }: RunOptions): ChildProcess {
    if (this.#isClosed) throw new Error('this world is closed');
    const log = openSync(join(this.folder, 'agent.log'), 'w');
    const preload = recorder ? ['--import', RECORDER] : [];
    const where = ['--data-dir', this.dataDir, '--engine-socket', this.engine.socketPath];
    const args = [...preload, AGENT, 'run', ...where, '--file-check-frequency', '2s', ...flags];
    const env = { ...process.env, ...recorder, ...more, FLOTILLA_KILL_ROOT: this.dataDir };
    const [program = '', ...rest] = [...under, process.execPath, ...args];
    const agent = spawn(program, rest, { stdio: ['ignore', log, log], env });
    closeSync(log);
    this.#agent = agent;
    return agent;
  }

  /** True once the file was taken. */
  #carry(): Promise<boolean> {
    const file = encodeURIComponent(this.stick());
    const options = { socketPath: join(this.dataDir, 'agent.sock'), method: 'POST', agent: false };
    return new Promise(done => {
      const asked = request({ ...options, path: `/import?file=${file}` }, response => {
        response.resume();
        response.on('end', () => done(response.statusCode === 200));
        response.on('error', () => done(false));
      });
      asked.on('error', () => done(false));
      asked.end();
    });
  }
}

async function openEngine(kind: EngineKind, folder: string, owner: string): Promise<WatchedEngine> {
  if (kind === 'memory') return KillEngine.listen(join(folder, 'engine.sock'), IMAGES);
  ensureImages(IMAGES);
  return DockerEngine.open(owner);
}

/** Sockets cannot be copied. */
const isKept = (path: string) => !path.endsWith('.sock');

function endingOf(agent: ChildProcess): Ending {
  if (agent.signalCode === 'SIGKILL') return 'killed';
  return { never: `it ended with ${agent.exitCode}`, hasEnded: true };
}

function shown(running: readonly { pod: string; image: string }[]): string {
  return (
    running
      .map(({ pod, image }) => `${pod} ${image}`)
      .sort()
      .join(', ') || 'nothing'
  );
}

export function runsAll(engine: WatchedEngine, { runs }: Chapter): boolean {
  const wanted = Object.entries(runs).map(([pod, image]) => ({ pod, image }));
  return shown(engine.running()) === shown(wanted);
}

/** `BundleHealthy 3`, in order. */
export function bundleEvents(events: readonly { reason: string; message: string }[]): string[] {
  return events
    .filter(({ reason }) => reason.startsWith('Bundle'))
    .map(({ reason, message }) => `${reason} ${/revision (\d+)/.exec(message)?.[1] ?? ''}`);
}
