/**
 * The hub is lost while nodes have newer Secrets than its backup, on real parts: nothing is taken from a running pod, the restored hub
 * learns versions and envelopes from the node, and what is sealed next is taken.
 */
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import {
  docker,
  ensureTestImage,
  noEngine,
  removeOwned,
  TEST_IMAGE,
  runningOf,
} from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';

const secret = (name: string, password: string) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    stringData: { password },
  });

const WEB = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: {
    terminationGracePeriodSeconds: 1,
    volumes: ['db', 'late'].map(name => ({ name, secret: { secretName: name, optional: true } })),
    containers: [
      {
        name: 'app',
        image: TEST_IMAGE,
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'],
        volumeMounts: ['db', 'late'].map(name => ({ name, mountPath: `/${name}` })),
      },
    ],
  },
});

describe('secrets and a hub that was lost', { skip: noEngine() }, () => {
  const play = new Playground();
  const container = () => runningOf(play.path(NODE), { container: 'app' });
  const cat = (path: string) => {
    try {
      return docker('exec', container(), 'cat', path);
    } catch {
      return null;
    }
  };
  const seal = (name: string, password: string) =>
    play.ok(
      'secret',
      'seal',
      '--bundle',
      'shop',
      '-f',
      play.write('s.json', secret(name, password)),
    );
  const has = (path: string, text: string) =>
    eventually(`${path} is ${text}`, () => cat(path) === text, { withinMs: 60_000 });
  // The counts follow what is sealed.
  const lists = (line: RegExp) =>
    eventually(`get secrets shows ${line}`, async () => line.test(await play.ok('get', 'secrets')));
  const restore = async () => {
    await play.kill('hub', 'SIGKILL');
    renameSync(play.path('hub'), play.path(`lost-${Date.now()}`));
    await play.ok('hub', 'restore', play.path('old'), '--data-dir', play.path('hub'));
    play.startHub();
    await play.hubAnswers();
  };

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
    play.write('shop/web.json', WEB);
    play.write('shop/db.json', secret('db', 'one'));
    await play.ok('apply', '-f', play.path('shop'), '--all-nodes');
    await has('/db/password', 'one');
    await play.ok('hub', 'backup', '--data-dir', play.path('hub'), '--out', play.path('old'));
  });
  after(async () => {
    await play.kill(NODE, 'SIGKILL');
    removeOwned(play.path(NODE));
    await play.close();
  });

  test('S88 a backup two versions old: what the node has stays, and the next version is taken', async () => {
    assert.match(await seal('db', 'two'), /configured \(version 2, sealed for 1 node\)/);
    assert.match(await seal('db', 'three'), /configured \(version 3, sealed for 1 node\)/);
    assert.match(await seal('late', 'after the backup'), /created \(version 1/);
    await has('/db/password', 'three');
    await has('/late/password', 'after the backup');
    const before = container();
    await restore();
    assert.match(await play.ok('hub', 'recovery', '--wait', '--timeout', '3m'), /Complete/);
    await lists(/^shop\.db +shop +Opaque +3 +1 +0 +<none>/m);
    await lists(/^shop\.late +shop +<unknown> +1 +1 +0 +<none>/m);
    assert.equal(cat('/db/password'), 'three');
    assert.match(await seal('db', 'four'), /configured \(version 4, sealed for 1 node\)/);
    await has('/db/password', 'four');
    assert.match(await seal('late', 'later still'), /configured \(version 2, sealed for 1 node\)/);
    await has('/late/password', 'later still');
    assert.equal(container(), before, 'the pod runs on');
    const status = await play.agent('status', '-o', 'json', '--data-dir', play.path(NODE));
    assert.doesNotMatch(status.stdout, /Rollback/);
  });

  test('the node is away meanwhile: numbers that it may know are left out', async () => {
    await play.kill(NODE, 'SIGKILL');
    await restore();
    const early = await play.flotilla(
      'secret',
      'seal',
      '--bundle',
      'shop',
      '-f',
      play.path('s.json'),
    );
    assert.equal(early.code, 1);
    assert.match(early.stderr, /not heard yet: edge-1.*hub recovery --finish/s);
    await play.ok('hub', 'recovery', '--finish', '--yes');
    assert.match(await seal('db', 'five'), /configured \(version 1002, sealed for 1 node\)/);
    assert.match(await seal('late', 'unheard of'), /created \(version 1001, sealed for 1 node\)/);
    play.startAgent(NODE);
    await has('/db/password', 'five');
    await has('/late/password', 'unheard of');
    const status = await play.agent('status', '-o', 'json', '--data-dir', play.path(NODE));
    assert.doesNotMatch(status.stdout, /Rollback/);
  });

  test('the node changed its sealing key twice since the backup: the restored hub seals for the new one', async () => {
    for (let times = 0; times < 2; times++) {
      const rotate = ['rotate-identity', '-y', '--sealing-key-only', '--data-dir', play.path(NODE)];
      const { code, stderr } = await play.agent(...rotate);
      assert.equal(code, 0, stderr);
    }
    await restore();
    assert.match(await play.ok('hub', 'recovery', '--wait', '--timeout', '3m'), /Complete/);
    const missing = await play.flotilla('secret', 'seal', '--missing');
    assert.equal(missing.code, 2);
    assert.match(
      missing.stdout,
      /^secret\/db of bundle\/shop, version 1002: not sealed for edge-1$/m,
    );
    await lists(/^shop\.db +shop +Opaque +\d+ +0 +1 +edge-1/m);
    const file = play.write('s.json', secret('db', 'six'));
    const args = ['--bundle', 'shop', '-f', file, '--accept-new-keys'];
    assert.match(
      await play.ok('secret', 'seal', ...args),
      /configured \(version 1003, sealed for 1/,
    );
    await has('/db/password', 'six');
  });
});
