/**
 * What bundles may ask of a node, on real parts: the root grants it to the release key, the node's owner allows it, and only
 * both together let a pod start (kubelet behaviour row 163).
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ensureTestImage, noEngine, TEST_IMAGE, runningOf } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';

function pod(name: string, spec: Record<string, unknown>, volumeMounts: object[] = []): string {
  const command = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'];
  const app = { name: 'app', image: TEST_IMAGE, imagePullPolicy: 'IfNotPresent', command };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 1, ...spec, containers: [{ ...app, volumeMounts }] },
  });
}

const mounting = (name: string, path: string) =>
  pod(name, { volumes: [{ name: 'v', hostPath: { path } }] }, [{ name: 'v', mountPath: '/v' }]);

describe('the scope of the release keys and the policy of the node', { skip: noEngine() }, () => {
  const play = new Playground();
  const apply = (bundle: string) =>
    play.flotilla('apply', '-f', play.path(bundle), '--bundle', bundle, '--all-nodes');
  const running = (name: string) =>
    runningOf(play.path(NODE), { pod: `${name}-${NODE}`, container: 'app' });

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    const grant = ['--bundle-host-path', '/dev/', '--bundle-host-path', '/run'];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen, ...grant);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
    await play.kill(NODE, 'SIGTERM');
    const hostPaths = [
      { prefix: '/dev', readOnly: false },
      { prefix: '/etc', readOnly: false },
    ];
    const config = JSON.stringify({ admission: { bundle: { hostPaths } } });
    play.startAgent(NODE, '--config', play.write('agent.yaml', config));
    play.write('device/pod.json', mounting('device', '/dev/null'));
    play.write('etc/pod.json', mounting('etc', '/etc'));
    play.write('run/pod.json', mounting('run', '/run'));
    play.write('spy/pod.json', pod('spy', { hostPID: true }));
  });
  after(() => play.close());

  test('what both allow runs', async () => {
    assert.equal((await apply('device')).code, 0);
    await eventually('the pod runs', async () => running('device') !== '');
  });

  test('what the root does not grant is refused at apply, with pod, rule and field', async () => {
    const etc = await apply('etc');
    assert.equal(etc.code, 2, etc.stderr);
    assert.match(etc.stderr, /pod "etc" is beyond the scope .*volumes\[0\]\.hostPath\.path: \/etc/);
    const spy = await apply('spy');
    assert.equal(spy.code, 2, spy.stderr);
    assert.match(spy.stderr, /pod "spy" is beyond the scope .*field spec\.hostPID/);
  });

  test('what the node’s owner does not allow fails on the node, and says so at the hub', async () => {
    assert.equal((await apply('run')).code, 0);
    await eventually('the failure', async () => {
      const { stdout } = await play.flotilla('describe', 'node', NODE);
      return /Policy.*\/run is not in admission\.bundle\.hostPaths/s.test(stdout);
    });
    assert.equal(running('run'), '');
    assert.notEqual(running('device'), '');
  });
});
