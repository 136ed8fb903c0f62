/**
 * A stand-alone agent as a black box: files in the directory, the `docker` CLI and the node's API, nothing else. Each box
 * has its own data directory and so its own containers.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerInspectInfo } from 'dockerode';
import type { Event, Pod } from 'kubernetes-types/core/v1.js';
import { docker, ensureTestImage, removeOwned } from './docker.js';
import { unmountBelow } from './mounts.js';
import { eventually } from './wait.js';

export const AGENT = join(import.meta.dirname, '../../../agent/bin/flotilla-agent.js');

export const NODE = 'n1';

/** Ends at once at SIGTERM; else a shell as PID 1 would wait for its child. */
export const FOREVER = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done";

export interface Status {
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
}

/** A container of a manifest: a shell script on the test's image, and anything else. */
export function container(
  name: string,
  script: string = FOREVER,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    name,
    image: ensureTestImage(),
    imagePullPolicy: 'IfNotPresent',
    command: ['/bin/sh', '-c', script],
    ...more,
  };
}

export interface PodOptions {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** A Pod with a grace of 1 s unless it says otherwise. */
export function pod(
  name: string,
  containers: readonly Record<string, unknown>[] = [container('app')],
  { metadata = {}, ...spec }: PodOptions = {},
): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: { terminationGracePeriodSeconds: 1, ...spec, containers },
  };
}

interface GetOptions {
  readonly method?: 'GET' | 'POST';
  readonly onData?: (body: string) => void;
}

export class BlackBox {
  readonly dir = realpathSync(mkdtempSync(join(tmpdir(), 'fl-bb-')));
  readonly manifests = join(this.dir, 'manifests');
  readonly #config = join(this.dir, 'agent.yaml');
  #agent: ChildProcess | null = null;

  constructor(config: Readonly<Record<string, unknown>> = {}) {
    ensureTestImage();
    mkdirSync(this.manifests);
    this.configure(config);
  }

