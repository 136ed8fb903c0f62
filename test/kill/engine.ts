/**
 * A container engine that speaks the Docker Engine API on a socket and outlives the agent, as dockerd does;
 * containers are entries in memory, so that thousands of them cost nothing. What it keeps to: names are unique, a
 * call that came is done even when its caller is dead by then, events tell of each change. It watches by itself
 * that no container of a pod runs twice.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pauseImageName } from '../../agent/runtime/pause-image.js';
import {
  isSandbox,
  podOf,
  roleOf,
  type EngineState,
  type Labels,
  type RunningContainer,
  type WatchedEngine,
} from './engine-port.js';

export interface EngineContainer {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  readonly Config: { readonly Image: string; readonly Labels: Labels } & Record<string, unknown>;
  readonly HostConfig: Record<string, unknown>;
  readonly State: {
    Status: 'created' | 'running' | 'exited' | 'removing' | 'dead';
    Running: boolean;
    ExitCode: number;
    StartedAt: string;
    FinishedAt: string;
  };
}

interface Answer {
  readonly code: number;
  readonly body?: unknown;
}

const NEVER = '0001-01-01T00:00:00Z';
const EXIT_OF_CRASH = 3;
/** Programs of images with this in their name end as soon as they begin. */
const CRASH = 'crash';
/** Pulls of images with this in their name begin, and go on for ever. */
const ENDLESS = 'endless';

const noSuch = (what: string, name: string): Answer => ({
  code: 404,
  body: { message: `No such ${what}: ${name}` },
});

export class KillEngine implements WatchedEngine {
  readonly #server: Server;
  readonly #watchers = new Set<{ response: ServerResponse; label: string }>();
  #containers = new Map<string, EngineContainer>();
  readonly twice: string[] = [];
  readonly started = new Set<string>();
  /** What was started, each time and in order. */
  readonly starts: string[] = [];
  /** Images that it was asked to pull. */
  readonly pulls: string[] = [];
  readonly socketPath: string;
  readonly #images: ReadonlySet<string>;

  private constructor(socketPath: string, images: readonly string[]) {
    this.socketPath = socketPath;
    this.#images = new Set([...images, pauseImageName(process.arch)]);
    this.#server = createServer((request, response) => void this.#serve(request, response));
    // As dockerd, it ends no connection by itself.
    this.#server.keepAliveTimeout = 0;
  }

