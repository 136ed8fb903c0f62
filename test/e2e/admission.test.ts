/**
 * Admission on a real Docker Engine: what a person sees who drops pods that may not begin, and takes the cause away
 * without touching them (kubelet behaviour rows 163, 179, 180, 184; P2, P20; T18).
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { admission } from '../../agent/admission/admit.js';
import { nodeLabels } from '../../agent/admission/node-fit.js';
import { parseAdmissionPolicy } from '../../agent/admission/policy-config.js';
import type { NewEvent } from '../../agent/ports.js';
import type { Pods } from '../../agent/pods/pods.js';
import { startPods } from '../../agent/pods/reconcile.js';
import { DockerRuntime } from '../../agent/runtime/docker.js';
import { openFileSource, type FileSource } from '../../agent/sources/files.js';
import { REAL_CLOCK } from '../support/clock.js';
import {
  docker,
  ensureTestImage,
  noEngine,
  randomHex,
  removeOwned,
  TEST_IMAGE,
  runningOf,
} from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge1';
const silent = () => undefined;
const log = { info: silent, warn: silent, error: silent };

interface Shape {
  readonly hostPort?: number;
  readonly annotations?: Record<string, string>;
  readonly spec?: Record<string, unknown>;
}

function manifest(name: string, { hostPort, annotations = {}, spec = {} }: Shape = {}): string {
  const ports = hostPort === undefined ? [] : [{ containerPort: 80, hostPort }];
  const command = ['sh', '-c', "trap 'exit 0' TERM; sleep 100000 & wait $!"];
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, annotations },
    spec: {
      terminationGracePeriodSeconds: 1,
      ...spec,
      containers: [{ name: 'app', image: TEST_IMAGE, command, ports }],
    },
  });
}

class Agent {
  readonly root = mkdtempSync(join(tmpdir(), 'flotilla-admission-'));
  readonly dir = join(this.root, 'manifests');
  events: NewEvent[] = [];
  #source: FileSource | null = null;
  #pods: Pods | null = null;

  async start(policy: unknown): Promise<void> {
    mkdirSync(this.dir, { recursive: true });
    this.events = [];
    const dataDir = join(this.root, 'data');
    const events = { record: (event: NewEvent) => void this.events.push(event) };
    const shared = { clock: REAL_CLOCK, log, events };
    this.#source = await openFileSource({
      ...shared,
      path: this.dir,
      dataDir,
      nodeName: NODE,
      explains: () => false,
      trusted: null,
    });
    const runtime = new DockerRuntime({
      ...shared,
      socketPath: '/var/run/docker.sock',
      owner: this.root,
      arch: process.arch,
      randomSuffix: () => randomHex(4),
    });
    const labels = nodeLabels({ name: NODE, arch: 'amd64' }, { site: 'berlin' });
    this.#pods = startPods({
      ...shared,
      runtime,
      sources: [this.#source],
      node: { name: NODE, hostIP: '127.0.0.1' },
      dataDir,
      admission: admission({
        policy: parseAdmissionPolicy(policy, 'test'),
        node: { name: NODE, labels, allocatable: { cpu: '64', memory: '64Gi', pods: '110' } },
      }),
    });
  }

  async stop(): Promise<void> {
    await this.#pods?.stop();
    await this.#source?.stop();
  }

  put(file: string, text: string): void {
    writeFileSync(join(this.dir, `.${file}`), text);
    renameSync(join(this.dir, `.${file}`), join(this.dir, file));
  }

  remove(file: string): void {
    rmSync(join(this.dir, file));
  }

  status(name: string) {
    const key = name.includes('/') ? name : `default/${name}`;
    const reports = this.#pods?.reports().filter(report => report.key === `${key}-${NODE}`);
    return reports?.find(({ pod }) => pod.metadata?.deletionTimestamp === undefined)?.pod.status;
  }

  /** Names of all containers of a pod, in whatever state. */
  containers(name: string): string[] {
    const filters = [
      `label=flotilla.dev/owner=${this.root}`,
      `label=io.kubernetes.pod.name=${name}-${NODE}`,
    ].flatMap(filter => ['--filter', filter]);
    const out = docker('ps', '-a', '--format', '{{.Names}}', ...filters);
    return out.split('\n').filter(line => line !== '');
  }

  ids(name: string): string {
    return runningOf(this.root, { pod: `${name}-${NODE}` });
  }

  startedAt(name: string): string {
    const [id = ''] = runningOf(this.root, { pod: `${name}-${NODE}`, container: 'app' }).split(
      '\n',
    );
    return docker('inspect', '--format', '{{.State.StartedAt}}', id);
  }

  async isReady(name: string): Promise<void> {
    await eventually(
      `${name} is ready`,
      () =>
        this.status(name)?.conditions?.some(
          ({ type, status }) => type === 'Ready' && status === 'True',
        ) ?? null,
    );
  }

  async isHeld(name: string, phase: string, reason: string): Promise<string> {
    const status = await eventually(`${name} is ${phase}, ${reason}`, () => {
      const found = this.status(name);
      return found?.phase === phase && found.reason === reason ? found : null;
    });
    assert.deepEqual(this.containers(name), []);
    return status.message ?? '';
  }
}

