/**
 * Bad revisions on real parts: hub, agent and containers are real, and killed where it hurts. Whatever happens, the node ends
 * with the last good revision or the new one, and what is said of it is true.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { execFileSync } from 'node:child_process';
import {
  docker,
  ensureTestImage,
  noEngine,
  randomHex,
  TEST_IMAGE,
  runningOf,
} from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { Device } from '../support/told.js';
import { eventually } from '../support/wait.js';

const RUNS = 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done';

function pod(name: string, command: readonly string[], image = TEST_IMAGE): string {
  const container = { name: 'app', image, command };
  const spec = { terminationGracePeriodSeconds: 1, containers: [container] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
}

describe('a revision that is bad', { skip: noEngine() }, () => {
  const play = new Playground();
  const idOf = (name: string) =>
    runningOf(play.path('edge-1'), { pod: `${name}-edge-1`, container: 'app' });
  const { becomes, passes } = new Device(play);
  const web = (script: string) => play.write('shop/web.json', pod('web', ['sh', '-c', script]));
  const apply = (...args: string[]) => play.flotilla('apply', '-f', play.path('shop'), ...args);
  const made: string[] = [];
  let still = '';

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join('edge-1');
    play.write('shop/still.json', pod('still', ['sh', '-c', RUNS]));
    web(RUNS);
    const gate = ['--progress-deadline', '60s', '--min-ready', '3s'];
    const { code, stderr } = await apply('--all-nodes', ...gate, '--wait');
    assert.equal(code, 0, stderr);
    still = idOf('still');
  });
  after(async () => {
    await play.close();
    for (const image of made) docker('rmi', '-f', image);
  });

  test('a command that is not there: undone; the rollout failed with exit code 4 and the reason', async () => {
    play.write('shop/web.json', pod('web', ['/no/such/program']));
    const { code, stderr, stdout } = await apply('--progress-deadline', '6s', '--wait');
    assert.equal(code, 4, stdout + stderr);
    assert.match(stderr, /failed on edge-1: ProgressDeadlineExceeded: no progress for 6 s/);
    assert.match(stderr, /web-edge-1 \(app: /);
    // Given up is one word of the node, undone the next.
    await eventually('it is said that it went back', async () => {
      const status = await play.flotilla('rollout', 'status', 'bundle/shop');
      assert.equal(status.code, 4);
      return /web-edge-1 \(app: .*back at revision 1/.test(status.stderr);
    });
    assert.match(await play.ok('describe', 'node', 'edge-1'), /shop +2 +[0-9a-f]{12} +rolled back/);
    await eventually('the event', async () =>
      (await play.ok('get', 'events')).includes('BundleRolledBack'),
    );
    await eventually('revision 1 runs', () => idOf('web') !== '');
    assert.equal(idOf('still'), still, 'a pod that both have was touched');
    const journal = await play.agent('journal', '--data-dir', play.path('edge-1'));
    assert.match(journal.stdout, /revision 2 +rolled back +ProgressDeadlineExceeded/);
  });

  test('hub and agent killed while it is on trial: undone all the same, and the hub hears of it', async () => {
    web('echo no such table: orders >&2; exit 9');
    assert.equal((await apply('--progress-deadline', '9s')).code, 0);
    await passes(3, 'activating', 'progressing');
    await play.kill('hub', 'SIGKILL');
    await play.kill('edge-1', 'SIGKILL');
    play.startAgent('edge-1');
    const { message } = await becomes(3, 'rolledBack');
    assert.match(message, /last exit code 9.*back at revision 1/);
    const at = ['--data-dir', play.path('edge-1')];
    const { stdout: failures } = await play.agent('journal', '--failures', ...at);
    assert.match(failures, /\| no such table: orders/);
    await eventually('revision 1 runs', () => idOf('web') !== '');
    play.startHub();
    await play.hubAnswers();
    assert.equal((await play.flotilla('rollout', 'status', 'bundle/shop')).code, 4);
    for (const kind of ['nodes', 'pods', 'events']) {
      const told = await play.ok('get', kind, '-A', '-o', 'json');
      assert.doesNotMatch(
        told,
        /no such table/,
        `${kind} at the hub repeat what a container printed`,
      );
    }
    assert.equal(idOf('still'), still);
  });

  test('a newer revision supersedes it while it is on trial', async () => {
    web('exit 3');
    assert.equal((await apply('--progress-deadline', '10m')).code, 0);
    await passes(4, 'activating', 'progressing');
    web(`: five; ${RUNS}`);
    const { code, stderr } = await apply('--progress-deadline', '60s', '--wait');
    assert.equal(code, 0, stderr);
    assert.equal(idOf('still'), still);
  });

  test('it is not tried again by a restart, but by `rollout retry`, and may be good then', async () => {
    const image = `flotilla.dev/flip-${randomHex(4)}:1`;
    const nothing = execFileSync('tar', ['-c', '-T', '/dev/null']);
    execFileSync('docker', ['import', '-', image], { input: nothing });
    made.push(image);
    play.write('shop/web.json', pod('web', ['sh', '-c', RUNS], image));
    // Long enough for the second attempt.
    const applied = await apply('--progress-deadline', '12s', '--wait');
    assert.equal(applied.code, 4, applied.stderr);
    docker('tag', TEST_IMAGE, image);
    await play.kill('edge-1', 'SIGTERM');
    play.startAgent('edge-1');
    await becomes(6, 'rolledBack');
    const again = await apply();
    assert.match(again.stdout, /unchanged \(revision 6\)/);
    const told = /revision 6 was given up on edge-1: .*: flotilla (rollout retry .*)$/m;
    assert.match(applied.stderr, /^hint: apply a mended revision.*: flotilla rollout retry /m);
    const [, typed = ''] = told.exec(again.stderr) ?? assert.fail(again.stderr);
    assert.match(await play.ok(...typed.split(' ')), /^bundle\/shop is tried again on edge-1\n$/);
    const { code, stderr } = await play.flotilla('rollout', 'status', 'bundle/shop');
    assert.equal(code, 0, stderr);
    assert.match(await play.ok('rollout', 'retry', 'bundle/shop'), /no node gave it up/);
    assert.equal(idOf('still'), still);
  });

  test('an image that cannot be had: nothing is touched until it is there', async () => {
    const web = idOf('web');
    const image = `flotilla.dev/absent-${randomHex(4)}:1`;
    made.push(image);
    play.write('shop/web.json', pod('web', ['sh', '-c', RUNS], image));
    play.write('shop/new.json', pod('new', ['sh', '-c', RUNS]));
    assert.equal((await apply('--progress-deadline', '60s')).code, 0);
    const { reason, message } = await becomes(7, 'waiting');
    assert.ok(['PullingImage', 'ErrImagePull', 'RegistryUnavailable'].includes(reason), reason);
    assert.match(message, /image "flotilla\.dev\/absent-.* 1 of 2 images are here$/);
    assert.deepEqual([idOf('web'), idOf('still'), idOf('new')], [web, still, '']);
    docker('tag', TEST_IMAGE, image);
    const { code, stderr } = await play.flotilla('rollout', 'status', 'bundle/shop');
    assert.equal(code, 0, stderr);
    assert.notEqual(idOf('new'), '');
  });
});
