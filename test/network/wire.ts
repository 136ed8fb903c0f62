/**
 * A network namespace behind a wire that is as bad as a test says (wire.py): what is started in there reaches this
 * machine, and nothing else, over real IP packets that are lost, late, doubled or overtaken. Needs root, `ip`,
 * `iptables`, Python 3 and /dev/net/tun.
 */
import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

const PROGRAM = join(import.meta.dirname, '../../../test/network/wire.py');
const TRIES = 5;

/** See wire.py. Left out: perfect. */
export interface Fault {
  readonly isCut?: boolean;
  readonly loss?: number;
  readonly delayMs?: number;
  readonly bytesPerS?: number;
  readonly repeat?: number;
  readonly overtake?: number;
}

/** False, or a reason to skip. */
export function noNamespaces(): string | false {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  if (!existsSync('/dev/net/tun')) return 'no /dev/net/tun on this machine';
  const name = `fl${randomInt(0x1000000).toString(16)}`;
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' });
    execFileSync('ip', ['netns', 'del', name], { stdio: 'pipe' });
    return false;
  } catch (error) {
    return `no network namespaces on this machine: ${String(error)}`;
  }
}

export class Wire {
  /** This machine's address on the wire. */
  readonly here: string;
  readonly there: string;
  readonly namespace: string;
  readonly #program: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #said: string[] = [];

  private constructor(namespace: string, subnet: string) {
    this.namespace = namespace;
    this.here = `${subnet}.1`;
    this.there = `${subnet}.2`;
    this.#program = spawn('python3', [PROGRAM, namespace, subnet], { stdio: 'pipe' });
    this.#lines = createInterface({ input: this.#program.stdout });
    this.#lines.on('line', line => this.#said.push(line));
  }

  /** In the range for tests of networks (RFC 2544). */
  static async lay(): Promise<Wire> {
    for (let tries = 1; ; tries++) {
      const namespace = `fl${randomInt(0x1000000).toString(16)}`;
      const wire = new Wire(namespace, `198.${18 + randomInt(2)}.${randomInt(256)}`);
      let complaint = '';
      wire.#program.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
      const begun = await Promise.race([
        once(wire.#lines, 'line').then(() => true),
        once(wire.#program, 'exit').then(() => false),
      ]);
      if (begun && wire.#said[0] === 'ready') return wire;
      if (tries === TRIES) throw new Error(`no wire: ${complaint}`);
    }
  }

  /** The command that runs another in the namespace; its process keeps the id. */
  inside(...command: readonly string[]): [string, string[]] {
    return ['nsenter', [`--net=/run/netns/${this.namespace}`, '--', ...command]];
  }

  /** From now on. Not told: perfect. */
  async become(fault: Fault = {}): Promise<void> {
    const done = once(this.#lines, 'line');
    this.#program.stdin.write(`${JSON.stringify(fault)}\n`);
    await done;
  }

  /** Connections are reset, at once; and each that is tried, as by a firewall, or a NAT that forgot. */
  resets(are: boolean): void {
    const how = ['-o', `${this.namespace}b`, '-p', 'tcp', '-j', 'REJECT', '--reject-with'];
    this.#run('iptables', '-w', are ? '-A' : '-D', 'OUTPUT', ...how, 'tcp-reset');
    if (are) this.#run('ss', '-K', 'dst', this.here);
  }

  /** The node's own interface goes down: it has no route any more, and the other end is told nothing. */
  unplug(): void {
    this.#run('ip', 'link', 'set', `${this.namespace}b`, 'down');
  }

  plugIn(): void {
    this.#run('ip', 'link', 'set', `${this.namespace}b`, 'up');
  }

  /** New connections from inside to that port end at another one here. */
  divert(from: number, to: number, is: boolean): void {
    const which = ['-p', 'tcp', '--dport', String(from), '-j', 'DNAT'];
    const target = ['--to-destination', `${this.here}:${to}`];
    this.#run('iptables', '-w', '-t', 'nat', is ? '-A' : '-D', 'OUTPUT', ...which, ...target);
  }

  /** Gives what it did, as wire.py counts it. */
  async close(): Promise<string> {
    if (this.#program.exitCode !== null) return '';
    const ended = once(this.#program, 'close');
    this.#program.stdin.end();
    await ended;
    return this.#said.at(-1) ?? '';
  }

  #run(...command: readonly string[]): void {
    const [program, args] = this.inside(...command);
    execFileSync(program, args, { stdio: 'pipe' });
  }
}
