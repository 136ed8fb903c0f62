/**
 * Init containers, sidecars, hooks, restarts of all and remembered ends on a real Docker Engine: T8, T22, T46, T47, T50,
 * T55, T58, kubelet behaviour rows 67, 69, 72, 115 to 122.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openHookRunner } from '../../agent/probes/hooks.js';
import type { Completion } from '../../agent/pods/completion.js';
import type { CompletionStore, Pods } from '../../agent/pods/pods.js';
import { startPods } from '../../agent/pods/reconcile.js';
import type { Container, PodSpec } from '../../protocol/pod.js';
import { SpokenSource } from '../sim/node.js';
import { REAL_CLOCK } from '../support/clock.js';
import { docker, ensureTestImage, noEngine, removeOwned, TEST_IMAGE } from '../support/docker.js';
import { runtimeOf } from '../support/docker-subject.js';
import { manifest, NODE } from '../support/pods.js';
import { eventually } from '../support/wait.js';

const silent = () => undefined;
const log = { info: silent, warn: silent, error: silent };

class MemoryStore implements CompletionStore {
  readonly #rows = new Map<string, Completion>();
  all = () => new Map(this.#rows);
  remember = (one: Completion) => void this.#rows.set(one.uid, one);
  forget = (uids: readonly string[]) => {
    for (const uid of uids) this.#rows.delete(uid);
  };
}

class Agent {
  readonly root = mkdtempSync(join(tmpdir(), 'flotilla-life-'));
  readonly completions = new MemoryStore();
  source = new SpokenSource();
  #pods: Pods | null = null;

  start(): void {
    const runtime = runtimeOf(this.root);
    this.source = new SpokenSource();
    this.#pods = startPods({
      runtime,
      sources: [this.source],
      events: { record: silent },
      clock: REAL_CLOCK,
      log,
      node: { name: NODE, hostIP: '127.0.0.1' },
      dataDir: join(this.root, 'data'),
      hooks: openHookRunner({ containers: runtime, clock: REAL_CLOCK }),
      completions: this.completions,
    });
  }

  async stop(): Promise<void> {
    await this.#pods?.stop();
  }

  phase(name: string): string | undefined {
    const report = this.#pods?.reports().find(one => one.key === `default/${name}-${NODE}`);
    return report?.pod.status?.phase;
  }

  /** Container ids of a pod, running or not, newest first. */
  ids(name: string): string[] {
    const filters = [`label=flotilla.dev/owner=${this.root}`];
    filters.push(`label=io.kubernetes.pod.name=${name}-${NODE}`);
    const ids = docker('ps', '-aq', ...filters.flatMap(filter => ['--filter', filter]));
    return ids.split('\n').filter(id => id !== '');
  }

  /** What the containers of a pod have written. */
  story(name: string): string[] {
    const file = join(this.root, name);
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  }
}

type Part = Partial<Container> & { name: string };

/** Its script may `say WORD` into the pod's story; `told` is true once it has touched /x/POD.go. */
function part(pod: string, name: string, script: string, more: Partial<Container> = {}): Part {
  const words = `say() { echo "$1" >> /x/${pod}; }; told() { test -e /x/${pod}.go; };`;
  const volumeMounts = [{ name: 'x', mountPath: '/x' }];
  const command = ['sh', '-c', `${words} ${script}`];
  return { name, image: TEST_IMAGE, command, volumeMounts, ...more };
}

const runs = (name: string) =>
  `say ${name}; trap 'say ${name}-term; exit 0' TERM; sleep 100000 & wait $!`;

const says = (pod: string, word: string, seconds = 0) => ({
  exec: { command: ['sh', '-c', `echo ${word} >> /x/${pod}; sleep ${seconds}`] },
});

