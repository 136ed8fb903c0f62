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

test('fleets come to rest after whatever befell them, and no invariant is broken', async () => {
  const many = ['--histories', '2000', '--seconds', '60', '--coverage'];
  const output = await simulate('--seed', '10000', '--workers', '2', ...many);
  assert.match(output, NONE_BROKEN);
});

test("a node whom the hub's presence did not reach says a lost pod again when the hub asks for it", async () => {
  assert.match(await simulate('--seed', '7013', '--nodes', '3'), NONE_BROKEN);
});

test('a node without a link sleeps, whatever it has still to say', async () => {
  assert.match(await simulate('--seed', '10033', '--nodes', '3'), NONE_BROKEN);
});

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
