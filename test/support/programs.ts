/** The programs as a person starts them: hub, agent, Mosquitto as processes, a cable that can be pulled. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { realClock } from '../../hub/clock.js';
import { runCommandLine } from '../../hub/cli/command-line.js';
import { terminalOf } from '../../hub/cli/terminal.js';
import { ApiClient } from '../../hub/cli/client.js';
import { loadKubeconfig } from '../../hub/cli/kubeconfig.js';
import { removeOwned } from './docker.js';
import { unmountBelow } from './mounts.js';
import { eventually, whenNever } from './wait.js';

const CHECKOUT = join(import.meta.dirname, '../../..');
export const HUB_PROGRAM = join(CHECKOUT, 'hub/bin/flotilla.js');
export const AGENT_PROGRAM = join(CHECKOUT, 'agent/bin/flotilla-agent.js');

/** Of a program that a test waited for in vain. */
const LAST_LINES = 12;

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Commands of `flotilla` that ask the hub and end. */
const HERE: ReadonlySet<string> = new Set([
  ...['apply', 'audit', 'delete', 'describe', 'diff', 'get', 'node', 'rollout', 'secret', 'token'],
]);

/** The program's command line in this process: on a busy machine a process costs more than what it does. */
async function commandHere(args: readonly string[], env: Record<string, string>): Promise<Run> {
  const said = { stdout: '', stderr: '' };
  const into = (name: keyof typeof said) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        said[name] += chunk.toString('utf8');
        done();
      },
    });
  const stdin = Readable.from([]);
  const terminal = terminalOf({ stdin, stdout: into('stdout'), stderr: into('stderr') });
  const { signal } = new AbortController();
  const context = { terminal, env: { ...process.env, ...env }, clock: realClock(), signal };
  return { code: await runCommandLine(args, context), ...said };
}

