/** Simulated histories with fixed seeds, in processes of their own: the simulation takes the file system over. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const MAIN = join(import.meta.dirname, '../../sim/main.js');
const PATIENCE_MS = 600_000;

/** What it printed; throws with that when an invariant was broken. */
async function simulate(...args: readonly string[]): Promise<string> {
  const options = { timeout: PATIENCE_MS, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--enable-source-maps', '--max-semi-space-size=32', MAIN, ...args],
    options,
  ).catch((error: Error & { stdout?: string; stderr?: string }) => {
    throw new Error(`${error.message}\n${error.stdout ?? ''}\n${error.stderr ?? ''}`);
  });
  return stdout;
}

const tracedIn = (output: string) => /traced ([0-9a-f]{16})$/m.exec(output)?.[1];

/** At least one, on a machine that is ever so busy. */
const NONE_BROKEN = /^[1-9]\d* histories, 0 invariants broken$/m;

/** Of the suite; the whole is `npm run sim`. Where the machine is slow fewer of them are lived, and said to be. */
const SHARE = ['--histories', '600', '--seconds', '45'] as const;

test('fleets come to rest after whatever befell them, and no invariant is broken', async () => {
  const output = await simulate('--seed', '10000', '--workers', '2', ...SHARE);
  assert.match(output, NONE_BROKEN);
});

/** A few that are aimed at each promise: the first of them find it out when the promise is broken. */
for (const [scene, promise] of [
  ['told', 'a node says nothing that a power cut could still take from it'],
  ['stick', 'a stick brings a node without a line all that it says, and its receipt brings all back'],
  ['lock', 'pods that ask for time are left alone'],
  ['keys', 'a node whose keys change reads what was sealed before'],
  ['rejoin', 'a node that was deleted is shown nowhere until it joins again'],
  ['time', 'a clock that nothing vouches for opens no window'],
  ['silence', 'a node without a line sleeps; what the hub lost of its pods is said again'],
] as const) {
  test(promise, async () => {
    assert.match(await simulate('--scene', scene, '--seed', '20000', '--histories', '3'), NONE_BROKEN);
  });
}

test('several processes live the same histories as one', async () => {
  const [one, two] = await Promise.all(
    ['1', '2'].map(workers => simulate('--seed', '5000', '--histories', '4', '--workers', workers)),
  );
  assert.notEqual(tracedIn(one ?? ''), undefined);
  assert.equal(tracedIn(two ?? ''), tracedIn(one ?? ''));
});

test('the same seed is the same history, another seed another one', async () => {
  const [one, again, other] = await Promise.all(
    ['4000', '4000', '4001'].map(async seed => tracedIn(await simulate('--seed', seed))),
  );
  assert.notEqual(one, undefined);
  assert.equal(again, one);
  assert.notEqual(other, one);
});
