/**
 * "Could it boot alone now?" on real parts: what a node says of itself is believed, and then tried. Hub, broker and registry are gone, the
 * clock stands at 1970, every container is removed as by a reboot, and the agent is started: what it said would run runs, and what it
 * said would be missing is missing.
 */
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import {
  docker,
  ensureTestImage,
  noEngine,
  randomHex,
  removeOwned,
  runningOf,
} from '../support/docker.js';
import { fakedClock, noFakedClock } from '../support/faked-clock.js';
import { unmountBelow } from '../support/mounts.js';
import { freePort } from '../support/ports.js';
import { askAgent, Playground } from '../support/programs.js';
import { noRegistry, startRegistry, type TestRegistry } from '../support/registry.js';
import { Device } from '../support/told.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';
const WORD = randomHex(4);
/** Names of one image: one that goes is gone although others hold its content. */
const [FIRST, SECOND] = [`flotilla.dev/alone-${WORD}:1`, `flotilla.dev/alone-${WORD}:2`];

function pod(name: string, image: string, spec: object = {}, container: object = {}): string {
  const script = 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done';
  const app = { name: 'app', image, command: ['sh', '-c', script], ...container };
  const all = { terminationGracePeriodSeconds: 1, ...spec, containers: [app] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: all });
}

const SETTINGS = JSON.stringify({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' } },
  data: { word: WORD },
});
const SETTINGS_FILE = '# of this node\nmaxPods: 20\n';
const SECRET = JSON.stringify({
  ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' } },
  stringData: { password: WORD },
});

