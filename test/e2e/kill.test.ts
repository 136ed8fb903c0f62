/** Shares of `npm run test:kill`: an agent that dies in the middle of an update, at points spread over all of it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { noEngine } from '../support/docker.js';

const PROGRAM = fileURLToPath(new URL('../kill/main.js', import.meta.url));

/** Passages differ a little in what is said to the hub: such a point may not come again, and `atLeast` come. */
function killed(atLeast: number, ...args: readonly string[]): void {
  const { stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' });
  const [, tried = '', broken = ''] =
    /^(\d+) kill points, (\d+) invariants broken$/m.exec(stdout) ?? [];
  assert.equal(broken, '0', `${stdout}${stderr}`);
  assert.ok(Number(tried) >= atLeast, stdout);
}

test('wherever an update is cut off by SIGKILL, the node comes to the same end and breaks no promise', () => {
  killed(9, '--chapter', 'update', '--share', '12', '--workers', '4');
});

test('so it does when its static pod directory is made anew and its bundle goes in the same moment', () => {
  killed(2, '--chapter', 'replaced', '--share', '3', '--workers', '1');
});

test('so it does on a real engine', { skip: noEngine() }, () => {
  killed(2, '--chapter', 'update', '--share', '3', '--workers', '1', '--engine', 'docker');
});
