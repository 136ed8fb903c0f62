/** The agent's pod runner in this process on a real Docker Engine, a directory that files are dropped into, and what can be seen of both. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewEvent } from '../../agent/ports.js';
import type { Pods } from '../../agent/pods/pods.js';
import { startPods } from '../../agent/pods/reconcile.js';
import { DockerRuntime } from '../../agent/runtime/docker.js';
import { openFileSource, type FileSource } from '../../agent/sources/files.js';
import { REAL_CLOCK } from './clock.js';
import { docker, randomHex, TEST_IMAGE } from './docker.js';
import { eventually } from './wait.js';

export const NODE = 'edge1';
const silent = () => undefined;
const log = { info: silent, warn: silent, error: silent };

interface ContainerOptions {
  readonly name: string;
  readonly script?: string;
  readonly more?: Record<string, unknown>;
}

export function pod(
  name: string,
  containers: readonly ContainerOptions[],
  spec: Record<string, unknown> = {},
): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 1,
      ...spec,
      containers: containers.map(({ name: container, script = 'sleep 100000', more = {} }) => ({
        name: container,
        image: TEST_IMAGE,
        command: ['sh', '-c', `trap 'exit 0' TERM; ${script} & wait $!`],
        ...more,
      })),
    },
  });
}

export class StandaloneAgent {
  readonly root: string;
  readonly dir: string;
  readonly owner: string;
  readonly events: NewEvent[] = [];
  #source: FileSource | null = null;
  #pods: Pods | null = null;

  constructor() {
    this.root = mkdtempSync(join(tmpdir(), 'flotilla-e2e-'));
    this.dir = join(this.root, 'manifests');
    this.owner = this.root;
    mkdirSync(this.dir);
  }

  async start(): Promise<void> {
    const clock = REAL_CLOCK;
    const dataDir = join(this.root, 'data');
    const events = { record: (event: NewEvent) => this.events.push(event) };
    this.#source = await openFileSource({
      path: this.dir,
      dataDir,
      nodeName: NODE,
      clock,
      log,
      events,
      explains: () => false,
      trusted: null,
    });
    const runtime = new DockerRuntime({
      socketPath: '/var/run/docker.sock',
      owner: this.owner,
      arch: process.arch,
      clock,
      log,
      randomSuffix: () => randomHex(4),
    });
    this.#pods = startPods({
      runtime,
      sources: [this.#source],
      events,
      clock,
      log,
      node: { name: NODE, hostIP: '127.0.0.1' },
      dataDir,
    });
  }

  async stop(): Promise<void> {
    await this.#pods?.stop();
    await this.#source?.stop();
  }

  get pods(): Pods {
    if (this.#pods === null) throw new Error('the agent was not started');
    return this.#pods;
  }

  put(name: string, text: string): void {
    writeFileSync(join(this.dir, `.${name}`), text);
    renameSync(join(this.dir, `.${name}`), join(this.dir, name));
  }

  remove(name: string): void {
    rmSync(join(this.dir, name));
  }

  status(name: string) {
    return this.pods.reports().find(report => report.key === `default/${name}-${NODE}`)?.pod.status;
  }

  /** Ids of running containers of a pod, `POD` for the sandbox. */
  ids(name: string, container: string, all = false): string[] {
    const filters = [
      `label=flotilla.dev/owner=${this.owner}`,
      `label=io.kubernetes.pod.name=${name}-${NODE}`,
      `label=io.kubernetes.container.name=${container}`,
    ].flatMap(filter => ['--filter', filter]);
    const out = docker('ps', '--no-trunc', '-q', ...(all ? ['-a'] : []), ...filters);
    return out.split('\n').filter(id => id !== '');
  }

  async runs(name: string): Promise<void> {
    await eventually(`${name} runs`, () =>
      this.status(name)?.conditions?.some(one => one.type === 'Ready' && one.status === 'True') ===
      true
        ? true
        : null,
    );
  }

  condition(type: string): string | null {
    return this.pods.conditions().find(one => one.type === type)?.message ?? null;
  }

  /** Everything of this owner on the engine: id, name, time of start. */
  picture(): string {
    return docker(
      'ps',
      '-a',
      '--no-trunc',
      '--format',
      '{{.ID}} {{.Names}} {{.State}}',
      '--filter',
      `label=flotilla.dev/owner=${this.owner}`,
    );
  }
}