describe('could it boot alone now', { skip: noEngine() || noFakedClock() || noRegistry() }, () => {
  const play = new Playground();
  const owner = play.path(NODE);
  const epoch = fakedClock(play.path('clock'), 60_000);
  let image = '';
  let registry: TestRegistry;

  const { status, becomes, apps } = new Device(play, NODE);
  const condition = async (type: string) => {
    const found = (await status()).conditions.find(one => one.type === type);
    return `${found?.status} ${found?.reason}: ${found?.message}`;
  };
  const says = (type: string, expected: RegExp) =>
    eventually(`${type} is ${String(expected)}`, async () => {
      const said = await condition(type);
      if (expected.test(said)) return said;
      throw new Error(said);
    });
  const running = () =>
    apps('{{.Label "io.kubernetes.pod.name"}}')
      .split('\n')
      .filter(Boolean)
      .map(name => name.replace(`-${NODE}`, ''))
      .sort()
      .join(' ');
  const runs = (names: string) => eventually(`${names} run`, () => running() === names);
  const tag = (name: string) => void docker('tag', image, name);
  const untag = (name: string) => void docker('image', 'rm', name);
  /** Of the pod that must not come, the others being there: the agent had its chance with it. */
  const isTold = (name: string, expected: RegExp) =>
    eventually(`${name} says why it is not there`, async () => {
      const list = JSON.parse(await askAgent(play.path(NODE, 'agent.sock'), '/pods')) as {
        items: { metadata: { name: string }; status: object }[];
      };
      const found = list.items.find(one => one.metadata.name.startsWith(`${name}-`));
      if (expected.test(JSON.stringify(found?.status))) return true;
      throw new Error(JSON.stringify(found?.status));
    });
  const die = async () => {
    await play.kill(NODE, 'SIGKILL');
    removeOwned(owner);
    unmountBelow(owner);
    assert.equal(running(), '');
  };
  const start = () => play.startAgentIn(epoch.env, NODE, '--file-check-frequency', '2s');
  const write = (web: string, change: object = {}) => {
    const volumes = [
      { name: 'settings', configMap: { name: 'settings' } },
      { name: 'db', secret: { secretName: 'db' } },
    ];
    const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));
    play.write('shop/web.json', pod('web', web, { volumes }, { volumeMounts, ...change }));
  };
  const apply = (...args: string[]) =>
    play.ok('apply', '-f', play.path('shop'), '--min-ready', '1s', ...args);

  before(async () => {
    image = ensureTestImage();
    for (const name of [FIRST, SECOND]) tag(name);
    registry = await startRegistry({ password: false });
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.joinWith(NODE, ['--config', play.write('agent.yaml', SETTINGS_FILE)]);
    write(FIRST);
    play.write('shop/api.json', pod('api', image));
    play.write('shop/settings.json', SETTINGS);
    play.write('shop/secret.json', SECRET);
    await apply('--all-nodes', '--require', 'alone-ready,undo-ready', '--wait');
    writeFileSync(play.path(NODE, 'manifests/hand.json'), pod('hand', image));
    await runs('api hand web');
  });
  after(async () => {
    await play.close();
    registry.close();
    for (const name of [FIRST, SECOND]) if (docker('images', '-q', name) !== '') untag(name);
  });

  test('it says so, at the device and at the hub', async () => {
    const all =
      /^True Complete: 2 pods of 1 bundle and 1 of this node's own would start without network/;
    await says('AloneReady', all);
    assert.match(await condition('UndoReady'), /^True NothingToUndo: /);
    await eventually('the hub has it', async () => {
      const wide = await play.ok('get', 'nodes', '-o', 'wide');
      assert.match(wide, /ALONE-READY +UNDO-READY/);
      return / True +True /.test(wide);
    });
    assert.match(await play.ok('describe', 'bundle', 'shop'), /require alone-ready,undo-ready/);
    const atDevice = await play.agent('status', '--data-dir', owner);
    assert.match(atDevice.stdout, /AloneReady +True +Complete/);
  });

  test('settings that somebody broke since the start are told with their line, as the start would', async () => {
    const file = play.write('agent.yaml', `${SETTINGS_FILE}maxpods: 30\n`);
    const why = `${file}:3: unknown setting "maxpods"`;
    assert.ok((await condition('AloneReady')).startsWith('False SettingsRefused: '));
    assert.ok((await condition('AloneReady')).includes(`a start would end: ${why}`));
    const start = await play.agent('run', '--data-dir', owner, '--config', file);
    assert.deepEqual([start.code, start.stderr.includes(why)], [2, true]);
    rmSync(file);
    assert.match(await condition('AloneReady'), /^False SettingsRefused: .* no such file/);
    play.write('agent.yaml', SETTINGS_FILE);
    await says('AloneReady', /^True Complete: /);
  });

  test('a node that could not come back does not set out', async () => {
    untag(FIRST);
    await says('AloneReady', /^False ImageMissing: pod default\/web, image ".*:1": it is not on/);
    write(SECOND);
    await apply();
    const { message } = await becomes(2, 'waiting', 'NotUndoReady');
    assert.match(message, /^this node could not go back: ImageMissing: pod default\/web/);
    await eventually('rollout status says it', async () =>
      /edge-1: waiting \(NotUndoReady: /.test(
        (await play.flotilla('rollout', 'status', 'bundle/shop', '--no-watch')).stdout,
      ),
    );
    tag(FIRST);
    await becomes(2, 'healthy');
    await says('UndoReady', /^True Complete: bundle default\/shop to revision 1$/);
    untag(FIRST);
    await says('UndoReady', /^False ImageMissing: .*web, image ".*:1"/);
    await says('AloneReady', /^True /);
    await eventually('the hub has the reason', async () =>
      / True +False \(ImageMissing\) /.test(await play.ok('get', 'nodes', '-o', 'wide')),
    );
    assert.match(await play.ok('describe', 'node', NODE), /UndoReady +False .*ImageMissing/);
  });

  test('all pods run after a reboot without hub, broker, registry and time', async () => {
    await says('AloneReady', /^True /);
    await die();
    await play.kill('hub', 'SIGKILL');
    registry.pause();
    start();
    await runs('api hand web');
    await says('AloneReady', /^True /);
    const id = runningOf(owner, { pod: `web-${NODE}`, container: 'app' });
    assert.equal(docker('exec', id, 'cat', '/settings/word', '/db/password'), WORD + WORD);
    registry.resume();
  });

  test('an image that went: what it said is missing is missing, and the rest runs', async () => {
    untag(SECOND);
    await says('AloneReady', /^False ImageMissing: pod default\/web, image ".*:2"/);
    await die();
    start();
    await runs('api hand');
    await isTold('web', /ErrImagePull|ImagePullBackOff|RegistryUnavailable/);
    assert.equal(running(), 'api hand');
    tag(SECOND);
    await play.agent('retry', '--data-dir', owner);
    await runs('api hand web');
    await says('AloneReady', /^True /);
  });

  test('imagePullPolicy Always, and the registry away', async () => {
    const reference = registry.push(image, 'team/cam:1');
    const file = play.path(NODE, 'manifests/cam.json');
    writeFileSync(file, pod('cam', reference, {}, { imagePullPolicy: 'Always' }));
    await runs('api cam hand web');
    await says(
      'AloneReady',
      /^False PullPolicyAlways: pod default\/cam-edge-1, .*asks the registry/,
    );
    registry.close();
    await die();
    start();
    await runs('api hand web');
    await isTold('cam', /ErrImagePull|ImagePullBackOff|RegistryUnavailable/);
    assert.equal(running(), 'api hand web');
    rmSync(file);
    await says('AloneReady', /^True /);
    docker('image', 'rm', reference);
  });

  test('a key that is damaged: the agent says now what it would say then', async () => {
    const key = play.path(NODE, 'identity/sealing.key');
    const whole = readFileSync(key);
    writeFileSync(key, whole.subarray(0, 40), { mode: 0o600 });
    await says('AloneReady', /^False IdentityUnreadable: .*sealing\.key/);
    await die();
    start();
    await eventually('the agent refuses to start', () =>
      /error: .*sealing\.key/.test(play.log(NODE)),
    );
    await play.kill(NODE, 'SIGKILL');
    assert.equal(running(), '');
    writeFileSync(key, whole, { mode: 0o600 });
    start();
    await runs('api hand web');
    await says('AloneReady', /^True /);
  });

  test('a blob that went from the journal: its pod comes back with the hub', async () => {
    const directory = play.path(NODE, 'manifests');
    const isOfWeb = (name: string) =>
      name.startsWith('flotilla_') &&
      /"name":"web"/.test(readFileSync(`${directory}/${name}`, 'utf8'));
    const file = readdirSync(directory).find(isOfWeb) ?? '';
    const manifest = /"flotilla.dev\/manifest":"([0-9a-f]{64})"/.exec(
      readFileSync(`${directory}/${file}`, 'utf8'),
    )?.[1];
    const db = new Database(play.path(NODE, 'journal.db'));
    db.prepare('DELETE FROM blobs WHERE digest = ?').run(manifest);
    db.close();
    await says('AloneReady', /^False ContentMissing: bundle default\/shop revision 2: /);
    await die();
    rmSync(`${directory}/${file}`);
    start();
    await runs('api hand');
    await says('AloneReady', /^False ContentMissing: /);
    assert.equal(running(), 'api hand');
    epoch.set(null);
    play.startHub();
    await runs('api hand web');
    await says('AloneReady', /^True /);
  });
});
