/** A share of `npm run test:disk`: an agent whose disk refuses everything, or one call, from somewhere in an update on. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../kill/writes.js', import.meta.url));
const WRITES = 12;
/** Passages differ a little in length. */
const AT_LEAST = 10;

test('wherever the disk begins to refuse in an update, pods run on, the agent says so, and goes on when it is well', () => {
  const args = ['--chapter', 'update', '--share', String(WRITES), '--workers', '4'];
  const { stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' });
  const [, tried = '', broken = ''] =
    /^(\d+) failing writes, (\d+) invariants broken$/m.exec(stdout) ?? [];
  assert.equal(broken, '0', `${stdout}${stderr}`);
  assert.ok(Number(tried) >= AT_LEAST, stdout);
});
