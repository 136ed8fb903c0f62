/**
 * An operator's first day, told on real parts: the embedded broker, two nodes on one Docker Engine, the programs as a person
 * types them. What is refused is refused with exit code 2 and changes nothing.
 */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { ensureTestImage, noEngine, TEST_IMAGE, runningOf } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const WAITS = 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done';

function container(name: string, script = WAITS): object {
  return { name, image: TEST_IMAGE, command: ['sh', '-c', script] };
}

function pod(name: string, containers: object[], spec: object = {}): string {
  const metadata = { name, labels: { app: name } };
  const all = { terminationGracePeriodSeconds: 1, containers, ...spec };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec: all });
}

describe("an operator's first day", { skip: noEngine() }, () => {
  const play = new Playground();
  let web = 0;
  const shop = () => play.path('shop');
  const apply = (...args: string[]) => play.flotilla('apply', '-f', shop(), ...args);
  const idOf = (node: string, podName: string, name: string) =>
    runningOf(play.path(node), { pod: `${podName}-${node}`, container: name }) || null;
  const ownFiles = (node: string) =>
    readdirSync(play.path(node, 'manifests')).filter(file => file.startsWith('flotilla_'));

  before(async () => {
    ensureTestImage();
    web = await freePort();
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join('edge-1', '--label', 'site=harbour');
    const httpd = `echo hello > /www/index.html; exec httpd -f -p 8080 -h /www`;
    const serves = {
      ...container('httpd', httpd),
      ports: [{ containerPort: 8080, hostPort: web }],
      volumeMounts: [{ name: 'www', mountPath: '/www' }],
    };
    play.write('shop/web.json', pod('web', [serves], { volumes: [{ name: 'www', emptyDir: {} }] }));
    play.write('shop/pair.json', pod('pair', [container('left'), container('right')]));
  });
  after(() => play.close());

  test('a new bundle says which nodes run it', async () => {
    const { code, stderr } = await apply();
    assert.equal(code, 2);
    assert.match(stderr, /--nodes SELECTOR or --all-nodes/);
  });

  test('a dry run changes nothing', async () => {
    assert.match((await apply('--nodes', 'site', '--dry-run=server')).stdout, /created .*dry run/);
    assert.equal((await play.flotilla('get', 'bundle', 'shop')).code, 2);
  });

  test('apply --wait ends when every container ran for ten seconds; the web server answers', async () => {
    const { code, stdout, stderr } = await apply(
      '--nodes',
      'site in (harbour)',
      '--wait',
      '--timeout',
      '2m',
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /bundle\/shop created \(revision 1\)/);
    assert.match(stdout, /successfully rolled out/);
    assert.equal(await (await fetch(`http://127.0.0.1:${web}/`)).text(), 'hello\n');
  });

  test('get shows nodes, pods, bundles and events in every form', async () => {
    assert.match(await play.ok('get', 'nodes'), /^edge-1 +Ready /m);
    assert.match(
      await play.ok('get', 'pods', '-o', 'wide'),
      /^web-edge-1 +1\/1 +Running .* edge-1 /m,
    );
    assert.match(
      await play.ok('get', 'pods', '-l', 'app=pair', '-o', 'name'),
      /^pod\/pair-edge-1\n$/,
    );
    assert.match(await play.ok('get', 'bundles'), /^shop +1 +1 +1 +1 +0 +0 /m);
    assert.match(await play.ok('get', 'pod', 'web-edge-1', '-o', 'yaml'), /phase: Running/);
    assert.match(
      await play.ok('get', 'events'),
      /Started +pod\/web-edge-1 +Started container httpd/,
    );
    for (const name of ['web-edge-1', 'web'])
      assert.match(await play.ok('describe', 'pod', name), /bundle default\/shop revision 1/, name);
    assert.match(
      await play.ok('describe', 'node', 'edge-1'),
      /development: the hub holds every key/,
    );
    const { kind, items } = await play.json<{ kind: string; items: { kind: string }[] }>(
      'get',
      'nodes',
    );
    assert.equal(kind, 'NodeList');
    assert.equal(items.length, 1);
  });

  test('the same again is no new revision and touches no container', async () => {
    const before = runningOf(play.path('edge-1'));
    assert.match((await apply()).stdout, /unchanged \(revision 1\)/);
    assert.equal((await play.flotilla('diff', '-f', shop())).code, 0);
    assert.equal(runningOf(play.path('edge-1')), before);
  });

  test('an edit of one container restarts that one alone', async () => {
    const [left, right] = [idOf('edge-1', 'pair', 'left'), idOf('edge-1', 'pair', 'right')];
    play.write(
      'shop/pair.json',
      pod('pair', [container('left', `echo new; ${WAITS}`), container('right')]),
    );
    const diff = await play.flotilla('diff', '-f', shop());
    assert.equal(diff.code, 1);
    assert.match(diff.stdout, /^\+.*echo new/m);
    assert.match((await apply('--wait')).stdout, /configured \(revision 2\)/);
    assert.notEqual(idOf('edge-1', 'pair', 'left'), left);
    assert.equal(idOf('edge-1', 'pair', 'right'), right);
  });

  test('a node that joins later with the label gets the bundle by itself', async () => {
    // Both nodes share one engine here, and so its host ports: the second runs without the web server.
    play.write('other/solo.json', pod('solo', [container('main')]));
    await play.ok('apply', '-f', play.path('other'), '--nodes', 'site=mill');
    await play.join('edge-2', '--label', 'site=mill');
    await eventually('solo on edge-2', () => idOf('edge-2', 'solo', 'main'), { withinMs: 60_000 });
    assert.equal(idOf('edge-1', 'solo', 'main'), null);
  });

  test('what a bundle may not hold is refused with file, line and field, and nothing changes', async () => {
    const rows: [string, RegExp][] = [
      ['kind: Secret\napiVersion: v1\nmetadata: {name: s}\n', /no Pod in the input/],
      ['apiVersion: v1\nkind: ConfigMap\nmetadata: {name: C}\n', /bad\.yaml:3:\d+: metadata\.name/],
      ['apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n', /no Pod in the input/],
      [
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n',
        /bad\.yaml:2:1: Deployment is refused/,
      ],
      [
        'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: a\n    image: b:1\n    imagePullpolicy: Never\n',
        /bad\.yaml:8:5: .*unknown field "spec\.containers\[0\]\.imagePullpolicy"/,
      ],
      ['apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: [\n', /bad\.yaml:\d+:\d+: /],
    ];
    const before = await play.ok('get', 'bundles', '-o', 'name');
    for (const [text, expected] of rows) {
      const file = play.write('bad.yaml', text);
      const { code, stderr } = await play.flotilla('apply', '-f', file, '--all-nodes');
      assert.equal(code, 2, text);
      assert.match(stderr, expected);
    }
    assert.equal(await play.ok('get', 'bundles', '-o', 'name'), before);
  });

  test('pods that are missing from the input need --prune where nobody can be asked', async () => {
    play.write('shop/web.json', '');
    const refused = await apply();
    assert.equal(refused.code, 2);
    assert.match(refused.stdout, /pod\/web is not in the input/);
    assert.ok(idOf('edge-1', 'web', 'httpd'));
    assert.equal((await apply('--prune', '--wait')).code, 0);
    await eventually('web is gone from the node', () => idOf('edge-1', 'web', 'httpd') === null);
    await eventually(
      'and from the hub',
      async () => !(await play.ok('get', 'pods')).includes('web-edge-1'),
    );
  });

  test('rollout status ends with 3 when time is over, and with 4 when a pod failed for good', async () => {
    play.write(
      'slow.json',
      pod('slow', [{ name: 'a', image: 'flotilla.dev/absent:1', imagePullPolicy: 'Never' }]),
    );
    await play.ok('apply', '-f', play.path('slow.json'), '--nodes', 'site=mill');
    const late = await play.flotilla('rollout', 'status', 'bundle/slow', '--timeout', '3s');
    assert.equal(late.code, 3, late.stderr);
    play.write('fails.json', pod('fails', [container('a', 'exit 1')], { restartPolicy: 'Never' }));
    await play.ok('apply', '-f', play.path('fails.json'), '--nodes', 'site=mill');
    const failed = await play.flotilla('rollout', 'status', 'bundle/fails', '--timeout', '2m');
    assert.equal(failed.code, 4, failed.stdout + failed.stderr);
    assert.match(failed.stderr, /failed on edge-2/);
  });

  test('from standard input a bundle needs a name', async () => {
    const { code, stderr } = await play.flotilla('apply', '-f', '-', '--all-nodes');
    assert.equal(code, 2);
    assert.match(stderr, /--bundle NAME/);
  });

  test('with the hub killed and started again nothing is repeated, and the broker is whole again', async () => {
    const generation = async () =>
      (
        await play.json<{
          items: { metadata: { name: string }; status: { flotilla: { generation: number } } }[];
        }>('get', 'nodes')
      ).items.map(n => [n.metadata.name, n.status.flotilla.generation]);
    const running = () => ['edge-1', 'edge-2'].map(name => runningOf(play.path(name)));
    const [before, containers] = [await generation(), running()];
    await play.kill('hub', 'SIGKILL');
    play.startHub();
    await play.hubAnswers();
    await eventually('both nodes are ready', async () => {
      return ((await play.ok('get', 'nodes')).match(/ Ready /g) ?? []).length === 2;
    });
    assert.deepEqual(await generation(), before);
    assert.deepEqual(running(), containers);
    play.write('other/solo.json', pod('solo', [container('main', `echo again; ${WAITS}`)]));
    await play.ok('apply', '-f', play.path('other'), '--wait');
  });

  test('at the device: pods as a PodList, logs, the socket', async () => {
    const data = ['--data-dir', play.path('edge-2')];
    const list = JSON.parse((await play.agent('pods', ...data, '-o', 'json')).stdout) as {
      kind: string;
    };
    assert.equal(list.kind, 'PodList');
    assert.equal((await play.agent('logs', 'solo', ...data)).stdout, 'again\n');
    const get = (path: string) =>
      new Promise<string>((done, fail) => {
        request({ socketPath: play.path('edge-2', 'agent.sock'), path }, response => {
          let text = '';
          response.setEncoding('utf8').on('data', chunk => (text += chunk));
          response.on('end', () => done(`${response.statusCode} ${text}`));
        })
          .on('error', fail)
          .end();
      });
    assert.equal(await get('/healthz'), '200 ok');
    assert.match(
      await get('/pods'),
      /^200 \{"apiVersion":"v1","kind":"PodList"|^200 .*"kind":"PodList"/,
    );
    assert.equal(await get('/containerLogs/default/solo/main?tailLines=1'), '200 again\n');
    assert.match(await get('/containerLogs/default/nobody/main'), /^404 /);
  });

  test('a deleted bundle leaves the node; what is not its own stays', async () => {
    writeFileSync(play.path('edge-1', 'manifests/mine.json'), pod('mine', [container('main')]));
    await eventually('mine runs', () => idOf('edge-1', 'mine', 'main'));
    await play.ok('delete', 'bundle', 'shop', '--yes');
    await eventually(
      'the pods of the bundle are gone',
      () => idOf('edge-1', 'pair', 'right') === null,
    );
    await eventually('its files too', () => ownFiles('edge-1').length === 0);
    assert.ok(idOf('edge-1', 'mine', 'main'));
    await eventually('the hub shows what is left', async () => {
      const pods = await play.ok('get', 'pods', '-o', 'name');
      return pods.includes('pod/mine-edge-1') && !pods.includes('pair-edge-1');
    });
  });
});
