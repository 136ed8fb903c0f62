/** A hub and a node over a cable that counts, mostly one that writes manifests and runs nothing: what delivery itself costs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentStatus } from '../../agent/agent-status.js';
import type { UsageCounts } from '../../protocol/usage.js';
import { freePort } from '../support/ports.js';
import { TEST_IMAGE } from '../support/docker.js';
import { hurriedClock } from '../support/faked-clock.js';
import { cableTo, HUB_PROGRAM, Playground, type Cable } from '../support/programs.js';
import { eventually } from '../support/wait.js';

export const NODE = 'edge-1';
/** Less than any. */
const HANDSHAKE_BYTES = 1_000;

interface NodeSays {
  readonly status: {
    readonly flotilla: {
      readonly bundles: readonly { digest: string; active: string | null; state: string }[];
    };
  };
}

export function benchPod(name: string, word: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name, part: 'bench' } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: `registry.example.com/team/${name}:1.4.2`,
          command: ['serve', '--listen', ':8080', '--config', '/etc/serve/config.yaml'],
          env: [
            { name: 'WORD', value: word },
            { name: 'LOG_LEVEL', value: 'info' },
          ],
          ports: [{ name: 'http', containerPort: 8080 }],
          resources: { requests: { cpu: '50m', memory: '32Mi' }, limits: { memory: '64Mi' } },
          readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 10 },
        },
      ],
    },
  });
}

/** One that an engine runs; the word is what it prints. */
function echoPod(name: string, word: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: TEST_IMAGE,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', `echo ${word}; exec sleep 1000000`],
        },
      ],
    },
  });
}

export class Delivered {
  readonly play = new Playground();
  readonly #runtime: 'none' | 'engine';
  cable!: Cable;

  /** With `engine` the pods run, and are healthy a second after they are ready. */
  constructor(runtime: 'none' | 'engine' = 'none') {
    this.#runtime = runtime;
  }

  async start(): Promise<void> {
    const { play } = this;
    const [api, mqtt] = [await freePort(), await freePort()];
    this.cable = await cableTo(mqtt);
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    // Nodes are told the cable's end.
    const config = readFileSync(play.path('hub/hub.yaml'), 'utf8');
    const told = config.replace(
      `mqtts://127.0.0.1:${mqtt}`,
      `mqtts://127.0.0.1:${this.cable.port}`,
    );
    play.write('hub/hub.yaml', told);
    play.startHub();
    await play.hubAnswers();
    await play.joinWith(NODE, ['--runtime', this.#runtime]);
  }

  pods(count: number, wordOf: (n: number) => string): void {
    for (let n = 0; n < count; n++) this.pod(n, wordOf(n));
  }

  pod(n: number, word: string): string {
    const text = (this.#runtime === 'none' ? benchPod : echoPod)(`app-${n}`, word);
    this.play.write(`bench/app-${n}.json`, text);
    return text;
  }

  /** Until the files lie on the node, or run there, and the hub knows. */
  async apply(): Promise<void> {
    const before = await this.#arrived();
    const quick = this.#runtime === 'none' ? [] : ['--min-ready', '1s'];
    await this.play.ok('apply', '-f', this.play.path('bench'), '--all-nodes', ...quick);
    await eventually(
      'the node says that the revision is there',
      async () => {
        const now = await this.#arrived();
        return now !== null && now !== before;
      },
      { withinMs: 120_000 },
    );
  }

  /** Until nothing crosses the cable for three seconds. */
  async quiet(): Promise<void> {
    for (let before = -1; before !== this.cable.bytes();) {
      before = this.cable.bytes();
      await delay(3000);
    }
  }

  /** What it costs that the cable is cut once and the node comes back: handshake, subscriptions, announcement, status, what is retained. */
  async reconnected(): Promise<number> {
    const before = this.cable.bytes();
    this.cable.pull();
    this.cable.mend();
    await eventually('the node is back', () => this.cable.bytes() > before + HANDSHAKE_BYTES);
    await this.quiet();
    return this.cable.bytes() - before;
  }

  /** By the agent's own count. */
  async used(): Promise<UsageCounts> {
    const { stdout } = await this.play.agent('status', '--data-dir', this.dataDir(), '-o', 'json');
    return (JSON.parse(stdout) as AgentStatus).usage?.bytes ?? {};
  }

  /** What the agent had written to block devices so far. */
  writtenBytes(): number {
    const io = readFileSync(`/proc/${this.play.pid(NODE)}/io`, 'utf8');
    return Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? 0);
  }

  /** Hub and node started anew, with clocks that run so many times faster. */
  async hurry(speed: number): Promise<void> {
    const { play } = this;
    const env = hurriedClock(speed);
    for (const name of [NODE, 'hub']) await play.kill(name, 'SIGTERM');
    const args = [HUB_PROGRAM, 'hub', 'run', '--data-dir', play.path('hub')];
    play.start('hub', process.execPath, args, env);
    await play.hubAnswers();
    play.startAgentIn(env, NODE, '--runtime', 'none');
  }

  dataDir(...parts: string[]): string {
    return join(this.play.path(NODE), ...parts);
  }

  async close(): Promise<void> {
    await this.play.close();
    await this.cable.close();
  }

  async #arrived(): Promise<string | null> {
    const node = await this.play.json<NodeSays>('get', 'node', NODE);
    const [bundle] = node.status.flotilla.bundles;
    if (bundle === undefined || bundle.active !== bundle.digest) return null;
    return this.#runtime === 'none' || bundle.state === 'healthy' ? bundle.active : null;
  }
}
