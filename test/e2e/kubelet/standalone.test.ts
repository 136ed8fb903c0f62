/**
 * The kubelet's own tests of static pods and of its stand-alone mode (`test/e2e_node`: `mirror_pod_test.go`,
 * `static_pod_test.go`, `standalone_test.go`), done again through files, the `docker` CLI and the node's API.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import type { ContainerInspectInfo } from 'dockerode';
import { AGENT, BlackBox, container, FOREVER, NODE, pod } from '../../support/black-box.js';
import { docker, ensureTestImage, noEngine } from '../../support/docker.js';
import { freePort } from '../../support/ports.js';
import { eventually } from '../../support/wait.js';

const env = (value: string) => ({ env: [{ name: 'N', value }] });
const at = (one: ContainerInspectInfo, when: 'StartedAt' | 'FinishedAt') =>
  Date.parse(one.State[when]);

describe('stand-alone, side by side', { skip: noEngine(), concurrency: true }, () => {
  const box = new BlackBox();
  const other = `${ensureTestImage()}-other-${process.pid}`;

  before(async () => {
    docker('tag', ensureTestImage(), other);
    await box.start();
  });
  after(async () => {
    await box.close();
    docker('rmi', other);
  });

  test('T16, rows 46, 48, 50, 52: a static pod runs, all containers ready, and goes with its file', async () => {
    const claims = { phase: 'Failed', conditions: [{ type: 'Ready', status: 'False' }] };
    const one = pod('simple', [container('a'), container('b')], { nodeName: 'elsewhere' });
    box.put('simple.yaml', { ...one, status: claims });
    const { metadata, spec, status } = await box.ready('simple');
    assert.equal(status?.phase, 'Running');
    assert.deepEqual(
      status.containerStatuses?.map(({ ready }) => ready),
      [true, true],
    );
    assert.equal(spec?.nodeName, NODE);
    assert.match(metadata?.uid ?? '', /^[0-9a-f]{32}$/);
    box.remove('simple.yaml');
    await box.gone('simple');
    assert.equal(await box.pod('simple'), null);
  });

  test('T1, T5, row 53 better: an edit of the image runs the new one; one of the deadline or an init image makes another pod', async () => {
    const first = (name: string, image?: string) =>
      container(name, 'exit 0', image === undefined ? {} : { image });
    const app = (image?: string) => container('app', FOREVER, image === undefined ? {} : { image });
    const write = (more: object, image?: string, initImage?: string) =>
      box.put(
        'edited.yaml',
        pod('edited', [app(image)], { initContainers: [first('init', initImage)], ...more }),
      );
    write({});
    const uid = (await box.ready('edited')).metadata?.uid;
    write({}, other);
    await eventually('the new image', () => box.running('edited', 'app').Config.Image === other);
    assert.equal((await box.ready('edited')).metadata?.uid, uid);
    const uids = new Set([uid]);
    const edits = [
      () => write({ activeDeadlineSeconds: 600 }, other),
      () => write({ activeDeadlineSeconds: 600 }, other, other),
    ];
    for (const edit of edits) {
      edit();
      await box.until('another pod', 'edited', ({ metadata, status }) => {
        const isReady = status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True');
        return isReady === true && !uids.has(metadata?.uid);
      });
      uids.add((await box.pod('edited'))?.metadata?.uid);
    }
    assert.equal(box.inspect('edited', 'POD').filter(one => one.State.Running).length, 1);
  });

  test('T17: on the host network with a port, another container name in the file takes over without a clash', async () => {
    const port = await freePort('0.0.0.0');
    const write = (name: string) => {
      const ports = [{ containerPort: port, hostPort: port }];
      const script = `trap 'exit 0' TERM; echo hi | nc -l -p ${port} & ${FOREVER}`;
      const one = container(name, script, { ports });
      box.put('net.yaml', pod('net', [one], { hostNetwork: true }));
    };
    write('before');
    await box.ready('net');
    write('after');
    await eventually('the new name', () => box.running('net', 'after'));
    await box.ready('net');
    await eventually('one', () => box.inspect('net', 'before').every(one => !one.State.Running));
    const status = (await box.pod('net'))?.status;
    assert.equal(status?.phase, 'Running');
    assert.equal(box.inspect('net', 'after').length, 1);
  });

  test('row 31: pods of many files start at one time, none waits for another', async () => {
    const meet = box.path('meet');
    mkdirSync(meet);
    const names = ['m1', 'm2', 'm3', 'm4'];
    const script = (name: string) =>
      `touch /meet/${name}; until ls ${names.map(one => `/meet/${one}`).join(' ')}; do sleep 0.1; done`;
    for (const name of names) {
      const init = container('init', script(name), {
        volumeMounts: [{ name: 'meet', mountPath: '/meet' }],
      });
      const volumes = [{ name: 'meet', hostPath: { path: meet } }];
      box.put(`${name}.yaml`, pod(name, undefined, { initContainers: [init], volumes }));
    }
    for (const name of names) await box.ready(name);
  });

  test('rows 49 and 76 better: with a uid of its own an edited variable restarts its container alone, one of the pod the whole', async () => {
    const metadata = { uid: 'given-uid-1' };
    const write = (value: string, more: object = {}) =>
      box.put(
        'given.yaml',
        pod('given', [container('a', FOREVER, env(value)), container('b')], { metadata, ...more }),
      );
    write('1');
    await box.ready('given');
    const [sandbox, a, b] = ['POD', 'a', 'b'].map(name => box.running('given', name).Id);
    write('2');
    await eventually('a runs anew', () => box.running('given', 'a').Config.Env.includes('N=2'));
    assert.notEqual(box.running('given', 'a').Id, a);
    assert.equal(box.running('given', 'b').Id, b);
    assert.equal(box.running('given', 'POD').Id, sandbox);
    write('2', { hostname: 'other' });
    await eventually('another sandbox', () => {
      const now = box.running('given', 'POD');
      return now.Id !== sandbox && now.Config.Hostname === 'other';
    });
    assert.equal((await box.ready('given')).metadata?.uid, metadata.uid);
  });

  test('row 65, P9, acceptance 7: the new pod starts when the old one has ended, not a retry later', async t => {
    // The engine remembers few events, and the old container may be removed when the new one is seen.
    const ends = new Map<string, number>();
    const watch = spawn(
      'docker',
      [
        ...['events', '--filter', 'event=die', '--filter', `label=flotilla.dev/owner=${box.dir}`],
        ...['--format', '{{.ID}} {{.TimeNano}}', '--since', `${Math.floor(Date.now() / 1000)}`],
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    t.after(() => watch.kill());
    createInterface({ input: watch.stdout }).on('line', line => {
      const [id = '', nanoseconds] = line.split(' ');
      ends.set(id, Number(nanoseconds) / 1e6);
    });
    const gaps: number[] = [];
    for (const n of [0, 1, 2, 3]) {
      const old = box.inspect('quick', 'app').find(one => one.State.Running);
      box.put('quick.yaml', pod('quick', undefined, { hostname: `h${n}` }));
      const now = await eventually('the new one', () => {
        const found = box.running('quick', 'app');
        return found.Id === old?.Id ? null : found;
      });
      if (old === undefined) continue;
      const gap = at(now, 'StartedAt') - (await eventually('its end', () => ends.get(old.Id)));
      assert.ok(gap >= 0, `they ran together: ${gap} ms`);
      gaps.push(gap);
    }
    // The kubelet comes back after 10 to 15 s.
    const [, median = Infinity] = gaps.toSorted((a, b) => a - b);
    assert.ok(median < 8_000, gaps.join());
  });
});

/** The engine's socket, which can be taken away from one agent. */
class Gate {
  readonly #path: string;
  readonly #open = new Set<Socket>();
  #server: Server | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  async open(): Promise<void> {
    rmSync(this.#path, { force: true });
    const server = createServer(socket => {
      const engine = connect('/var/run/docker.sock');
      for (const one of [socket, engine]) {
        this.#open.add(one);
        one.on('close', () => this.#open.delete(one));
        one.on('error', () => undefined);
      }
      socket.pipe(engine).pipe(socket);
    });
    this.#server = server;
    await new Promise<void>(done => server.listen(this.#path, () => done()));
  }

  shut(): void {
    this.#server?.close();
    for (const socket of this.#open) socket.destroy();
  }
}

describe('stand-alone, with restarts', { skip: noEngine() }, () => {
  const box = new BlackBox();
  const gate = new Gate(box.path('engine.sock'));

  before(async () => {
    await gate.open();
    box.configure({ engineSocket: box.path('engine.sock') });
    await box.start();
  });
  after(async () => {
    await box.close();
    gate.shut();
  });

  test('T11, T19, row 119: an init container that was removed while the agent was down does not run again', async () => {
    box.put(
      'init.yaml',
      pod('init', undefined, { initContainers: [container('first', 'exit 0')] }),
    );
    await box.ready('init');
    const id = box.running('init', 'app').Id;
    await box.stop();
    docker('rm', '-f', ...box.inspect('init', 'first').map(one => one.Id));
    await box.start();
    const { status } = await box.ready('init');
    const ended = status?.initContainerStatuses?.[0]?.state?.terminated;
    assert.deepEqual([ended?.reason, ended?.exitCode], ['Completed', 0]);
    assert.equal(box.running('init', 'app').Id, id);
    assert.deepEqual(box.inspect('init', 'first'), []);
  });

  test('T10, row 82: while the engine is away an ending pod is known as ending; then it ends', async () => {
    box.put(
      'ending.yaml',
      pod('ending', [container('app', 'trap "" TERM; while :; do sleep 3600; done')], {
        terminationGracePeriodSeconds: 6,
      }),
    );
    await box.ready('ending');
    const sibling = box.running('init', 'app').Id;
    box.remove('ending.yaml');
    const isEnding = async () =>
      (await box.pods()).some(
        ({ metadata }) =>
          metadata?.name === `ending-${NODE}` && metadata.deletionTimestamp !== undefined,
      );
    await eventually('it is ending', isEnding);
    gate.shut();
    await eventually('the engine is missed', async () =>
      (await box.status()).conditions.some(
        ({ type, status }) => type === 'ContainerRuntime' && status === 'False',
      ),
    );
    assert.ok(await isEnding());
    await gate.open();
    await box.gone('ending');
    await eventually('nothing of it is shown', async () => !(await isEnding()));
    assert.equal(box.running('init', 'app').Id, sibling);
  });

  test('rows 17, 30 better, P5: a manifest that is bad at the start of the agent runs on from its last good content, and goes with its file', async () => {
    const id = box.running('init', 'app').Id;
    await box.stop('SIGKILL');
    box.put('init.yaml', 'a: [');
    await box.start();
    await box.ready('init');
    assert.equal(box.running('init', 'app').Id, id);
    box.remove('init.yaml');
    await box.gone('init');
    box.put('next.yaml', pod('next'));
    await box.ready('next');
    assert.deepEqual(box.inspect('init'), [], 'it must not come back');
  });

  test('row 27 better: of two files for one pod the running one stays over a restart of the agent', async () => {
    const write = (name: string, value: string) =>
      box.put(name, pod('twice', [container('app', FOREVER, env(value))]));
    const inConflict = async () => (await box.conditions('PodConflict')).length === 1;
    write('z.yaml', 'z');
    await box.ready('twice');
    const id = box.running('twice', 'app').Id;
    write('a.yaml', 'a');
    await eventually('a conflict', inConflict);
    await box.restart();
    await eventually('a conflict again', inConflict);
    await box.ready('twice');
    assert.match((await box.conditions('PodConflict'))[0] ?? '', /^a\.yaml: .*by z\.yaml/);
    assert.equal(box.running('twice', 'app').Id, id);
    box.remove('a.yaml');
    box.remove('z.yaml');
    await box.gone('twice');
  });

  test('a second agent on the same directory is refused, whatever its runtime; one that was killed leaves no lock', async () => {
    await box.restart('SIGKILL');
    for (const runtime of ['engine', 'none']) {
      const config = box.path(`${runtime}.yaml`);
      writeFileSync(config, JSON.stringify({ runtime }));
      const dataDir = box.path('second');
      const args = ['--data-dir', dataDir, '--node-name', 'n2', '--static-pod-path', box.manifests];
      const { status, stderr } = spawnSync(
        process.execPath,
        [AGENT, 'run', ...args, '--config', config],
        { encoding: 'utf8', timeout: 60_000 },
      );
      assert.equal(status, 2);
      assert.match(stderr, /another agent works on this static pod directory \(process \d+\)/);
      assert.match(stderr, /--static-pod-path/);
    }
    const hidden = readdirSync(box.manifests).filter(name => !name.endsWith('.yaml'));
    assert.deepEqual(hidden, ['.flotilla-agent.lock'], 'nothing that a kubelet would read');
    assert.deepEqual(await box.conditions('FileSkipped'), []);
  });

  test('row 47 better: writing the default namespace out changes nothing', async () => {
    const id = box.running('next', 'app').Id;
    box.put('next.yaml', pod('next', undefined, { metadata: { namespace: 'default' } }));
    box.put('sign.yaml', pod('sign'));
    await box.ready('sign');
    assert.equal(box.running('next', 'app').Id, id);
  });
});
