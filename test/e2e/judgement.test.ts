/**
 * What a node takes for healthy, and what for given up, on real parts: a former version that takes long to end is not the new
 * one's fault, and what is being killed is not healthy.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  docker,
  ensureTestImage,
  noEngine,
  randomHex,
  TEST_IMAGE,
  testImageRoot,
} from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { askAgent, Playground } from '../support/programs.js';
import {
  noRegistry,
  startRegistry,
  startSlowRegistry,
  type SlowRegistry,
  type TestRegistry,
} from '../support/registry.js';
import { eventually } from '../support/wait.js';

const ENDS = 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done';
/** Its whole grace has to pass. */
const STAYS = 'trap "" TERM; while :; do sleep 3600; done';

interface Told {
  readonly hub: { readonly bundles: readonly { state: string; reason: string; message: string }[] };
}

interface Shown {
  readonly items: readonly {
    readonly status: { containerStatuses?: { ready: boolean; state: { running?: object } }[] };
  }[];
}

/** The test image and eight million bytes that nothing compresses. */
function pushLarge(registry: TestRegistry, name: string): void {
  const root = testImageRoot();
  const local = `flotilla.dev/${name}`;
  try {
    writeFileSync(join(root, 'large'), randomBytes(8_000_000));
    const tar = execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 });
    execFileSync('docker', ['import', '--change', 'ENV PATH=/bin', '-', local], { input: tar });
    registry.push(local, name);
    docker('rmi', '-f', local);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

