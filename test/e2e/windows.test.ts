/**
 * Maintenance windows on real parts: a hub whose clock the test moves, an agent that takes the time from it, containers. What waits
 * for its window is told wherever people look, and everybody who may end the wait is told too.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { fakedClock, noFakedClock } from '../support/faked-clock.js';
import { freePort } from '../support/ports.js';
import { HUB_PROGRAM, Playground } from '../support/programs.js';
import { Device, matches } from '../support/told.js';

const HOUR_MS = 3_600_000;

/** Opens at that time of every day, for an hour. */
function windowAt(time: number): string {
  const at = new Date(time);
  return `${at.getUTCMinutes()} ${at.getUTCHours()} * * * for 1h in UTC`;
}

describe('a maintenance window', { skip: noEngine() || noFakedClock() }, () => {
  const play = new Playground();
  const clock = fakedClock(play.path('clock'), null);
  const opens = windowAt(Date.now() + 2 * HOUR_MS);
  const { run: device, becomes, apps } = new Device(play);
  const running = () => apps('{{.ID}}');
  const apply = async (revision: number, ...args: string[]) => {
    const command = ['sh', '-c', `trap "exit 0" TERM; while :; do sleep 0.${revision}; done`];
    const containers = [{ name: 'app', image: TEST_IMAGE, command }];
    const spec = { terminationGracePeriodSeconds: 1, containers };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec };
    play.write('shop/web.json', JSON.stringify(pod));
    const run = await play.flotilla('apply', '-f', play.path('shop'), ...args);
    assert.equal(run.code, 0, run.stdout + run.stderr);
    return run;
  };
  const restart = async (...options: string[]) => {
    await play.kill('edge-1', 'SIGTERM');
    play.startAgent('edge-1', ...options);
  };
  const events = async (revision: number) => {
    const { items } = await play.json<{ items: { reason: string; message: string }[] }>(
      'get',
      'events',
    );
    return items
      .filter(({ message }) => message.startsWith(`revision ${revision}: `))
      .map(({ reason, message }) => `${reason}: ${message}`);
  };

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    const run = [HUB_PROGRAM, 'hub', 'run', '--data-dir', play.path('hub')];
    play.start('hub', process.execPath, run, clock.env);
    await play.hubAnswers();
    await play.join('edge-1');
    await apply(1, '--all-nodes', '--progress-deadline', '60s', '--min-ready', '1s', '--wait');
  });
  after(() => play.close());

  test('that is closed: all is staged, what runs runs on, and everybody is told when it opens', async () => {
    const before = running();
    await apply(2, '--window', opens);
    const { message, opensAt = '' } = await becomes(2, 'waiting', 'Window');
    assert.match(message, /^its maintenance window opens at \d{4}-.*\+00:00 \(.* for 1h in UTC\)$/);
    const leftMs = Date.parse(opensAt) - Date.now();
    assert.ok(leftMs > HOUR_MS && leftMs <= 2 * HOUR_MS, opensAt);
    assert.equal(running(), before);
    await matches(
      'rollout status says it',
      async () => (await play.flotilla('rollout', 'status', 'bundle/shop', '--no-watch')).stdout,
      /edge-1: waiting \(Window: its maintenance window opens at /,
    );
    const late = await play.flotilla('rollout', 'status', 'bundle/shop', '--timeout', '1s');
    assert.equal(late.code, 3, late.stderr);
    await matches(
      'the hub counts it',
      async () => await play.ok('get', 'bundles'),
      /Window \(opens in 11\d|Window \(opens in 1h/,
    );
    assert.match(await play.ok('describe', 'bundle', 'shop'), /window .* for 1h in UTC/);
    assert.match(await play.ok('describe', 'node', 'edge-1'), /waiting +\S+ +Window: its main/);
    assert.match((await device('status')).stdout, /waiting .*Window: its maintenance window opens/);
    assert.match(
      (await device('plan')).stdout,
      /^bundle default\/shop: switch to revision 2: its maintenance window opens at /m,
    );
  });

  test('is overridden at the device, in the name of who did it', async () => {
    const wrong = await device('activate', 'shop');
    assert.deepEqual([wrong.code, /--now/.test(wrong.stderr)], [2, true]);
    const nobody = await device('activate', '--now', 'till');
    assert.equal(nobody.code, 2);
    assert.match(nobody.stderr, /no bundle "till" on this node; there are: default\/shop/);
    const done = await device('activate', '--now', 'shop', '--reason', 'opening day');
    assert.equal(
      done.stdout,
      'bundle/shop (default) revision 2 waits for windows and locks no longer\n',
    );
    const told = await becomes(2, 'healthy');
    assert.match(told.message, /activated outside its maintenance window, .* \(opening day\)$/);
    const again = await device('activate', '--now', 'shop');
    assert.deepEqual([again.code, /is activated already/.test(again.stderr)], [2, true]);
    assert.equal(
      (await device('activate', '--now')).stdout,
      'nothing waits for a maintenance window or a lock\n',
    );
    const { stdout } = await device('journal');
    assert.match(stdout, /bundle default\/shop +activate --now +by \S+: opening day/);
    assert.match(stdout, /activating +FilesWritten: .*asked for by \S+ \(opening day\)/);
    assert.equal((await device('journal', 'verify')).code, 0);
    await matches(
      'the hub has the event',
      async () => (await events(2)).join('\n'),
      /^WindowOverridden: .*\(opening day\)/m,
    );
  });

  test('is overridden from the hub, for a node that is away', async () => {
    await apply(3);
    await becomes(3, 'waiting', 'Window');
    await play.kill('edge-1', 'SIGTERM');
    assert.equal((await play.flotilla('rollout', 'activate', 'bundle/shop')).code, 2);
    const nobody = await play.flotilla(
      'rollout',
      'activate',
      'bundle/shop',
      '--now',
      '--node',
      'x',
    );
    assert.match(nobody.stderr, /nodes "x" not found/);
    const ask = ['rollout', 'activate', 'bundle/shop', '--now', '--reason', 'recall'];
    assert.equal(
      await play.ok(...ask),
      'bundle/shop waits for windows and locks no longer on edge-1\n',
    );
    play.startAgent('edge-1');
    await becomes(3, 'healthy');
    await matches(
      'the hub has the event',
      async () => (await events(3)).join('\n'),
      /^WindowOverridden: .*asked for by \S+ \(recall\)/m,
    );
    await matches('nothing waits', () => play.ok(...ask), /it waits nowhere/);
  });

  test('that opened while the node was away is as good as any', async () => {
    await apply(4);
    await becomes(4, 'waiting', 'Window');
    clock.set(Date.now() + 2 * HOUR_MS + 300_000);
    await restart();
    await becomes(4, 'healthy');
    await matches(
      'the hub has the event',
      async () => (await events(4)).join('\n'),
      /BundleHealthy/,
    );
    assert.doesNotMatch((await events(4)).join('\n'), /WindowOverridden/);
    clock.set(null);
  });

  test('or not: a person at the device holds what runs, and the hub says so', async () => {
    const held = await device('hold', 'shop', '--reason', 'stocktaking');
    assert.equal(held.stdout, 'bundle/shop (default) is held: it stays at revision 4\n');
    await apply(5, '--window', 'none');
    assert.match((await becomes(5, 'waiting', 'Held')).message, / by \S+ \(stocktaking\)$/);
    const again = await device('hold', 'shop', '--reason', 'stocktaking');
    assert.match(again.stdout, /is held: it stays at revision 4; revision 5 waits\n$/);
    const forced = await device('activate', '--now', 'shop');
    await matches(
      'rollout status says it',
      () => play.ok('rollout', 'status', 'bundle/shop', '--no-watch'),
      /edge-1: waiting \(Held: held at the device since .*stocktaking/,
    );
    await matches(
      'describe node says it',
      () => play.ok('describe', 'node', 'edge-1'),
      /BundlesHeld +True +.*HeldAtDevice/,
    );
    assert.match(
      forced.stderr,
      /is held by \S+ \(stocktaking\): flotilla-agent release default\/shop/,
    );
    await matches('the hub counts it', () => play.ok('get', 'bundles'), /Held on 1 node/);
    const fromAfar = await play.flotilla('rollout', 'activate', 'bundle/shop', '--now');
    assert.equal(fromAfar.code, 0);
    assert.match(
      fromAfar.stdout,
      /edge-1 keeps what runs: held at the device since .*stocktaking.*counts once it is released/,
    );
    assert.match(
      (await device('release')).stdout,
      /^no longer held: bundle default\/shop, by \S+ \(stocktaking\)\nnothing is held any more\n$/,
    );
    await becomes(5, 'healthy');
  });

  test('of the node itself holds what has none', async () => {
    const [minute, hour, ...rest] = windowAt(Date.now() + 4 * HOUR_MS).split(' ');
    const schedule = `${minute} ${hour} ${rest.slice(0, 3).join(' ')}`;
    const own = [{ schedule, duration: '1h', timeZone: 'UTC' }];
    const config = play.write('agent.json', JSON.stringify({ maintenanceWindows: own }));
    await restart('--config', config);
    await matches(
      'the agent answers',
      async () => (await device('config')).stdout,
      /maintenanceWindows:/,
    );
    await apply(6);
    assert.match((await becomes(6, 'waiting', 'Window')).message, /\(this node's own: /);
    await device('activate', '--now');
    await becomes(6, 'healthy');
  });
});