/** A folder in /tmp with a short path (Unix sockets have short names), and what was started in it. */
export class Playground {
  readonly dir = mkdtempSync(join(tmpdir(), 'fl-'));
  readonly #running = new Map<string, ChildProcess>();
  readonly #agents = new Set<string>();
  readonly #started = new Map<string, ChildProcess>();
  readonly #forget = whenNever(() => this.#lastWords());

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  write(name: string, text: string): string {
    const path = this.path(name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** What a program printed so far. */
  log(name: string): string {
    return readFileSync(this.path(`${name}.log`), 'utf8');
  }

  start(name: string, command: string, args: readonly string[], env = {}): void {
    const log = openSync(this.path(`${name}.log`), 'a');
    const all = { ...process.env, ...env };
    const child = spawn(command, args, { stdio: ['ignore', log, log], env: all });
    this.#running.set(name, child);
    this.#started.set(name, child);
  }

  /** Of a program that runs. */
  pid(name: string): number {
    const pid = this.#running.get(name)?.pid;
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  }

  /** Started, and not ended by this test. */
  isRunning(name: string): boolean {
    return this.#running.has(name);
  }

  async kill(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#running.get(name);
    this.#running.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  startHub(): void {
    this.start('hub', process.execPath, [
      HUB_PROGRAM,
      'hub',
      'run',
      '--data-dir',
      this.path('hub'),
    ]);
  }

  startAgent(name: string, ...options: string[]): void {
    this.#agents.add(this.path(name));
    const all = ['--data-dir', this.path(name), '--file-check-frequency', '2s', ...options];
    this.start(name, process.execPath, [AGENT_PROGRAM, 'run', ...all]);
  }

  /** With more in its environment, a faked clock for example. */
  startAgentIn(env: Readonly<Record<string, string>>, name: string, ...options: string[]): void {
    this.#agents.add(this.path(name));
    this.start(
      name,
      process.execPath,
      [AGENT_PROGRAM, 'run', '--data-dir', this.path(name), ...options],
      env,
    );
  }

  /** What lasts or belongs to the hub's own machine is a process; any other command runs here, as a process would. */
  flotilla(...args: string[]): Promise<Run> {
    if (!HERE.has(args[0] ?? '')) return this.#run(HUB_PROGRAM, args);
    return commandHere(args, { KUBECONFIG: this.path('hub/admin.kubeconfig') });
  }

  agent(...args: string[]): Promise<Run> {
    return this.#run(AGENT_PROGRAM, args);
  }

  /** Throws unless the command ended with 0; gives its output. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.flotilla(...args);
    if (code !== 0) throw new Error(`flotilla ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.ok(...args, '-o', 'json')) as T;
  }

  /** A token, a join, a running agent. */
  async join(node: string, ...token: string[]): Promise<void> {
    await this.joinWith(node, [], ...token);
  }

  /** The same, with options for the agent. */
  async joinWith(node: string, options: readonly string[], ...token: string[]): Promise<void> {
    const line = this.write(`${node}.token`, await this.ok('token', 'create', ...token));
    this.#agents.add(this.path(node));
    const joined = await this.agent(
      'join',
      '--token-file',
      line,
      '--node-name',
      node,
      '--data-dir',
      this.path(node),
    );
    if (joined.code !== 0) throw new Error(`join: ${joined.stdout}${joined.stderr}`);
    this.startAgent(node, ...options);
  }

  async hubAnswers(): Promise<void> {
    await eventually('the hub answers', () => this.askHub('/api/v1/nodes'));
  }

  /** What the hub answers the one who made it, without a program for each question. Rejects what is no success. */
  async askHub<T>(path: string): Promise<T> {
    const client = new ApiClient(loadKubeconfig(this.path('hub/admin.kubeconfig'), undefined));
    try {
      return await client.call<T>({ path });
    } finally {
      client.close();
    }
  }

  async close(): Promise<void> {
    this.#forget();
    for (const name of [...this.#running.keys()].reverse()) await this.kill(name, 'SIGKILL');
    for (const owner of this.#agents) removeOwned(owner);
    unmountBelow(this.dir);
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** What each program said last, and whether it ended. */
  #lastWords(): string {
    const told = [...this.#started].map(([name, { exitCode, signalCode }]) => {
      const end = exitCode ?? signalCode;
      const lines = this.log(name).trimEnd().split('\n').slice(-LAST_LINES);
      return [`--- ${name} ${end === null ? 'runs' : `ended (${end})`}:`, ...lines].join('\n');
    });
    return told.join('\n');
  }

  #run(program: string, args: readonly string[]): Promise<Run> {
    const env = { ...process.env, KUBECONFIG: this.path('hub/admin.kubeconfig') };
    return new Promise(done => {
      const child = execFile(
        process.execPath,
        [program, ...args],
        { env, maxBuffer: 1 << 26 },
        (_, stdout, stderr) => {
          done({ code: child.exitCode ?? -1, stdout, stderr });
        },
      );
      child.stdin?.end();
    });
  }
}

/** What the agent with that socket answers, without a program for each question. Rejects while nobody listens there. */
export function askAgent(socketPath: string, path: string): Promise<string> {
  return new Promise((done, fail) => {
    // A connection that is kept may be one that the agent gave up while a command held this process.
    const asked = request({ socketPath, path, agent: false }, response => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => done(body));
      response.on('error', fail);
    });
    asked.on('error', fail);
    asked.end();
  });
}

/** A cable: bytes go both ways until it is pulled. */
export interface Cable {
  readonly port: number;
  /** Of both directions, as the socket sees them: TLS included, TCP and IP headers not. */
  bytes(): number;
  pull(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function cableTo(target: number): Promise<Cable> {
  const sockets = new Set<Socket>();
  let isWhole = true;
  let bytes = 0;
  const server = createServer(near => {
    if (!isWhole) return void near.destroy();
    const far = connect(target, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.on('data', (chunk: Buffer) => (bytes += chunk.byteLength));
      one.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    bytes: () => bytes,
    pull: () => {
      isWhole = false;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => (isWhole = true),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Mosquitto with the configuration that the hub writes for it; root's, because this folder is. */
export async function writeMosquitto(
  play: Playground,
  port: number,
  ...options: string[]
): Promise<string> {
  const where = ['--data-dir', play.path('hub'), '--out', play.path('mosquitto')];
  const how = ['--listen', `127.0.0.1:${port}`, '--user', 'root', ...options];
  await play.ok('hub', 'broker-config', 'mosquitto', ...where, ...how);
  return play.path('mosquitto/mosquitto.conf');
}

/** The same, but it lets everybody with any certificate of the fleet do everything, under any client id. */
export async function writeOpenMosquitto(play: Playground, port: number): Promise<string> {
  const config = await writeMosquitto(play, port);
  const rules = /^(acl_file|use_username_as_clientid) .*\n/gm;
  writeFileSync(config, readFileSync(config, 'utf8').replace(rules, ''));
  return config;
}