describe('admission', { skip: noEngine() }, () => {
  const agent = new Agent();
  let port = 0;

  before(async () => {
    ensureTestImage();
    port = await freePort();
    await agent.start({ file: { podSecurity: 'baseline', minHostPort: 1024 } });
  });

  after(async () => {
    await agent.stop();
    removeOwned(agent.root);
    rmSync(agent.root, { recursive: true, force: true });
  });

  test('rows 179, 180, 184, P2: two pods want one port; the second runs once the first is gone', async () => {
    agent.put('one.json', manifest('one', { hostPort: port }));
    await agent.isReady('one');
    agent.put('two.json', manifest('two', { hostPort: port }));
    const message = await agent.isHeld('two', 'Failed', 'NodePorts');
    assert.match(message, new RegExp(`host port ${port}/TCP is taken by pod default/one-${NODE}`));
    agent.remove('one.json');
    await agent.isReady('two');
    assert.deepEqual(agent.containers('one'), []);
  });

  test('T18: renamed in place, a pod hands its port over to its new name', async () => {
    agent.put('two.json', manifest('renamed', { hostPort: port }));
    await agent.isReady('renamed');
    assert.deepEqual(agent.containers('two'), []);
  });

  test('rows 163, 164: what the policy forbids never gets a container, and says why', async () => {
    const volumes = [{ name: 'root', hostPath: { path: '/' } }];
    agent.put('bad.json', manifest('bad', { spec: { volumes } }));
    const message = await agent.isHeld('bad', 'Failed', 'PodSecurity');
    assert.match(
      message,
      /hostPath volumes \(volume "root"\) \[rule hostPathVolumes, field spec\./,
    );
    agent.put('bad.json', manifest('bad'));
    await agent.isReady('bad');
  });

  test('row 177: an edit that the node refuses keeps the pod that runs', async () => {
    const before = agent.ids('bad');
    agent.put('bad.json', manifest('bad', { spec: { nodeSelector: { site: 'rome' } } }));
    await eventually('the refusal is told', () =>
      agent.events.some(({ reason, involved }) => {
        return reason === 'NodeAffinity' && involved.name === `bad-${NODE}`;
      }),
    );
    assert.equal(agent.ids('bad'), before);
    agent.put('bad.json', manifest('bad', { spec: { nodeSelector: { site: 'berlin' } } }));
    await eventually('the next one runs', () => {
      const now = agent.ids('bad');
      return now !== '' && now !== before && !before.split('\n').some(id => now.includes(id));
    });
  });

  test('P20: a pod starts after the one that it names, and again so after a start of the node', async () => {
    const annotations = { 'flotilla.dev/start-after': 'db' };
    agent.put('web.json', manifest('web', { annotations }));
    const message = await agent.isHeld('web', 'Pending', 'WaitingFor');
    assert.match(message, /waits for pod default\/db, which no manifest describes/);
    agent.put('db.json', manifest('db'));
    await agent.isReady('web');
    assert.ok(agent.startedAt('db') < agent.startedAt('web'));

    agent.put('never.json', manifest('never', { spec: { nodeSelector: { site: 'rome' } } }));
    await agent.isHeld('never', 'Failed', 'NodeAffinity');

    await agent.stop();
    agent.remove('never.json');
    docker('kill', ...agent.ids('db').split('\n'), ...agent.ids('web').split('\n'));
    await agent.start({});
    await agent.isReady('web');
    assert.ok(agent.startedAt('db') < agent.startedAt('web'));
    const told = agent.events.filter(({ involved }) => involved.name === `web-${NODE}`);
    assert.ok(told.some(({ reason }) => reason === 'WaitingFor'));
    assert.equal(agent.status('never'), undefined, 'T27: a rejected pod does not linger');
  });
});
