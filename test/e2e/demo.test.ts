/** `./install.sh demo`, as a newcomer types it: up, up again, down without a trace. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { docker, noEngine } from '../support/docker.js';

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

  test('goes without a trace, and leaves what is not its own', () => {
    const foreign = docker('run', '-d', 'flotilla.dev/demo:1', 'sleep', '1000');
    try {
      const { code, output } = install('demo', '--stop');
      assert.equal(code, 0, output);
      assert.deepEqual(containers(), []);
      assert.equal(existsSync(folder), false);
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
