/**
 * Parameters of a node on real parts: given at the hub, in a pod's variable and mounted file, for the bundle that declares them alone; a
 * revision waits for one; a change follows without a restart and is there without the hub. What two bundles would both take is refused at
 * apply, and told where a node that joins brings them together.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, runningOf, TEST_IMAGE } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';

const ofNode = (key: string) => ({ configMapKeyRef: { name: 'flotilla-node', key } });

function pod(name: string, spec: { env?: object[]; volumes?: boolean; annotation?: string }) {
  const { env = [], volumes = false, annotation } = spec;
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: {
      name,
      ...(annotation === undefined
        ? {}
        : { annotations: { 'flotilla.dev/node-parameters': annotation } }),
    },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          ...{ name, image: TEST_IMAGE, imagePullPolicy: 'IfNotPresent', env },
          command: ['sh', '-c', 'trap "exit 0" TERM; env; while :; do sleep 3600 & wait; done'],
          ...(volumes ? { volumeMounts: [{ name: 'node', mountPath: '/node' }] } : {}),
        },
      ],
      ...(volumes ? { volumes: [{ name: 'node', configMap: { name: 'flotilla-node' } }] } : {}),
    },
  });
}

describe('parameters of a node', { skip: noEngine() }, () => {
  const play = new Playground();
  const container = (name: string) => runningOf(play.path(NODE), { container: name });
  const inside = (name: string, ...command: string[]) =>
    docker('exec', container(name), ...command);
  const apply = (bundle: string, ...args: string[]) =>
    play.flotilla('apply', '-f', play.path(bundle), '--min-ready', '1s', ...args);

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE, '--label', 'site=quay');
    play.write(
      'till/till.json',
      pod('till', { env: [{ name: 'SITE', valueFrom: ofNode('site') }] }),
    );
    play.write('cam/cam.json', pod('cam', { volumes: true, annotation: 'camera-url' }));
  });
  after(() => play.close());

  test('a revision whose pod needs one waits for it; apply, status and describe say which', async () => {
    const { code, stderr } = await apply('till', '--all-nodes', '--wave', '1');
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /Warning: bundle\/till: node edge-1 has no value for the parameter "site": the revision waits there for pod "till"; flotilla node parameters edge-1 site=VALUE/,
    );
    await eventually('the node says it', async () =>
      /waiting +\S+ +MissingParameter: pod till needs the node's parameter "site"/.test(
        await play.ok('describe', 'node', NODE),
      ),
    );
    const status = await play.ok('rollout', 'status', 'bundle/till', '--no-watch');
    assert.match(status, /wave 1 of 2 .*: MissingParameter: pod till needs the node's parameter/);
    assert.match(
      await play.ok('describe', 'node', NODE),
      /Parameters:\n +<no value> site, asked for by default\/till/,
    );
    assert.equal(container('till'), '');
  });

  test('given at the hub it is in the variable, and in no other bundle’s ConfigMap', async () => {
    const given = ['site=quay 7', 'camera-url=rtsp://10.0.7.20/main', 'of-nobody=x'];
    const { stdout, stderr, code } = await play.flotilla('node', 'parameters', NODE, ...given);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'node/edge-1 parameters changed\n');
    const { code: ended, stdout: said, stderr: why } = await apply('till', '--wait');
    assert.equal(ended, 0, said + why + play.log(NODE));
    assert.doesNotMatch(why, /parameter/);
    await eventually('it spoke', () => /^SITE=quay 7$/m.test(docker('logs', container('till'))));
    assert.doesNotMatch(docker('logs', container('till')), /rtsp|of-nobody/);
    const cam = await apply('cam', '--all-nodes', '--wait');
    assert.equal(cam.code, 0, cam.stdout + cam.stderr + play.log(NODE));
    assert.equal(inside('cam', 'ls', '/node'), 'camera-url');
    assert.equal(inside('cam', 'cat', '/node/camera-url'), 'rtsp://10.0.7.20/main');
  });

  test('it is listed, and a value that is there is changed with --overwrite alone', async () => {
    assert.equal(
      await play.ok('node', 'parameters', NODE),
      'camera-url=rtsp://10.0.7.20/main\nof-nobody=x\nsite=quay 7\n',
    );
    const refused = await play.flotilla('node', 'parameters', NODE, 'site=dock');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /'site' already has a value \(quay 7\), and --overwrite is false/);
    const tooLarge = await play.flotilla('node', 'parameters', NODE, `big=${'x'.repeat(8192)}`);
    assert.equal(tooLarge.code, 2);
    assert.match(tooLarge.stderr, /would be \d+ bytes .*, the limit is 8192/);
    assert.match(
      await play.ok('audit', `node/${NODE}`),
      /parameters: \+camera-url \+of-nobody \+site/,
    );
  });

  test('a change reaches the mounted file with no restart and no revision, a variable at the next start', async () => {
    const [cam, till] = [container('cam'), container('till')];
    const change = ['camera-url=rtsp://10.0.7.21/main', 'site=dock', 'of-nobody-', '--overwrite'];
    await play.ok('node', 'parameters', NODE, ...change);
    await eventually(
      'the mounted file follows',
      () => inside('cam', 'cat', '/node/camera-url') === 'rtsp://10.0.7.21/main',
    );
    assert.deepEqual([container('cam'), container('till')], [cam, till]);
    assert.match(await play.ok('rollout', 'history', 'bundle/cam'), /^1 /m);
    assert.doesNotMatch(await play.ok('rollout', 'history', 'bundle/cam'), /^2 /m);
    docker('kill', till);
    await eventually('another container has it', () => {
      const now = container('till');
      return now !== '' && now !== till && /^SITE=dock$/m.test(docker('logs', now));
    });
  });

  test('without the hub, and after a restart of the agent, all is as it was', async () => {
    await play.kill('hub', 'SIGKILL');
    await play.kill(NODE, 'SIGKILL');
    const till = container('till');
    play.startAgent(NODE);
    docker('kill', till);
    await eventually('it is made anew from the journal', () => {
      const now = container('till');
      return now !== '' && now !== till && /^SITE=dock$/m.test(docker('logs', now));
    });
    assert.equal(inside('cam', 'cat', '/node/camera-url'), 'rtsp://10.0.7.21/main');
    play.startHub();
    await play.hubAnswers();
  });

  test('a bundle may not bring a ConfigMap of that name, nor take it whole and declare nothing', async () => {
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'flotilla-node' } };
    play.write('own/map.json', JSON.stringify(map));
    play.write('own/pod.json', pod('own', {}));
    const own = await apply('own', '--all-nodes');
    assert.equal(own.code, 2);
    assert.match(own.stderr, /each node makes the ConfigMap "flotilla-node"/);
    play.write('whole/pod.json', pod('whole', { volumes: true }));
    const whole = await apply('whole', '--all-nodes');
    assert.equal(whole.code, 2);
    assert.match(whole.stderr, /name them in the pod's annotation flotilla.dev\/node-parameters/);
  });

  test('a pod name that another bundle has on some node is refused, in each kind of dry run too', async () => {
    play.write('rival/till.json', pod('till', {}));
    for (const args of [['--dry-run=client'], ['--dry-run=server'], []]) {
      const { code, stderr } = await apply('rival', '--nodes', 'site=quay', ...args);
      assert.equal(code, 2, args.join());
      assert.match(
        stderr,
        /pod "till" is also one of bundle default\/till, on node edge-1/,
        args.join(),
      );
    }
  });

  test('a node that joins later keeps what it got first; the other waits, and says for whom', async () => {
    const { code, stderr } = await apply('rival', '--nodes', 'site=mole');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Warning: bundle\/rival: pod "till" .* no node is selected by both now/);
    await play.ok('node', 'parameters', NODE, 'site-');
    await play.join('edge-2', '--label', 'site=mole');
    await play.ok('node', 'parameters', 'edge-2', 'camera-url=x');
    // edge-2 has no site: what comes first there is the rival.
    await eventually('the rival runs', async () =>
      /rival +1 +this/.test(await play.ok('describe', 'node', 'edge-2')),
    );
    await play.ok('node', 'parameters', 'edge-2', 'site=mole');
    await eventually('till waits', async () =>
      /default\/till .*waiting +\S+ +Conflict: pod till is one of bundle default\/rival already/.test(
        await play.ok('describe', 'node', 'edge-2'),
      ),
    );
    for (const words of [
      ['rollout', 'status', 'bundle/till', '--no-watch'],
      ['describe', 'bundle', 'till'],
    ]) {
      assert.match(
        await play.ok(...words),
        /edge-2: .*Conflict.*: pod till is one of bundle default\/rival already/,
      );
    }
    const again = await apply('till');
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /Warning: .*on node edge-2: what came there first stays/);
  });
});
