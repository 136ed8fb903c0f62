/**
 * The engine's disk fills while it pulls what a rollout needs: the agent lives, the old pods live, the hub hears why nothing goes on,
 * nothing is half applied; with space again the rollout ends by itself (balena-supervisor#674).
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  docker,
  ensureTestImage,
  randomHex,
  TEST_IMAGE,
  testImageRoot,
  runningOf,
} from '../support/docker.js';
import { noOwnEngine, OwnEngine } from '../support/own-engine.js';
import { freePort } from '../support/ports.js';
import { askAgent, Playground } from '../support/programs.js';
import { noRegistry, startRegistry, startSlowRegistry } from '../support/registry.js';
import { eventually } from '../support/wait.js';

const MIB = 1024 * 1024;
/** Three times the image and 64 MiB: enough when the pull begins. */
const [DISK_MIB, IMAGE_MIB] = [200, 24];
const RUNS = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'];

interface Told {
  readonly hub: {
    readonly bundles: readonly {
      revision: number;
      state: string;
      reason: string;
      message: string;
    }[];
  };
}

function pod(name: string, image = TEST_IMAGE): string {
  const container = { name: 'app', image, command: RUNS };
  const spec = { terminationGracePeriodSeconds: 1, containers: [container] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
}

/** Random, so that nothing packs it. */
function makeLargeImage(): string {
  const name = `flotilla.dev/large-${randomHex(4)}:1`;
  const root = testImageRoot();
  writeFileSync(join(root, 'large'), randomBytes(IMAGE_MIB * MIB));
  const script = `tar -C ${root} -c . | docker import --change 'ENV PATH=/bin' - ${name}`;
  const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  rmSync(root, { recursive: true, force: true });
  assert.equal(status, 0, stderr);
  return name;
}

function canMount(): boolean {
  const probe = ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'];
  return spawnSync('unshare', probe).status === 0;
}

const why = noOwnEngine() || noRegistry() || (canMount() ? false : 'needs the right to mount');

describe('the engine’s disk fills during a pull', { skip: why }, () => {
  const play = new Playground();
  const engine = new OwnEngine({ dataMiB: DISK_MIB });
  const closings: (() => void)[] = [];
  const filler = join(engine.dataRoot, 'filler');
  let large = '';

  const ids = () => runningOf(play.path('edge-1'));
  const bundle = async () => {
    const status = await askAgent(play.path('edge-1', 'agent.sock'), '/status');
    return (JSON.parse(status) as Told).hub.bundles[0];
  };
  /** But for a last MiB, which an engine needs to say anything. */
  const fill = () => {
    const file = openSync(filler, 'w');
    try {
      for (;;) writeSync(file, Buffer.alloc(MIB));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    } finally {
      closeSync(file);
    }
  };

  before(async () => {
    const registry = await startRegistry({ password: false });
    closings.push(() => registry.close());
    const made = makeLargeImage();
    registry.push(made, 'large:1');
    docker('rmi', '-f', made);
    const slow = await startSlowRegistry(registry, 400);
    closings.push(() => slow.close());
    large = `${slow.host}/large:1`;
    await engine.start();
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join('edge-1');
    play.write('shop/still.json', pod('still'));
    play.write('shop/web.json', pod('web'));
    const apply = ['apply', '-f', play.path('shop'), '--all-nodes', '--min-ready', '1s', '--wait'];
    const { code, stderr } = await play.flotilla(...apply);
    assert.equal(code, 0, stderr);
  });
  after(async () => {
    rmSync(filler, { force: true });
    await play.close();
    await engine.close();
    for (const close of closings) close();
  });

  test('what runs goes on, the hub hears why, nothing is half applied', async () => {
    const before = ids();
    assert.equal(before.split('\n').length, 4);
    play.write('shop/web.json', pod('web', large));
    const { code, stderr } = await play.flotilla('apply', '-f', play.path('shop'));
    assert.equal(code, 0, stderr);
    await eventually('the pull has begun', async () => (await bundle())?.reason === 'PullingImage');
    fill();
    const told = await eventually('it is said that there is no room', async () => {
      const found = await bundle();
      const isShort = /no space left on device|MiB left/.test(found?.message ?? '');
      return found?.state === 'waiting' && isShort ? found : undefined;
    });
    assert.match(told.reason, /^(ErrImagePull|DiskPressure)$/);
    await eventually('the hub has heard it', async () =>
      /no space left on device|MiB left/.test(await play.ok('describe', 'node', 'edge-1')),
    );
    assert.equal(ids(), before);
    assert.equal(play.isRunning('edge-1'), true);
    assert.doesNotThrow(() => process.kill(play.pid('edge-1'), 0));
  });

  test('with space again the rollout ends by itself', async () => {
    const still = docker('ps', '-q', '--filter', 'label=io.kubernetes.pod.name=still-edge-1');
    rmSync(filler);
    await eventually('the new revision is healthy', async () => {
      const found = await bundle();
      return found?.revision === 2 && found.state === 'healthy';
    });
    const now = docker('ps', '-q', '--filter', 'label=io.kubernetes.pod.name=still-edge-1');
    assert.equal(now, still);
    assert.match(docker('ps', '--format', '{{.Image}}'), /large:1/);
  });
});