  /** `images`: all that there are; nothing can be pulled. */
  static async listen(socketPath: string, images: readonly string[]): Promise<KillEngine> {
    const engine = new KillEngine(socketPath, images);
    rmSync(socketPath, { force: true });
    engine.#server.listen(socketPath);
    await once(engine.#server, 'listening');
    return engine;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
    rmSync(this.socketPath, { force: true });
  }

  /** What it does is done at once. */
  settle(): Promise<void> {
    return Promise.resolve();
  }

  save(): Promise<EngineState> {
    return Promise.resolve(JSON.stringify([...this.#containers.values()]));
  }

  empty(): Promise<void> {
    this.forget();
    return Promise.resolve();
  }

  restore(state: EngineState): Promise<void> {
    const containers = JSON.parse(state) as EngineContainer[];
    this.#containers = new Map(containers.map(one => [one.Id, one]));
    this.twice.length = 0;
    this.started.clear();
    this.starts.length = 0;
    return Promise.resolve();
  }

  running(): RunningContainer[] {
    return [...this.#containers.values()]
      .filter(({ State, Config }) => State.Running && !isSandbox(Config.Labels))
      .map(({ Id, Config }) => ({ pod: podOf(Config.Labels), id: Id, image: Config.Image }));
  }

  /** The application of that pod ends as a program does that crashes. */
  crash(pod: string): void {
    for (const container of this.#containers.values()) {
      const { Labels } = container.Config;
      if (podOf(Labels) === pod && !isSandbox(Labels)) this.#end(container, EXIT_OF_CRASH);
    }
  }

  /** As after a cut of the power while it removed them all: nothing runs, names are taken, and some of it goes on. */
  halfRemove(): void {
    for (const { State, Config } of this.#containers.values()) {
      const Status = isSandbox(Config.Labels) ? 'dead' : 'removing';
      Object.assign(State, { Status, Running: false, ExitCode: 137 });
    }
  }

  /** Nothing is left of any container, as where the engine's own files were lost. */
  forget(): void {
    this.#containers.clear();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://engine');
    const path = url.pathname.replace(/^\/v\d\.\d+/, '');
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      return;
    }
    if (path === '/events') return this.#watch(url, response);
    if (path === '/images/create') return this.#pull(url, response);
    const body = Buffer.concat(chunks);
    const { code, body: said } = this.#answer(`${request.method} ${path}`, url.searchParams, body);
    response.writeHead(code, { 'Content-Type': 'application/json' });
    response.end(said === undefined ? '' : JSON.stringify(said));
  }

  #answer(call: string, query: URLSearchParams, body: Buffer): Answer {
    if (call === 'GET /version') return { code: 200, body: VERSION };
    if (call === 'GET /info') return { code: 200, body: INFO };
    if (call === 'GET /containers/json') return { code: 200, body: this.#list(query) };
    if (call === 'GET /images/json') {
      return { code: 200, body: [...this.#images].map(name => imageOf(name)) };
    }
    if (call === 'POST /containers/create') return this.#create(query, body);
    if (call === 'POST /images/load') return { code: 200, body: { stream: 'loaded' } };
    const image = /^GET \/images\/(.+)\/json$/.exec(call)?.[1];
    if (image !== undefined) return this.#image(decodeURIComponent(image));
    const [, method = '', name = '', verb = ''] =
      /^(\w+) \/containers\/([^/]+)\/?(\w*)$/.exec(call) ?? [];
    const container = this.#find(decodeURIComponent(name));
    if (name === '') return { code: 404, body: { message: `page not found: ${call}` } };
    if (!container) return noSuch('container', name);
    switch (`${method} ${verb}`) {
      case 'GET json':
        return { code: 200, body: inspected(container) };
      case 'GET logs':
        return { code: 200 };
      case 'POST start':
        return this.#start(container);
      case 'POST stop':
      case 'POST kill':
        return this.#end(container, 0) ? { code: 204 } : { code: 304 };
      case 'DELETE ':
        if (container.State.Status === 'removing') {
          container.State.Status = 'dead';
          const message = `removal of container ${name} is already in progress`;
          return { code: 409, body: { message } };
        }
        this.#end(container, 137);
        this.#containers.delete(container.Id);
        this.#tell(container, 'destroy');
        return { code: 204 };
      default:
        return { code: 501, body: { message: `this engine does not know ${call}` } };
    }
  }

  #image(name: string): Answer {
    const found = [...this.#images].find(one => one === name || idOfImage(one) === name);
    return found === undefined ? noSuch('image', name) : { code: 200, body: imageOf(found) };
  }

  #pull({ searchParams: query }: URL, response: ServerResponse): void {
    const image = query.get('fromImage') ?? '';
    this.pulls.push(image);
    if (!image.includes(ENDLESS)) {
      response.writeHead(404, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ message: `manifest for ${image} not found` }));
      return;
    }
    response.writeHead(200, { 'Content-Type': 'application/json' });
    const progress = { status: 'Downloading', id: 'a', progressDetail: { current: 1, total: 9e6 } };
    response.write(`${JSON.stringify(progress)}\n`);
  }

  #find(name: string): EngineContainer | undefined {
    const byId = this.#containers.get(name);
    return byId ?? [...this.#containers.values()].find(one => one.Name === `/${name}`);
  }

  #list(query: URLSearchParams) {
    const filters = JSON.parse(query.get('filters') ?? '{}') as { label?: string[] };
    return [...this.#containers.values()]
      .filter(({ Config }) => (filters.label ?? []).every(one => bears(Config.Labels, one)))
      .map(({ Id, Name, Config, State }) => ({
        ...{ Id, Names: [Name], Image: Config.Image, ImageID: idOfImage(Config.Image) },
        ...{ Labels: Config.Labels, State: State.Status },
        Status: State.Status === 'exited' ? `Exited (${State.ExitCode}) 1 second ago` : 'Up',
      }));
  }

  #create(query: URLSearchParams, body: Buffer): Answer {
    const Name = `/${query.get('name') ?? ''}`;
    const holder = this.#find(Name.slice(1));
    if (holder) {
      const message = `Conflict. The container name "${Name}" is already in use by container "${holder.Id}".`;
      return { code: 409, body: { message } };
    }
    const { HostConfig, ...Config } = JSON.parse(body.toString('utf8')) as EngineContainer &
      EngineContainer['Config'];
    if (this.#image(Config.Image).code === 404) return noSuch('image', Config.Image);
    const container: EngineContainer = {
      ...{ Id: randomBytes(32).toString('hex'), Name, Config, HostConfig },
      Created: new Date().toISOString(),
      State: {
        ...{ Status: 'created', Running: false, ExitCode: 0 },
        ...{ StartedAt: NEVER, FinishedAt: NEVER },
      },
    };
    this.#containers.set(container.Id, container);
    this.#tell(container, 'create');
    return { code: 201, body: { Id: container.Id, Warnings: [] } };
  }

  #start(container: EngineContainer): Answer {
    const { State, Config, Id } = container;
    if (State.Running) return { code: 304 };
    const role = roleOf(Config.Labels);
    const same = [...this.#containers.values()].filter(
      one => one.Id !== Id && one.State.Running && roleOf(one.Config.Labels) === role,
    );
    if (same.length > 0) this.twice.push(`${role} ran twice at once`);
    if (!isSandbox(Config.Labels)) {
      this.started.add(`${podOf(Config.Labels)} ${Config.Image}`);
      this.starts.push(`${podOf(Config.Labels)} ${Config.Image}`);
    }
    Object.assign(State, { Status: 'running', Running: true, FinishedAt: NEVER });
    State.StartedAt = new Date().toISOString();
    this.#tell(container, 'start');
    // At once: nobody is ever to see it ready.
    if (Config.Image.includes(CRASH)) this.#end(container, EXIT_OF_CRASH);
    return { code: 204 };
  }

  /** False: it did not run. */
  #end(container: EngineContainer, ExitCode: number): boolean {
    const { State } = container;
    if (!State.Running) return false;
    Object.assign(State, { Status: 'exited', Running: false, ExitCode });
    State.FinishedAt = new Date().toISOString();
    this.#tell(container, 'die');
    return true;
  }

  #watch(url: URL, response: ServerResponse): void {
    const filters = JSON.parse(url.searchParams.get('filters') ?? '{}') as { label?: string[] };
    const watcher = { response, label: filters.label?.[0] ?? '' };
    this.#watchers.add(watcher);
    response.on('close', () => this.#watchers.delete(watcher));
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.flushHeaders();
  }

  #tell({ Id, Config }: EngineContainer, Action: string): void {
    const Actor = { ID: Id, Attributes: Config.Labels };
    const line = `${JSON.stringify({ Type: 'container', Action, Actor })}\n`;
    for (const { response, label } of this.#watchers) {
      if (bears(Config.Labels, label)) response.write(line);
    }
  }
}

