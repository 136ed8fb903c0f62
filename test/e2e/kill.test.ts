/** A share of `npm run test:kill`: an agent that dies in the middle of an update, at points spread over all of it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../kill/main.js', import.meta.url));
const POINTS = 20;
/** Passages differ a little in what is said to the hub: such a point may not come again. */
const AT_LEAST = 15;

test('wherever an update is cut off by SIGKILL, the node comes to the same end and breaks no promise', () => {
  const args = ['--chapter', 'update', '--share', String(POINTS), '--workers', '4'];
  const { stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' });
  const [, tried = '', broken = ''] =
    /^(\d+) kill points, (\d+) invariants broken$/m.exec(stdout) ?? [];
  assert.equal(broken, '0', `${stdout}${stderr}`);
  assert.ok(Number(tried) >= AT_LEAST, stdout);
});
