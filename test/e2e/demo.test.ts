/** `./install.sh demo`, as a newcomer types it: up, up again, down without a trace. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { docker, noEngine } from '../support/docker.js';
import { askAgent } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const CHECKOUT = join(import.meta.dirname, '../../..');

describe('the demo', { skip: noEngine() }, () => {
  const home = mkdtempSync(join(tmpdir(), 'fl-demo-'));
  const folder = join(home, '.flotilla/demo');
  const owner = `label=flotilla.dev/owner=${join(folder, 'agent')}`;
  const containers = () =>
    docker('ps', '-aq', '--filter', owner).split('\n').filter(Boolean).sort();
  const install = (...args: string[]) => {
    const env = { ...process.env, HOME: home, KUBECONFIG: '' };
    const run = spawnSync(join(CHECKOUT, 'install.sh'), args, {
      env,
      encoding: 'utf8',
      timeout: 300_000,
    });
    return { code: run.status, output: `${run.stdout}${run.stderr}` };
  };
  after(() => {
    install('demo', '--stop');
    rmSync(home, { recursive: true, force: true });
  });

  let first: string[] = [];

  test('comes up by one command, shows its node and pods, and the web server answers', async () => {
    const { code, output } = install('demo');
    assert.equal(code, 0, output);
    assert.match(output, /^demo +Ready /m);
    assert.match(output, /^web-demo +1\/1 +Running /m);
    assert.match(output, /^clock-demo +1\/1 +Running /m);
    const url = /curl (http:\/\/127\.0\.0\.1:\d+\/)/.exec(output)?.[1] ?? '';
    assert.match(await (await fetch(url)).text(), /Hello from demo/);
    first = containers();
    assert.equal(first.length, 4);
  });

  test('a second time changes nothing', () => {
    const { code, output } = install('demo');
    assert.equal(code, 0, output);
    assert.match(output, /bundle\/demo unchanged/);
    assert.deepEqual(containers(), first);
  });

  test('its image serves users other than root', () => {
    docker('run', '--rm', '--user', '1000', 'flotilla.dev/demo:1', 'sh', '-c', 'ls / > /tmp/list');
  });

  test('an agent that somebody started by hand on its node is not robbed of its pods', async () => {
    const pid = Number(readFileSync(join(folder, 'agent.pid'), 'utf8'));
    process.kill(pid);
    await eventually('the agent ended', () => !existsSync(`/proc/${pid}`));
    const program = join(CHECKOUT, 'agent/bin/flotilla-agent.js');
    const options = ['--data-dir', join(folder, 'agent')];
    options.push('--static-pod-path', join(folder, 'manifests'));
    const byHand = spawn('node', [program, 'run', ...options], { stdio: 'ignore' });
    try {
      await eventually('another answers', () =>
        askAgent(join(folder, 'agent/agent.sock'), '/healthz'),
      );
      const { code, output } = install('demo', '--stop');
      assert.equal(code, 1, output);
      assert.match(output, /another agent runs on .*\/agent\n.*Ctrl-C/);
      assert.deepEqual(containers(), first);
    } finally {
      byHand.kill();
      await once(byHand, 'exit');
    }
  });

  test('goes without a trace, and leaves what is not its own', () => {
    const uids = first.map(id =>
      docker('inspect', '--format', '{{index .Config.Labels "io.kubernetes.pod.uid"}}', id),
    );
    const logs = () =>
      readdirSync('/var/log/pods').filter(name => uids.some(uid => name.endsWith(uid)));
    assert.equal(logs().length, 2);
    const foreign = docker('run', '-d', 'flotilla.dev/demo:1', 'sleep', '1000');
    try {
      const { code, output } = install('demo', '--stop');
      assert.equal(code, 0, output);
      assert.deepEqual(containers(), []);
      assert.equal(existsSync(folder), false);
      assert.deepEqual(logs(), []);
      assert.equal(docker('inspect', '--format', '{{.State.Running}}', foreign), 'true');
      const left = spawnSync('pgrep', ['-f', folder], { encoding: 'utf8' }).stdout;
      assert.equal(left, '', 'its processes are gone');
    } finally {
      docker('rm', '-f', foreign);
    }
  });

  test('stopping what is not there is fine', () => {
    assert.equal(install('demo', '--stop').code, 0);
  });
});