  /** In force from the next start. */
  configure(config: Readonly<Record<string, unknown>>): void {
    writeFileSync(this.#config, JSON.stringify({ fileCheckFrequency: '2s', ...config }));
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  file(name: string): string {
    return join(this.manifests, name);
  }

  /** Of the agent. */
  pid(): number {
    const pid = this.#agent?.pid;
    if (pid === undefined) throw new Error('the agent does not run');
    return pid;
  }

  log(): string {
    return readFileSync(this.path('agent.log'), 'utf8');
  }

  /** Resolves when the agent answers. */
  async start(): Promise<this> {
    const log = openSync(this.path('agent.log'), 'a');
    const args = ['run', '--data-dir', this.dir, '--node-name', NODE, '--config', this.#config];
    this.#agent = spawn(process.execPath, [AGENT, ...args], { stdio: ['ignore', log, log] });
    await eventually('the agent answers', async () => {
      if (this.#agent?.exitCode !== null || this.#agent.signalCode !== null)
        throw new Error(`the agent ended: ${this.log()}`);
      return (await this.get('/healthz')).code === 200;
    });
    return this;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const agent = this.#agent;
    this.#agent = null;
    if (agent === null || agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = once(agent, 'exit');
    agent.kill(signal);
    await ended;
  }

  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.stop(signal);
    await this.start();
  }

  async close(): Promise<void> {
    await this.stop('SIGKILL');
    removeOwned(this.dir);
    unmountBelow(this.dir);
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** As an installer does it: written under another name, then renamed. */
  put(name: string, content: string | Record<string, unknown>): void {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    const draft = this.path(`draft-${name}`);
    writeFileSync(draft, text);
    renameSync(draft, this.file(name));
  }

  /** In place, as `cat >` does it. */
  write(name: string, content: string | Record<string, unknown>): void {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    writeFileSync(this.file(name), text);
  }

  remove(name: string): void {
    rmSync(this.file(name));
  }

  /** `onData` hears the body so far, each time that there is more of it. */
  get(
    path: string,
    { method = 'GET', onData = () => {} }: GetOptions = {},
  ): Promise<{ code: number; body: string }> {
    return new Promise((done, fail) => {
      // A connection that is kept may be one that the agent gave up while a `docker` call held this process.
      const to = { socketPath: this.path('agent.sock'), path, method, agent: false };
      const asked = request(to, response => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => onData((body += chunk)));
        response.on('end', () => done({ code: response.statusCode ?? 0, body }));
        response.on('error', fail);
      });
      asked.on('error', fail);
      asked.end();
    });
  }

  async pods(): Promise<readonly Pod[]> {
    const { body } = await this.get('/pods');
    return (JSON.parse(body) as { items: Pod[] }).items;
  }

  /** The pod of that name, which is not ending; null when there is none. */
  async pod(name: string, namespace = 'default'): Promise<Pod | null> {
    const pods = await this.pods();
    const found = pods.find(
      ({ metadata }) =>
        metadata?.name === `${name}-${NODE}` &&
        metadata.namespace === namespace &&
        metadata.deletionTimestamp === undefined,
    );
    return found ?? null;
  }

  async status(): Promise<Status> {
    return JSON.parse((await this.get('/status')).body) as Status;
  }

  /** Messages of the conditions of a type. */
  async conditions(type: string): Promise<readonly string[]> {
    const { conditions } = await this.status();
    return conditions.filter(one => one.type === type).map(one => one.message);
  }

  async events(reason: string): Promise<readonly Event[]> {
    const { body } = await this.get('/events');
    return (JSON.parse(body) as { items: Event[] }).items.filter(one => one.reason === reason);
  }

  /** Its first answer that `look` does not refuse. */
  until<T>(
    what: string,
    name: string,
    look: (pod: Pod) => T | null | undefined | false,
  ): Promise<NonNullable<Exclude<T, false>>> {
    return eventually(`${name}: ${what}`, async () => {
      const found = await this.pod(name);
      if (found === null) throw new Error(`no pod ${name}; agent: ${this.log().slice(-2000)}`);
      const answer = look(found);
      if (answer === null || answer === undefined || answer === false) {
        throw new Error(JSON.stringify(found.status));
      }
      return answer as NonNullable<Exclude<T, false>>;
    });
  }

  ready(name: string): Promise<Pod> {
    return this.until('ready', name, found =>
      found.status?.conditions?.some(one => one.type === 'Ready' && one.status === 'True') === true
        ? found
        : null,
    );
  }

  phase(name: string, phase: string): Promise<Pod> {
    return this.until(phase, name, found => (found.status?.phase === phase ? found : null));
  }

  /** The waiting reason of a container, init containers included. */
  waiting(name: string, reason: string): Promise<Pod> {
    return this.until(`waiting: ${reason}`, name, found => {
      const { containerStatuses = [], initContainerStatuses = [] } = found.status ?? {};
      const all = [...initContainerStatuses, ...containerStatuses];
      return all.some(one => one.state?.waiting?.reason === reason) ? found : null;
    });
  }

  /** No container of the pod is left. */
  async gone(name: string): Promise<void> {
    await eventually(`${name} is gone`, () => this.inspect(name).length === 0);
  }

  /** All containers of a pod as `docker inspect` shows them, newest first; `POD` is the sandbox. */
  inspect(name: string, only?: string): readonly ContainerInspectInfo[] {
    const filters = [
      `label=flotilla.dev/owner=${this.dir}`,
      `label=io.kubernetes.pod.name=${name}-${NODE}`,
      ...(only === undefined ? [] : [`label=io.kubernetes.container.name=${only}`]),
    ].flatMap(filter => ['--filter', filter]);
    const ids = docker('ps', '-aq', '--no-trunc', ...filters)
      .split('\n')
      .filter(Boolean);
    if (ids.length === 0) return [];
    // What was removed in between is left out of the answer, with an error beside it.
    const { stdout } = spawnSync('docker', ['inspect', ...ids], { encoding: 'utf8' });
    return JSON.parse(stdout) as ContainerInspectInfo[];
  }

  /** The one running container of that name. Throws when there is none or more than one. */
  running(name: string, only: string): ContainerInspectInfo {
    const found = this.inspect(name, only).filter(one => one.State.Running);
    const [first] = found;
    if (first === undefined || found.length > 1) {
      throw new Error(`${found.length} running containers ${only} of ${name}`);
    }
    return first;
  }

  /** What a program in a running container prints. */
  exec(name: string, only: string, ...command: string[]): string {
    return docker('exec', this.running(name, only).Id, ...command);
  }

  /** What a container wrote, the newest of its name. */
  output(name: string, only: string): string {
    const [newest] = this.inspect(name, only);
    return newest === undefined ? '' : docker('logs', newest.Id);
  }
}
