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

const tracedIn = (output: string) => /traced ([0-9a-f]{16}),/m.exec(output)?.[1];

/** At least one, on a machine that is ever so busy. */
const NONE_BROKEN = /^[1-9]\d* histories, 0 invariants broken$/m;

/** Of these tests; `test/run.sh` lives 1,300 besides. Where the machine is slow fewer of them are lived, and said to be. */
const SHARE = ['--histories', '60', '--seconds', '45'] as const;

test('fleets come to rest after whatever befell them, and no invariant is broken', async () => {
  const output = await simulate('--seed', '10001', '--workers', '2', ...SHARE);
  assert.match(output, NONE_BROKEN);
});

/** Aimed at a promise each, two histories of it from a seed on that finds out that it is broken. One process lives them all: warm code is cheap. */
const SCENES = {
  'told@20000': 'a node says nothing that a power cut could still take from it',
  'stick@20000':
    'a stick brings a node without a line all that it says; its receipt brings all back',
  'lock@20000': 'pods that ask for time are left alone',
  'keys@20000': 'a node whose keys change reads what was sealed before',
  'rejoin@20000': 'a node that was deleted is shown nowhere until it joins again',
  'time@20000': 'a clock that nothing vouches for opens no window',
  'silence@20000': "a node whom the hub's presence did not reach says a lost pod again",
  'silence@20007': 'a node without a line sleeps, whatever it has still to say',
  'heard@20000': 'a hub that dies at what it is told does what it wrote down',
  'hold@20000': 'what is held at the device stays, whatever becomes of agent and journal',
  'stale@20000': 'what was said once and comes again changes nothing',
  'half@20000': 'a switch that was cut off is ended, or never was',
  'full@20009': 'a disk that is full loses no event, and a status says what its twin lacks',
};

test(`no promise is broken where all is aimed at it: ${Object.values(SCENES).join('; ')}`, async () => {
  const scenes = Object.keys(SCENES).flatMap(one => ['--scene', one]);
  const output = await simulate('--histories', '2', '--workers', '2', ...scenes);
  const lived = 2 * Object.keys(SCENES).length;
  assert.match(output, new RegExp(`^${lived} histories, 0 invariants broken$`, 'm'));
});

test('a seed is one history, in whichever process it is lived; another seed is another', async () => {
  const seeds = ['--seed', '5000', '--histories', '3'];
  const [one, two] = await Promise.all(
    ['1', '2'].map(workers => simulate(...seeds, '--workers', workers)),
  );
  assert.match(one ?? '', /traced [0-9a-f]{16}, 3 different$/m);
  assert.equal(tracedIn(two ?? ''), tracedIn(one ?? ''));
});
