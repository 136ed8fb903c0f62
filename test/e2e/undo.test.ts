/**
 * A person at the device goes back to the former revision while the hub is away, on real parts: what runs, who is told, what the hub
 * makes of it when it hears of it, and how it is tried again.
 */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { Device, matches } from '../support/told.js';

describe('undo at the device', { skip: noEngine() }, () => {
  const play = new Playground();
  const { run: device, becomes, apps } = new Device(play);
  const commands = () => apps('{{.Command}}');
  const ids = () => apps('{{.ID}}');
  const apply = (revision: number, ...args: string[]) => {
    const command = ['sh', '-c', `trap "exit 0" TERM; while :; do sleep 0.${revision}; done`];
    const volumeMounts = [{ name: 'run', mountPath: '/run/app' }];
    const containers = [{ name: 'app', image: TEST_IMAGE, command, volumeMounts }];
    const volumes = [{ name: 'run', emptyDir: {} }];
    const spec = { terminationGracePeriodSeconds: 1, containers, volumes };
    const metadata = { name: 'web', annotations: { 'flotilla.dev/update-lock': 'run/busy' } };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec };
    play.write('shop/web.json', JSON.stringify(pod));
    return play.ok('apply', '-f', play.path('shop'), '--min-ready', '1s', ...args);
  };

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join('edge-1');
    await apply(1, '--all-nodes', '--wait');
  });
  after(() => play.close());

  test('is refused where nothing older is there, and asks where nobody said yes', async () => {
    const none = await device('undo', 'shop', '--yes');
    assert.deepEqual(
      [none.code, /cannot go back: no former revision that was healthy/.test(none.stderr)],
      [2, true],
    );
    await apply(2, '--wait');
    const unasked = await device('undo');
    assert.equal(unasked.code, 2);
    assert.match(
      unasked.stderr,
      /nothing was done.*take bundle\/shop \(default\) from revision 2 back to revision 1\?/,
    );
    assert.match(commands(), /sleep 0\.2;/);
  });

  test('needs no hub, and is not overruled by a restart or by the hub that comes back', async () => {
    await play.kill('hub', 'SIGTERM');
    const done = await device('undo', '--yes', '--reason', 'tills print twice');
    assert.equal(
      done.stdout,
      'bundle/shop (default) goes back from revision 2 to revision 1\n',
      done.stderr,
    );
    const { message } = await becomes(2, 'rolledBack', 'UndoneAtDevice');
    assert.match(message, /^undone at the device by \S+ \(tills print twice\); back at revision 1/);
    await matches('revision 1 runs', async () => commands(), /sleep 0\.1;/);
    const { stdout } = await device('journal');
    assert.match(stdout, /bundle default\/shop +undo +by \S+: tills print twice/);
    assert.equal((await device('journal', 'verify')).code, 0);
    await play.kill('edge-1', 'SIGKILL');
    play.startAgent('edge-1');
    play.startHub();
    await play.hubAnswers();
    await matches(
      'the hub counts it',
      async () => await play.ok('get', 'bundles'),
      /shop +2 +1 +0 +0 +0 .*Undone on 1 node/,
    );
    const status = await play.flotilla('rollout', 'status', 'bundle/shop', '--timeout', '20s');
    assert.equal(status.code, 4, status.stdout);
    assert.match(
      status.stderr,
      /bundle\/shop was undone on 1 node\n +undone on edge-1: UndoneAtDevice: undone at the device by \S+ \(tills/,
    );
    await matches(
      'whoever looks at the node sees it',
      () => play.ok('describe', 'node', 'edge-1'),
      /undone +\S+ +UndoneAtDevice: undone at the device by \S+ \(tills print twice\); back at revision 1\n/,
    );
    assert.match(await play.ok('describe', 'bundle', 'shop'), /undone on edge-1: UndoneAtDevice/);
    await matches('the event is there', () => play.ok('get', 'events'), /UndoneAtDevice/);
    assert.match(commands(), /sleep 0\.1;/);
  });

  test('lasts until the hub says try again', async () => {
    assert.match(await play.ok('rollout', 'retry', 'bundle/shop'), /edge-1/);
    await becomes(2, 'healthy');
    assert.match(commands(), /sleep 0\.2;/);
  });

  test('may be taken back at the device, and be done again', async () => {
    const from = await device('undo', '--yes');
    assert.match(from.stdout, /goes back from revision 2 to revision 1$/m, from.stderr);
    await becomes(2, 'rolledBack', 'UndoneAtDevice');
    const unasked = await device('redo');
    assert.equal(unasked.code, 2);
    assert.match(
      unasked.stderr,
      /try revision 2 of bundle\/shop \(default\) again, which was undone at the device by \S+\?/,
    );
    const done = await device('redo', '--yes', '--reason', 'it was the printer');
    assert.equal(done.stdout, 'bundle/shop (default) revision 2 is tried again\n', done.stderr);
    await becomes(2, 'healthy');
    await matches('revision 2 runs', async () => commands(), /sleep 0\.2;/);
    const { stdout } = await device('journal');
    assert.match(stdout, /bundle default\/shop +redo +by \S+: it was the printer/);
    assert.equal((await device('journal', 'verify')).code, 0);
    await matches('the event is there', () => play.ok('get', 'events'), /RedoneAtDevice/);
    await matches(
      'it counts no more',
      () => play.ok('get', 'bundles'),
      /shop +2 +1 +1 +1 .*Active/,
    );
  });

  test('a lock keeps it from going back, until the hub says that it does not count', async () => {
    const busy = () =>
      docker('exec', apps('{{.ID}}').split('\n')[0] ?? '', 'touch', '/run/app/busy');
    busy();
    const asked = await device('undo', '--yes');
    assert.match(asked.stdout, /goes back from revision 2 to revision 1/);
    const { message } = await becomes(2, 'failed', 'UndoneAtDevice');
    assert.match(message, /cannot go back: pod web asks not to be disturbed since/);
    assert.match(commands(), /sleep 0\.2;/);
    const ask = ['rollout', 'activate', 'bundle/shop', '--now', '--reason', 'recall'];
    await matches(
      'the hub knows of the lock',
      () => play.ok(...ask),
      /^bundle\/shop waits for windows and locks no longer on edge-1\n$/,
    );
    const back = await becomes(2, 'rolledBack', 'UndoneAtDevice');
    assert.match(
      back.message,
      /back at revision 1 although a pod asks not to be disturbed, asked for by \S+ \(recall\)/,
    );
    await matches('revision 1 runs', async () => commands(), /sleep 0\.1;/);
    await matches('the event is there', () => play.ok('get', 'events'), /LockOverridden/);
    assert.match(await play.ok(...ask), /it waits nowhere/);
    assert.equal((await device('redo', '--yes')).code, 0);
    await becomes(2, 'healthy');
  });

  test('a pod that asks not to be disturbed is not, until it is done', async () => {
    const [id = ''] = apps('{{.ID}}').split('\n');
    docker('exec', id, 'touch', '/run/app/busy');
    await apply(3);
    const { message } = await becomes(3, 'waiting', 'Locked');
    assert.match(message, /^pod web asks not to be disturbed since \S+ \(run\/busy; for 60 min at/);
    assert.match((await device('plan')).stdout, /switch to revision 3: pod web asks not to be/);
    await matches(
      'the hub says so',
      () => play.ok('describe', 'node', 'edge-1'),
      /UpdatesLocked +True +.*Locked/,
    );
    await matches('it is counted', () => play.ok('get', 'bundles'), /Locked on 1 node/);
    assert.match(commands(), /sleep 0\.2;/);
    docker('exec', id, 'rm', '/run/app/busy');
    await becomes(3, 'healthy');
    assert.match(commands(), /sleep 0\.3;/);
  });

  test('drift: report leaves what a person edits, and says so until the next switch', async () => {
    await play.kill('edge-1', 'SIGTERM');
    play.startAgent('edge-1', '--config', play.write('agent.json', '{"drift":"report"}'));
    await matches('it answers', async () => (await device('config')).stdout, /drift: report/);
    const manifests = play.path('edge-1', 'manifests');
    const file = join(
      manifests,
      readdirSync(manifests).find(name => name.startsWith('flotilla_')) ?? '',
    );
    const edited = readFileSync(file, 'utf8').replace('sleep 0.3', 'sleep 0.7');
    writeFileSync(file, edited);
    const local = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'by-hand' } };
    const spec = { containers: [{ name: 'app', image: TEST_IMAGE, command: ['sleep', '600'] }] };
    writeFileSync(join(manifests, 'by-hand.json'), JSON.stringify({ ...local, spec }));
    await matches('what was edited runs', async () => commands(), /sleep 0\.7;/);
    await matches(
      'the hub says which file',
      () => play.ok('describe', 'node', 'edge-1'),
      /Drifted +True +.*ChangedByHand +flotilla_shop_\S+ \(bundle default\/shop, web\) is edited since/,
    );
    await matches(
      'the hub shows what a person put there',
      () => play.ok('get', 'pods', '-o', 'wide'),
      /by-hand-edge-1 .* local \(file\)\n.*web-edge-1 .* bundle\/shop\n/,
    );
    assert.equal(readFileSync(file, 'utf8'), edited);
    await matches('both run', async () => String(ids().split('\n').length), /^2$/);
    const before = ids();
    const broken: readonly (readonly [string, () => void, RegExp])[] = [
      [
        'no valid Pod',
        () =>
          writeFileSync(
            file,
            edited.replace('sleep 0.7', 'sleep 0.9').replace('"image":"', '"image":5,"was":"'),
          ),
        /ManifestRefused +True +.* (WrongType|UnknownField) +flotilla_shop_.* the last good pods of this file stay/,
      ],
      [
        'cut off',
        () => writeFileSync(file, edited.slice(0, 60)),
        /ManifestRefused +True +.* Foreign +flotilla_shop_.* the last good pods of this file stay/,
      ],
      [
        'a file that others may write',
        () => (
          writeFileSync(file, edited.replace('sleep 0.7', 'sleep 0.9')),
          chmodSync(file, 0o666)
        ),
        /ManifestRefused +True +.* UnsafeFile +flotilla_shop_.* others may write to it.*; the last good pods of this file stay/,
      ],
    ];
    for (const [what, spoil, said] of broken) {
      spoil();
      await matches(`${what}: the hub says so`, () => play.ok('describe', 'node', 'edge-1'), said);
    }
    assert.match(commands(), /sleep 0\.7;/);
    assert.equal(ids(), before, 'what ran runs on');
    await apply(4);
    await becomes(4, 'healthy');
    assert.match(commands(), /sleep 0\.4;/);
    await matches(
      'it is over',
      async () => String(/Drifted/.test(await play.ok('describe', 'node', 'edge-1'))),
      /false/,
    );
  });

  test('a directory that others may write to does not keep the pods from starting after a reboot', async () => {
    await play.kill('edge-1', 'SIGTERM');
    const owner = `label=flotilla.dev/owner=${play.path('edge-1')}`;
    docker('rm', '-f', ...docker('ps', '-aq', '--filter', owner).split('\n'));
    const manifests = play.path('edge-1', 'manifests');
    chmodSync(manifests, 0o777);
    writeFileSync(join(manifests, 'by-hand.json'), '{}');
    play.startAgent('edge-1');
    await matches('what was accepted runs', async () => commands(), /sleep 0\.4;/);
    await matches('what a person put there too', async () => commands(), /sleep 600/);
    assert.match((await device('status')).stdout, /StaticPodPath +False +UnsafeDirectory/);
  });
});
