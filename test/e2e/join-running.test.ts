/** A device that ran alone joins a fleet while its agent runs, and leaves it: what it is told, and what becomes of the pods. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { ensureTestImage, noEngine, TEST_IMAGE, runningOf } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { AGENT_PROGRAM, HUB_PROGRAM, Playground } from '../support/programs.js';
import { onTerminal } from '../support/terminal.js';
import { eventually } from '../support/wait.js';

const local = (name: string) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'app', image: TEST_IMAGE, command: ['sleep', '100000'] }],
    },
  });

describe('a device that ran alone', { skip: noEngine() }, () => {
  const play = new Playground();
  /** Ids of its app containers, whatever became of them. */
  const containers = (agent: string): string[] =>
    runningOf(play.path(agent), { container: 'app' })
      .split('\n')
      .filter(id => id !== '');
  const oneOf = (agent: string) =>
    eventually(`a container of ${agent}`, () => {
      const ids = containers(agent);
      return ids.length === 1 ? ids[0] : undefined;
    });
  const join = async (agent: string, ...options: string[]) => {
    const token = play.write(`${agent}.token`, await play.ok('token', 'create'));
    const where = ['--token-file', token, '--data-dir', play.path(agent)];
    const { code, stdout, stderr } = await play.agent('join', ...where, ...options);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const status = async (agent: string) =>
    (await play.agent('status', '--data-dir', play.path(agent))).stdout;
  const restart = async (agent: string) => {
    await play.kill(agent, 'SIGTERM');
    play.startAgent(agent);
    await eventually('it is connected', async () =>
      /^Hub: .*, connected to a broker$/m.test(await status(agent)),
    );
  };

  before(async () => {
    ensureTestImage();
    const listen = ['--listen', `127.0.0.1:${await freePort()}`];
    const mqtt = ['--mqtt-listen', `127.0.0.1:${await freePort()}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen, ...mqtt);
    play.startHub();
    await play.hubAnswers();
  });
  after(() => play.close());

  test('joins under the name that it has, is told to restart the agent, and its pods run on', async () => {
    play.write('box/manifests/one.json', local('one'));
    play.startAgent('box', '--node-name', 'box-7');
    const id = await oneOf('box');
    assert.match(await status('box'), /^Hub: +none; not joined$/m);
    const told = await join('box');
    assert.match(told, /^Joined \S+ as node "box-7"\.$/m);
    assert.match(
      told,
      /Restart it: its pods run on meanwhile, and after\.\nNext: systemctl restart/,
    );
    assert.match(await status('box'), /^Hub: +none yet: .* restart the agent$/m);
    assert.deepEqual(containers('box'), [id]);
    await restart('box');
    assert.deepEqual(containers('box'), [id]);
    assert.doesNotMatch(await status('box'), /Journal/, 'nothing is wrong with its journal');
    await eventually('the hub shows its pod', async () =>
      /^one-box-7 +1\/1 +Running/m.test(await play.ok('get', 'pods')),
    );
    assert.match(await play.ok('get', 'nodes'), /^box-7 +Ready/m);
  });

  test('that joins under another name is told so; its pods are made anew, each once', async () => {
    play.write('other/manifests/two.json', local('two'));
    play.startAgent('other', '--node-name', 'former');
    const id = await oneOf('other');
    const told = await join('other', '--node-name', 'later');
    assert.match(
      told,
      /it called this node "former", so pods are made anew under the name "later"/,
    );
    await restart('other');
    await eventually('it is made anew', () => {
      const ids = containers('other');
      return ids.length === 1 && ids[0] !== id;
    });
  });

  test('that has no agent is told to run one', async () => {
    assert.match(await join('new', '--node-name', 'new'), /^Next: flotilla-agent run --data-dir /m);
  });

  test('leaves: the pods of bundles end, its own run on, the hub is told, and it can join again', async () => {
    const manifests = () =>
      readdirSync(play.path('box/manifests')).filter(name => !name.startsWith('.'));
    const web = play.write('web.json', local('web'));
    const nodes = ['--nodes', 'kubernetes.io/hostname=box-7', '--min-ready', '1s', '--wait'];
    const [own] = containers('box');
    await play.ok('apply', '-f', web, '--bundle', 'web', ...nodes);
    assert.equal(containers('box').length, 2);
    assert.equal(manifests().length, 2);
    const leave = ['leave', '--data-dir', play.path('box')];
    const unasked = await play.agent(...leave);
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, /nobody is here to be asked: .* the pods of default\/web end/);
    const asked = [process.execPath, AGENT_PROGRAM, ...leave];
    assert.match(await onTerminal(asked, [[/\[y\/N\] $/, 'n']]), /given up; nothing was done/);
    assert.equal(containers('box').length, 2);
    const left = await play.agent(...leave, '--yes');
    assert.equal(left.code, 0, left.stderr);
    assert.match(left.stdout, /^Node "box-7" left the fleet of \S+; its keys are removed\.$/m);
    assert.match(left.stdout, /^The hub was told\.$/m);
    assert.match(left.stdout, /^Start it with --node-name box-7 .*\nNext, .*delete node box-7$/m);
    assert.deepEqual(containers('box'), [own]);
    assert.deepEqual(manifests(), ['one.json']);
    assert.equal(existsSync(play.path('box/identity')), false);
    assert.match(await status('box'), /^Hub: +none; not joined$/m);
    assert.match((await play.agent(...leave, '--yes')).stderr, /has not joined a hub/);
    assert.match(await play.ok('get', 'events'), /LeftFleet .*node\/box-7 /);
    const verified = await play.agent('journal', 'verify', '--data-dir', play.path('box'));
    assert.equal(verified.code, 0, verified.stdout);

    await play.ok('delete', 'node', 'box-7', '--yes');
    assert.match(await join('box'), /^Joined \S+ as node "box-7"\.$/m);
    await restart('box');
    assert.ok(containers('box').includes(own ?? ''));
    await eventually('the bundle is there again', () => containers('box').length === 2);
    assert.doesNotMatch(await status('box'), /Journal/, 'nothing is wrong with its journal');
  });

  test('leaves while the hub is away; its next fleet may be another', async () => {
    await play.kill('hub', 'SIGKILL');
    const left = await play.agent('leave', '--data-dir', play.path('other'), '--yes');
    assert.equal(left.code, 0, left.stderr);
    assert.match(left.stdout, /The hub was not told: it did not answer\. \d+ events? /);
    const [id] = containers('other');
    await play.kill('other', 'SIGTERM');
    await play.ok(
      ...['hub', 'init', '--data-dir', play.path('second')],
      ...['--listen', `127.0.0.1:${await freePort()}`],
      ...['--mqtt-listen', `127.0.0.1:${await freePort()}`],
    );
    play.start('second', process.execPath, [
      ...[HUB_PROGRAM, 'hub', 'run', '--data-dir', play.path('second')],
    ]);
    const at = ['--kubeconfig', play.path('second/admin.kubeconfig')];
    await eventually(
      'the second hub answers',
      async () => (await play.flotilla('get', 'nodes', ...at)).code === 0,
    );
    const token = play.write('second.token', await play.ok('token', 'create', ...at));
    const where = ['--token-file', token, '--data-dir', play.path('other')];
    const joined = await play.agent('join', ...where, '--node-name', 'later');
    assert.equal(joined.code, 0, joined.stderr);
    await restart('other');
    assert.deepEqual(containers('other'), [id]);
  });
});
