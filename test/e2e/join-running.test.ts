/** A device that ran alone joins a fleet while its agent runs: what it is told, and what becomes of the pods. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
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
  const containers = (agent: string): string[] => {
    const owner = `label=flotilla.dev/owner=${play.path(agent)}`;
    const app = 'label=io.kubernetes.container.name=app';
    return docker('ps', '-q', '--no-trunc', '--filter', owner, '--filter', app)
      .split('\n')
      .filter(id => id !== '');
  };
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
      /^Hub: .*, connected$/m.test(await status(agent)),
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
});