describe('the life of a pod on a real Docker Engine', { skip: noEngine() }, () => {
  let agent: Agent;
  const pod = (name: string, spec: Partial<PodSpec>, containers: readonly Part[]) => {
    const volumes = [{ name: 'x', hostPath: { path: agent.root } }];
    return manifest(name, {
      spec: { volumes, terminationGracePeriodSeconds: 10, ...spec },
      containers,
    });
  };

  before(() => {
    ensureTestImage();
    agent = new Agent();
    agent.start();
  });
  after(async () => {
    await agent.stop();
    removeOwned(agent.root);
    rmSync(agent.root, { recursive: true, force: true });
  });

  test('T46, T47, T55, T58: everything begins and ends in its order', async () => {
    const sidecar = { restartPolicy: 'Always' };
    const initContainers = [
      part('web', 'i1', 'say i1'),
      part('web', 's1', runs('s1'), sidecar),
      part('web', 'i2', 'say i2'),
      part('web', 's2', runs('s2'), sidecar),
    ] as Container[];
    const hooks = { postStart: says('web', 'a-began', 1), preStop: says('web', 'a-ends', 1) };
    const a = part('web', 'a', runs('a'), { lifecycle: hooks });
    agent.source.say(pod('web', { initContainers }, [a, part('web', 'b', runs('b'))]));
    await eventually('it runs', () => agent.phase('web') === 'Running');
    await eventually('b has begun', () => agent.story('web').includes('b'));
    const begun = agent.story('web').filter(word => word !== 's1' && word !== 's2');
    assert.deepEqual(
      begun.filter(word => !word.startsWith('a')),
      ['i1', 'i2', 'b'],
    );
    assert.ok(
      begun.indexOf('i2') < begun.indexOf('a') && begun.indexOf('a-began') < begun.indexOf('b'),
    );
    agent.source.say();
    await eventually('it is gone', () => agent.ids('web').length === 0);
    // The two app containers end side by side, the sidecars after both, the last one first.
    const ended = agent.story('web').slice(-5);
    assert.ok(ended.indexOf('a-ends') < ended.indexOf('a-term'));
    assert.deepEqual(ended.slice(0, 3).sort(), ['a-ends', 'a-term', 'b-term']);
    assert.deepEqual(ended.slice(3), ['s2-term', 's1-term']);
  });

  test('row 72: deleted while the agent was down: the hook runs before the stop signal', async () => {
    const lifecycle = { preStop: says('orphan', 'told', 1) };
    agent.source.say(pod('orphan', {}, [part('orphan', 'app', runs('app'), { lifecycle })]));
    await eventually('it runs', () => agent.story('orphan').length === 1);
    await eventually('and is known to', () => agent.phase('orphan') === 'Running');
    await agent.stop();
    agent.start();
    agent.source.say();
    await eventually('it is gone', () => agent.ids('orphan').length === 0);
    assert.deepEqual(agent.story('orphan'), ['app', 'told', 'app-term']);
  });

  test('T22, P17: a restart of all; what has ended does not begin again', async () => {
    const exitCodes = { operator: 'In', values: [42] };
    const rules = { restartPolicyRules: [{ action: 'RestartAllContainers', exitCodes }] };
    const once = { restartPolicy: 'Never', ...rules } as Partial<Container>;
    const script = 'say app; told && exit 0; touch /x/job.go; exit 42';
    const initContainers = [part('job', 'init', 'say init')] as Container[];
    const job = pod('job', { initContainers, restartPolicy: 'Never' }, [
      part('job', 'app', script, once),
    ]);
    agent.source.say(job);
    await eventually('it is over', () => agent.phase('job') === 'Succeeded');
    assert.deepEqual(agent.story('job'), ['init', 'app', 'init', 'app']);
    await agent.stop();
    docker('rm', '-f', '-v', ...agent.ids('job'));
    agent.start();
    agent.source.say(job, pod('after', {}, [part('after', 'app', runs('app'))]));
    await eventually('another one runs', () => agent.phase('after') === 'Running');
    assert.equal(agent.phase('job'), 'Succeeded');
    assert.deepEqual(agent.ids('job'), []);
  });
});