describe('the judgement of a revision', { skip: noEngine() }, () => {
  const play = new Playground();
  const web = (script: string, graceSeconds: number, more: object = {}) => {
    const container = { name: 'app', image: TEST_IMAGE, command: ['sh', '-c', script], ...more };
    const spec = { terminationGracePeriodSeconds: graceSeconds, containers: [container] };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec };
    play.write('shop/web.json', JSON.stringify(pod));
  };
  const apply = (...args: string[]) => play.flotilla('apply', '-f', play.path('shop'), ...args);
  // Not by a program: what is looked for lasts for seconds alone.
  const ask = async <T>(path: string): Promise<T> =>
    JSON.parse(await askAgent(play.path('edge-1', 'agent.sock'), path)) as T;
  const made: string[] = [];
  let registry: TestRegistry | null = null;
  let slow: SlowRegistry | null = null;
  const bundle = async () => (await ask<Told>('/status')).hub.bundles[0];
  const running = async () =>
    (await ask<Shown>('/pods')).items
      .flatMap(({ status }) => status.containerStatuses ?? [])
      .flatMap(({ ready, state }) => (state.running === undefined ? [] : [{ ready }]));

  const isStopped = (containers: readonly { ready: boolean }[]) =>
    containers.length === 1 && containers[0]?.ready === false;

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join('edge-1');
    web(STAYS, 5);
    const gate = ['--progress-deadline', '3s', '--min-ready', '1s'];
    const { code, stderr } = await apply('--all-nodes', ...gate, '--wait');
    assert.equal(code, 0, stderr);
  });
  after(async () => {
    await play.close();
    slow?.close();
    registry?.close();
    for (const image of made) docker('rmi', '-f', image);
  });

  test('the former version takes longer to end than the deadline: not the new one’s fault', async () => {
    web(ENDS, 1);
    const { stderr: warned } = await apply();
    assert.match(warned, /pod "web", which runs now, has up to 5 s to end/);
    const awaited =
      /^1 of 1 pods are of this revision; default\/web-edge-1 of a former one is being stopped \(app: grace 5 s\)$/;
    const told = await eventually(
      'it is said what is awaited, and that it serves nobody',
      async () => {
        const [found, containers] = [await bundle(), await running()];
        return awaited.test(found?.message ?? '') && isStopped(containers) ? found : undefined;
      },
    );
    assert.deepEqual([told.state, told.reason], ['activating', 'StoppingFormer']);
    const { code, stdout, stderr } = await play.flotilla('rollout', 'status', 'bundle/shop');
    assert.equal(code, 0, stdout + stderr);
  });

  test('a container that is being killed is not ready, and its bundle does not become healthy on it', async () => {
    const probe = { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 1 };
    web(STAYS, 5, { livenessProbe: { ...probe, initialDelaySeconds: 1 } });
    const gate = ['--progress-deadline', '4s', '--min-ready', '3s'];
    const dry = await apply(...gate, '--dry-run');
    const strategy = 'progress deadline 4s, min ready 3s, on failure rollback';
    assert.match(dry.stdout, new RegExp(`judged by ${strategy} \\(was: progress deadline 3s, `));
    assert.equal((await apply(...gate)).code, 0);
    assert.match(
      await play.ok('describe', 'bundle', 'shop'),
      new RegExp(`Judged by: +${strategy}`),
    );
    await eventually('it is being killed, and not ready', async () => {
      const [found, containers] = [await bundle(), await running()];
      const isTold = found?.message === 'waiting for default/web-edge-1 (app: is being stopped)';
      return isTold && isStopped(containers);
    });
    const { code, stderr } = await play.flotilla('rollout', 'status', 'bundle/shop');
    assert.equal(code, 4, stderr);
    assert.match(
      stderr,
      /ProgressDeadlineExceeded: no progress for 4 s: waiting for default\/web-edge-1/,
    );
  });

  test('the hub’s operator reads what the container said last, and nobody on the way', async () => {
    // What is said stands in no manifest.
    web('echo "no table $((6 * 7))"; exit 7', 1);
    assert.equal((await apply('--progress-deadline', '4s')).code, 0);
    const { code, stderr } = await play.flotilla('rollout', 'status', 'bundle/shop');
    assert.equal(code, 4, stderr);
    const quoted = /last words on edge-1, default\/web-edge-1 \(app\):\n +\| no table 42\n/;
    await eventually('the event has come', async () =>
      quoted.test(await play.ok('describe', 'bundle', 'shop')),
    );
    assert.match((await play.flotilla('rollout', 'status', 'bundle/shop')).stderr, quoted);
    const events = await play.ok('get', 'events', '-o', 'json');
    assert.match(events, /"output"/);
    assert.doesNotMatch(events, /no table 42/);
    // All that came over the broker lies here as it came.
    const kept = readdirSync(play.path('hub'), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => readFileSync(join(entry.parentPath, entry.name)));
    assert.ok(kept.some(bytes => bytes.includes('BundleFailed')));
    assert.equal(
      kept.some(bytes => bytes.includes('no table 42')),
      false,
    );
  });

  test(
    'the image of the last healthy revision went: it is pulled before anything else ends',
    { skip: noRegistry() },
    async () => {
      registry = await startRegistry({ password: false });
      const image = registry.push(TEST_IMAGE, `good-${randomHex(4)}:1`);
      made.push(image);
      web(ENDS, 1, { image });
      const good = await apply('--progress-deadline', '3s', '--min-ready', '1s', '--wait');
      assert.equal(good.code, 0, good.stderr);
      web(ENDS, 1, { readinessProbe: { exec: { command: ['false'] } } });
      assert.equal((await apply()).code, 0);
      await eventually('it went', () => docker('rmi', '-f', image) !== '');
      registry.pause();
      const stuck = await eventually('it cannot go back', async () => {
        const found = await bundle();
        return found?.message.includes('cannot go back') ? found : undefined;
      });
      assert.equal(stuck.state, 'failed');
      assert.ok(stuck.message.includes(`cannot go back: image "${image}": it is being pulled`));
      await eventually('what failed runs until then', async () => isStopped(await running()));
      registry.resume();
      await eventually('it is back', async () => (await bundle())?.state === 'rolledBack');
      await eventually('it runs', () => docker('ps', '-q', '--filter', `ancestor=${image}`) !== '');
    },
  );

  test(
    'a pull says how far it is, and one that is larger than the node allows is not begun',
    { skip: noRegistry() },
    async () => {
      assert.ok(registry);
      slow = await startSlowRegistry(registry, 400);
      const name = `large-${randomHex(4)}:1`;
      const image = `${slow.host}/${name}`;
      made.push(image);
      pushLarge(registry, name);
      await play.kill('edge-1', 'SIGTERM');
      play.startAgentIn({ FLOTILLA_IMAGE_PULL_MAX_BYTES: '4000000' }, 'edge-1');
      web(ENDS, 1, { image });
      assert.equal((await apply()).code, 0);
      const told = await eventually('it is refused', async () => {
        const found = await bundle();
        return found?.reason === 'ImageTooLarge' ? found : undefined;
      });
      assert.equal(told.state, 'waiting');
      assert.match(
        told.message,
        /it is \d{7} bytes to pull, imagePullMaxBytes allows 4000000; 0 of 1/,
      );
      assert.throws(() => docker('image', 'inspect', image));
      await eventually('what runs is left alone', async () => {
        const containers = await running();
        return containers.length === 1 && containers[0]?.ready === true;
      });
      assert.equal((await bundle())?.reason, 'ImageTooLarge');
      await play.kill('edge-1', 'SIGTERM');
      slow.hold();
      play.startAgent('edge-1');
      await eventually('the hub is told how far it is', async () => {
        const text = await play.ok('describe', 'bundle', 'shop');
        return /waiting \(PullingImage: .* is being pulled, [1-9]\d? % of \d+ MiB; 0 of 1/.test(
          text,
        );
      });
      slow.release();
      assert.equal((await play.flotilla('rollout', 'status', 'bundle/shop')).code, 0);
    },
  );
});
