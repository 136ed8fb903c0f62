/**
 * A Docker Engine of a test's own, to be killed and started again: its containerd, storage, socket and bridge are its alone,
 * the engine of the machine is not touched. From `start` on the `docker` CLI of this process speaks to it. Needs root.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noEngine, randomHex } from './docker.js';
import { eventually } from './wait.js';

/** False, or a reason to skip. */
export function noOwnEngine(): string | false {
  if (process.getuid?.() !== 0) return 'a second Docker Engine is started as root only';
  return noEngine();
}

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });

export class OwnEngine {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fl-engine-'));
  readonly #bridge = `fl-${randomHex(4)}`;
  readonly socketPath = join(this.#folder, 'docker.sock');
  /** Where it keeps images and containers. */
  readonly dataRoot = join(this.#folder, 'data');
  readonly #dataMiB: number | null;
  #containerd: ChildProcess | null = null;
  #daemon: ChildProcess | null = null;
  #formerHost: string | undefined;

  /** `dataMiB`: its data lie on a disk of their own, as large as that. */
  constructor({ dataMiB = null }: { readonly dataMiB?: number | null } = {}) {
    this.#dataMiB = dataMiB;
  }

  #at(name: string): string {
    return join(this.#folder, name);
  }

  #spawn(command: string, ...args: string[]): ChildProcess {
    const log = openSync(this.#at('log'), 'a');
    return spawn(command, args, { stdio: ['ignore', log, log] });
  }

  /** As on a machine with systemd, containerd outlives the engine; a killed engine would take a child of its own along. */
  async #begin(): Promise<void> {
    ip('link', 'add', this.#bridge, 'type', 'bridge');
    // Several may run side by side.
    const net = 16 + (parseInt(this.#bridge.slice(3), 16) % 230);
    ip('addr', 'add', `172.31.${net}.1/24`, 'dev', this.#bridge);
    ip('link', 'set', this.#bridge, 'up');
    if (this.#dataMiB !== null) {
      mkdirSync(this.dataRoot);
      const options = ['-t', 'tmpfs', '-o', `size=${this.#dataMiB}m`, 'tmpfs', this.dataRoot];
      execFileSync('mount', options, { stdio: 'pipe' });
    }
    this.#formerHost = process.env['DOCKER_HOST'];
    process.env['DOCKER_HOST'] = `unix://${this.socketPath}`;
    const config = this.#at('containerd.toml');
    const lines = [
      'version = 2',
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      `root = "${this.#at('containerd')}"`,
      `state = "${this.#at('containerd-state')}"`,
      `[grpc]`,
      `address = "${this.#at('containerd.sock')}"`,
    ];
    writeFileSync(config, `${lines.join('\n')}\n`);
    this.#containerd = this.#spawn('containerd', '--config', config);
    await eventually('containerd listens', () =>
      readdirSync(this.#folder).includes('containerd.sock'),
    );
  }

  /** Resolves when it answers. Containers outlive it. */
  async start(): Promise<void> {
    if (this.#containerd === null) await this.#begin();
    rmSync(this.#at('pid'), { force: true });
    this.#daemon = this.#spawn(
      'dockerd',
      ...['--data-root', this.dataRoot, '--exec-root', this.#at('exec')],
      ...['--pidfile', this.#at('pid'), '--containerd', this.#at('containerd.sock')],
      ...['-H', `unix://${this.socketPath}`, '--bridge', this.#bridge],
      ...['--iptables=false', '--ip6tables=false', '--live-restore'],
    );
    await eventually('the second engine answers', () => {
      if (this.#daemon?.exitCode !== null) {
        throw new Error(`it ended: ${readFileSync(this.#at('log'), 'utf8').slice(-2000)}`);
      }
      return noEngine() === false;
    });
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    await ended(this.#daemon, signal);
  }

  /** Whatever still runs in it ends too. */
  async close(): Promise<void> {
    await this.end('SIGTERM');
    await ended(this.#containerd, 'SIGTERM');
    if (this.#formerHost === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = this.#formerHost;
    for (const pid of this.#shims()) process.kill(pid, 'SIGKILL');
    if (this.#containerd !== null) ip('link', 'del', this.#bridge);
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map(line => line.split(' ')[1] ?? '')
      .filter(path => path.startsWith(`${this.#folder}/`));
    for (const path of mounts.reverse()) execFileSync('umount', ['-l', path], { stdio: 'pipe' });
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #shims(): number[] {
    const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
    return pids.map(Number).filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${this.#folder}/`);
      } catch {
        return false;
      }
    });
  }
}

async function ended(process: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (process === null || process.exitCode !== null || process.signalCode !== null) return;
  const exit = once(process, 'exit');
  process.kill(signal);
  await exit;
}
