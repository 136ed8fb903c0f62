/**
 * ConfigMaps in bundles on real parts: applied beside the pods or a DaemonSet, written on the node, mounted, followed without a restart,
 * taken away with the bundle. A Secret in the node's own directory serves the pods of bundles.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, TEST_IMAGE, runningOf } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';

const configMap = (name: string, data: Record<string, string>) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });

const POD = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'app',
        image: TEST_IMAGE,
        imagePullPolicy: 'IfNotPresent',
        command: [
          'sh',
          '-c',
          'trap "exit 0" TERM; echo $LEVEL $TOKEN; while :; do sleep 3600 & wait; done',
        ],
        env: [
          { name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'conf', key: 'level' } } },
          { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'keys', key: 'token' } } },
        ],
        volumeMounts: [{ name: 'conf', mountPath: '/conf' }],
      },
    ],
    volumes: [{ name: 'conf', configMap: { name: 'conf' } }],
  },
});

describe('ConfigMaps in bundles', { skip: noEngine() }, () => {
  const play = new Playground();
  const manifests = () => play.path(NODE, 'manifests');
  const owned = () => readdirSync(manifests()).filter(file => file.startsWith('flotilla_'));
  const container = () => runningOf(play.path(NODE), { container: 'app' });
  const apply = (...args: string[]) =>
    play.flotilla('apply', '-f', play.path('shop'), '--all-nodes', '--min-ready', '1s', ...args);

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
    play.write('shop/web.json', POD);
    play.write('shop/conf.json', configMap('conf', { level: 'one', 'app.ini': 'a=1' }));
  });
  after(() => play.close());

  test('a pod runs with the ConfigMap of its bundle and a Secret of its node', async () => {
    const secret = play.write(
      `${NODE}/manifests/.keys`,
      'apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {token: hunter2}\n',
    );
    chmodSync(secret, 0o600);
    renameSync(secret, play.path(NODE, 'manifests', 'keys.yaml'));
    const { code, stdout, stderr } = await apply('--wait');
    assert.equal(code, 0, stdout + stderr + play.log(NODE));
    assert.equal(owned().length, 2);
    await eventually('it spoke', () => docker('logs', container()) === 'one hunter2');
    assert.equal(docker('exec', container(), 'cat', '/conf/app.ini'), 'a=1');
    const told = await play.ok('get', 'bundle', 'shop', '-o', 'yaml');
    assert.match(told, /kind: ConfigMap/);
    assert.match(await play.ok('describe', 'bundle', 'shop'), /ConfigMaps: +conf/);
  });

  test('a change of the ConfigMap alone is a revision that reaches the file and restarts nothing', async () => {
    const before = container();
    play.write('shop/conf.json', configMap('conf', { level: 'one', 'app.ini': 'a=2' }));
    const diff = await play.flotilla('diff', '-f', play.path('shop'));
    assert.equal(diff.code, 1);
    assert.match(diff.stdout, /configmap\/conf[\s\S]*-\s+app\.ini: a=1\n\+\s+app\.ini: a=2/);
    assert.match((await apply('--dry-run')).stdout, /configured \(dry run\)/);
    const { code, stdout, stderr } = await apply('--wait');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /configured \(revision 2\)/);
    await eventually(
      'the mounted file follows',
      () => docker('exec', before, 'cat', '/conf/app.ini') === 'a=2',
    );
    assert.equal(container(), before);
  });

  test('after rm -r of the directory the files of the bundle are written back, and nothing restarts', async () => {
    const before = container();
    await eventually('the directory is gone; the agent may write a file back in between', () => {
      rmSync(manifests(), { recursive: true, force: true });
      return true;
    });
    mkdirSync(manifests(), { mode: 0o755, recursive: true });
    await eventually('both files are back', () => owned().length === 2);
    assert.equal(container(), before);
  });

  test('what a Secret holds is in no log, no journal and no answer of node or hub', async () => {
    assert.doesNotMatch(play.log(NODE) + play.log('hub'), /hunter2/);
    for (const args of [
      ['get', 'pods', '-o', 'yaml'],
      ['get', 'events', '-o', 'yaml'],
      ['describe', 'pod', `web-${NODE}`],
    ]) {
      assert.doesNotMatch(await play.ok(...args), /hunter2/, args.join(' '));
    }
    for (const file of readdirSync(play.path(NODE)).filter(name => name.startsWith('journal'))) {
      assert.equal(readFileSync(play.path(NODE, file)).includes('hunter2'), false, file);
    }
  });

  test('the ConfigMap goes with its bundle', async () => {
    await play.ok('delete', 'bundle', 'shop', '--yes');
    await eventually('no file and no container', () => owned().length === 0 && container() === '', {
      withinMs: 60_000,
    });
  });

  test('a DaemonSet and the ConfigMap beside it are a bundle, as a person who knows kubectl would say it', async () => {
    const { metadata: _metadata, spec } = JSON.parse(POD) as { metadata: object; spec: object };
    const set = (maxUnavailable: number) =>
      JSON.stringify({
        ...{ apiVersion: 'apps/v1', kind: 'DaemonSet' },
        metadata: {
          ...{ name: 'collector', labels: { team: 'ops' } },
          annotations: { 'kubernetes.io/change-cause': 'from a cluster' },
        },
        spec: {
          ...{ selector: { matchLabels: { app: 'c' } }, minReadySeconds: 1 },
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable } },
          template: {
            metadata: { labels: { app: 'c' } },
            spec: { ...spec, nodeSelector: { 'kubernetes.io/hostname': NODE } },
          },
        },
      });
    play.write('fleet/conf.json', configMap('conf', { level: 'set' }));
    const path = play.write('fleet/set.json', set(1));
    const fleet = ['-f', play.path('fleet')];
    assert.match((await play.flotilla('diff', ...fleet)).stdout, /^\+nodeSelector: .*edge-1$/m);
    const applied = await play.ok('apply', ...fleet, '--wait');
    assert.match(applied, /^bundle\/collector created \(revision 1\)$/m);
    assert.match(applied, /^rolled out: waves 100%; max unavailable 1;/m);
    const before = container();
    assert.match(docker('inspect', '-f', '{{.Name}}', before), /_collector-edge-1_default_/);
    assert.match(await play.ok('apply', ...fleet), /^bundle\/collector unchanged \(revision 1\)$/m);

    play.write('fleet/set.json', set(2));
    assert.match(
      await play.ok('apply', ...fleet),
      /^bundle\/collector configured \(revision 1\)$/m,
    );
    assert.equal(container(), before);
    const told = await play.ok('get', 'ds', 'collector', '-o', 'yaml');
    assert.match(told, /maxUnavailable: 2$/m);
    assert.match(told, /team: ops$/m);
    assert.match(told, /change-cause: from a cluster$/m);

    assert.match(await play.ok('delete', '-f', path, '--yes'), /^bundle\/collector deleted$/m);
  });
});