const VERSION = {
  ...{ Version: '20.10.24', ApiVersion: '1.41', Os: 'linux', Arch: 'amd64' },
  KernelVersion: '6.1.0',
  Components: [{ Name: 'Engine', Version: '20.10.24' }],
};
const INFO = {
  ...{ OperatingSystem: 'memory', NCPU: 2, MemTotal: 2 ** 32, CgroupVersion: '2' },
  ...{ SecurityOptions: ['name=seccomp,profile=default'], DockerRootDir: '/tmp' },
};

function bears(labels: Labels, filter: string): boolean {
  const [key = '', ...value] = filter.split('=');
  return labels[key] === value.join('=');
}

function idOfImage(name: string): string {
  return `sha256:${Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64)}`;
}

function imageOf(name: string) {
  const Id = idOfImage(name);
  const Created = '2026-01-01T00:00:00Z';
  const RootFS = { Type: 'layers', Layers: [Id] };
  const isByDigest = name.includes('@');
  const [RepoTags, RepoDigests] = isByDigest ? [[], [name]] : [[name], []];
  return { Id, RepoTags, RepoDigests, Size: 1000, Created, RootFS, Config: {} };
}

function inspected(container: EngineContainer) {
  const { Config, State } = container;
  return {
    ...container,
    ...{ Image: idOfImage(Config.Image), LogPath: '', RestartCount: 0, Mounts: [] },
    State: { ...State, Paused: false, OOMKilled: false, Pid: 0, Error: '' },
    NetworkSettings: { Networks: { bridge: { IPAddress: '172.17.0.9', GlobalIPv6Address: '' } } },
  };
}
