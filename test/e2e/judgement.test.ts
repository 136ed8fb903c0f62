/**
 * What a node takes for healthy, and what for given up, on real parts: a former version that takes long to end is not the new
 * one's fault, and what is being killed is not healthy.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, randomHex, TEST_IMAGE } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { noRegistry, startRegistry, type TestRegistry } from '../support/registry.js';
import { eventually } from '../support/wait.js';

const ENDS = 'trap "exit 0" TERM; while :; do sleep 0.2; done';
/** Its whole grace has to pass. */
const STAYS = 'trap "" TERM; while :; do sleep 0.2; done';

interface Told {
  readonly hub: { readonly bundles: readonly { state: string; reason: string; message: string }[] };
}

interface Shown {
  readonly items: readonly {
    readonly status: { containerStatuses?: { ready: boolean; state: { running?: object } }[] };
  }[];
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
  const ask = async <T>(...args: string[]): Promise<T> => {
    const { stdout } = await play.agent(...args, '--data-dir', play.path('edge-1'), '-o', 'json');
    return JSON.parse(stdout) as T;
  };
  const made: string[] = [];
  let registry: TestRegistry | null = null;
  const bundle = async () => (await ask<Told>('status')).hub.bundles[0];
  const running = async () =>
    (await ask<Shown>('pods')).items
      .flatMap(({ status }) => status.containerStatuses ?? [])
      .flatMap(({ ready, state }) => (state.running === undefined ? [] : [{ ready }]));

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
    registry?.close();
    for (const image of made) docker('rmi', '-f', image);
  });

  test('the former version takes longer to end than the deadline: not the new one’s fault', async () => {
    web(ENDS, 1);
    const { stderr: warned } = await apply();
    assert.match(warned, /pod "web", which runs now, has up to 5 s to end/);
    const told = await eventually('it is said what is awaited', async () => {
      const found = await bundle();
      return found?.reason === 'StoppingFormer' ? found : undefined;
    });
    assert.equal(told.state, 'activating');
    assert.match(
      told.message,
      /^1 of 1 pods are of this revision; default\/web-edge-1 of a former one is being stopped \(app: grace 5 s\)$/,
    );
    assert.deepEqual(await running(), [{ ready: false }], 'what is being stopped serves nobody');
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
    const told = await eventually('it is being killed', async () => {
      const found = await bundle();
      return found?.message.startsWith('waiting for') ? found : undefined;
    });
    assert.equal(told.message, 'waiting for default/web-edge-1 (app: is being stopped)');
    assert.deepEqual(await running(), [{ ready: false }]);
    const { code, stderr } = await play.flotilla('rollout', 'status', 'bundle/shop');
    assert.equal(code, 4, stderr);
    assert.match(
      stderr,
      /ProgressDeadlineExceeded: no progress for 4 s: waiting for default\/web-edge-1/,
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
      assert.deepEqual(await running(), [{ ready: false }], 'what failed runs until then');
      registry.resume();
      await eventually('it is back', async () => (await bundle())?.state === 'rolledBack');
      await eventually('it runs', () => docker('ps', '-q', '--filter', `ancestor=${image}`) !== '');
    },
  );
});
