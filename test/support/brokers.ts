/**
 * Real brokers for tests: aedes in this process, Mosquitto as a process of its own. Neither keeps
 * anything.
 */
import { Aedes } from 'aedes';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { mosquittoConfig } from '../../hub/broker/mosquitto.js';
import { freePort } from './ports.js';
import { eventually } from './wait.js';

export interface TestBroker {
  readonly port: number;
  /** Cuts all connections and forgets everything, as aedes does at a restart. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  /** aedes alone. */
  readonly subscriptions?: Subscriptions;
}

/** What clients are subscribed to, and how many filters with a word in them one client ever held at once. */
export class Subscriptions {
  readonly #held = new Map<string, Set<string>>();
  readonly #most = new Map<string, number>();
  readonly #word: string;

  constructor(word: string) {
    this.#word = word;
  }

  watch(broker: Aedes): void {
    this.#held.clear();
    broker.on('subscribe', (filters, { id }) => {
      const held = this.held(id);
      for (const { topic } of filters) if (topic.includes(this.#word)) held.add(topic);
      this.#held.set(id, held);
      this.#most.set(id, Math.max(this.most(id), held.size));
    });
    broker.on('unsubscribe', (filters, { id }) => {
      for (const topic of filters) this.held(id).delete(topic);
    });
    broker.on('clientDisconnect', ({ id }) => void this.#held.delete(id));
  }

  held(client: string): Set<string> {
    return this.#held.get(client) ?? new Set();
  }

  most(client: string): number {
    return this.#most.get(client) ?? 0;
  }
}

async function startAedes(): Promise<TestBroker> {
  const port = await freePort();
  const subscriptions = new Subscriptions('/blob/');
  let running = await listen(port, subscriptions);
  let stopped = false;
  return {
    port,
    subscriptions,
    restart: async () => {
      await close(running);
      running = await listen(port, subscriptions);
    },
    stop: async () => {
      if (!stopped) await close(running);
      stopped = true;
    },
  };
}

interface Running {
  readonly broker: Aedes;
  readonly server: Server;
  readonly sockets: Set<Socket>;
}

async function listen(port: number, subscriptions: Subscriptions): Promise<Running> {
  const broker = await Aedes.createBroker();
  subscriptions.watch(broker);
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    broker.handle(socket);
  });
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  return { broker, server, sockets };
}

async function close({ broker, server, sockets }: Running): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await new Promise<void>(resolve => server.close(() => resolve()));
  await new Promise<void>(resolve => broker.close(() => resolve()));
}

export type BrokerKind = 'aedes' | 'mosquitto';

export function startBroker(kind: BrokerKind): Promise<TestBroker> {
  return kind === 'aedes' ? startAedes() : startMosquitto();
}

/** As the hub configures it, but without TLS, and open to everybody. */
function plainConfig(port: number, directory: string): string {
  const listen = { host: '127.0.0.1', port };
  const user = userInfo().username;
  const settings = { fleet: '', listen, directory, user, dynamicSecurityPlugin: null };
  const rules = /^(\w+file|tls_version|require_certificate|use_\w+|allow_anonymous) .*\n/gm;
  return `${mosquittoConfig(settings).replace(rules, '')}allow_anonymous true\n`;
}

/** `more`: lines of its configuration. */
export async function startMosquitto(more = ''): Promise<TestBroker> {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-mosquitto-'));
  const config = join(dir, 'mosquitto.conf');
  writeFileSync(config, plainConfig(port, dir) + more);
  let process = await run(config, port);
  return {
    port,
    restart: async () => {
      await kill(process);
      process = await run(config, port);
    },
    stop: async () => {
      await kill(process);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function run(config: string, port: number): Promise<ChildProcess> {
  const child = spawn('mosquitto', ['-c', config], { stdio: 'ignore' });
  let answers = false;
  await eventually('mosquitto to listen', () => {
    const probe = connect(port, '127.0.0.1', () => {
      answers = true;
      probe.destroy();
    });
    probe.on('error', () => undefined);
    return answers;
  });
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>(resolve => child.on('exit', () => resolve()));
  child.kill('SIGKILL');
  await gone;
}
