/** What is remembered of statuses: counts that never fall (row 90), and the file that outlives the agent (row 75). */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  historyKey,
  noteRuns,
  restartsOf,
  type KnownRuns,
  type RememberedStatus,
} from '../../../agent/pods/status-history.js';
import { StatusMemory } from '../../../agent/pods/status-memory.js';
import type { ObservedContainer } from '../../../agent/runtime/runtime.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { containerOf, manifest, T0, wish } from '../../support/pods.js';

const pod = wish(manifest('web'));

function run(id: string, attempt: number, at: number, change: Partial<ObservedContainer> = {}) {
  const createdAt = new Date(T0 + at);
  return containerOf(pod, 'app', { id, attempt, createdAt, startedAt: createdAt, ...change });
}

type Row = readonly [
  sentence: string,
  looks: readonly (readonly ObservedContainer[])[],
  restarts: number,
];

const COUNTS: readonly Row[] = [
  ['the first run', [[run('a', 0, 0)]], 0],
  ['what the labels say is believed', [[run('a', 7, 0)]], 7],
  ['one restart', [[run('a', 0, 0)], [run('b', 1, 10), run('a', 0, 0)]], 1],
  ['three restarts between two looks', [[run('a', 0, 0)], [run('d', 3, 10)]], 3],
  ['all runs were removed and it began at 0', [[run('a', 5, 0)], [], [run('b', 0, 10)]], 6],
  [
    'it goes on from there',
    [[run('a', 5, 0)], [run('b', 0, 10)], [run('c', 1, 20), run('b', 0, 10)]],
    7,
  ],
  ['the newest run was removed and an older one is left', [[run('b', 1, 10)], [run('a', 0, 0)]], 1],
  ['two runs of the same millisecond', [[run('b', 1, 0), run('a', 0, 0)], [run('b', 1, 0)]], 1],
  [
    'a run that never started leaves no trace',
    [[run('a', 0, 0)], [run('b', 1, 10, { startedAt: null }), run('a', 0, 0)], [run('a', 0, 0)]],
    0,
  ],
];

const APP: ReadonlySet<string> = new Set(['app']);

describe('row 90: restart counts', () => {
  for (const [sentence, looks, restarts] of COUNTS) {
    test(`${sentence}: ${restarts}`, () => {
      let runs: KnownRuns = {};
      let highest = 0;
      for (const look of looks) {
        runs = noteRuns(runs, look, APP);
        const count = runs['app']?.restarts ?? 0;
        assert.ok(count >= highest, 'the count fell');
        highest = count;
      }
      assert.equal(highest, restarts);
      assert.deepEqual(noteRuns(runs, looks.at(-1) ?? [], APP), runs, 'a second look changed it');
    });
  }

  test('a run that is made and not started counts already', () => {
    const runs = noteRuns({}, [run('a', 0, 0)], APP);
    assert.equal(restartsOf(run('b', 1, 10), runs['app']), 1);
  });
});

const folder = mkdtempSync(join(tmpdir(), 'flotilla-status-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const warnings: string[] = [];
const log = {
  info: () => undefined,
  warn: (message: string) => void warnings.push(message),
  error: () => undefined,
};
const open = (dataDir: string) => new StatusMemory({ dataDir, clock: REAL_CLOCK, log });

function remembered(phase: string, at = '2026-01-01T00:00:00Z'): RememberedStatus {
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: at }];
  return { status: { phase, startTime: at, conditions }, runs: {} };
}

describe('row 75: what outlives the agent', () => {
  test('is what was shown last', async () => {
    const dataDir = join(folder, 'again');
    const first = open(dataDir);
    first.put('one', remembered('Running'), { isKept: true });
    await first.close();
    assert.equal(statSync(join(dataDir, 'pods/one/status.json')).mode & 0o777, 0o600);
    const second = open(dataDir);
    await second.load(['one', 'two']);
    assert.deepEqual([...second.all], [['one', remembered('Running')]]);
  });

  test('is written when something of weight changed, and not otherwise', async () => {
    const dataDir = join(folder, 'writes');
    const file = join(dataDir, 'pods/one/status.json');
    const first = open(dataDir);
    first.put('one', remembered('Running'), { isKept: true });
    await first.close();
    rmSync(file);
    const same = remembered('Running');
    const chatty = { ...same, status: { ...same.status, message: 'back-off 20s' } };
    first.put('one', chatty, { isKept: true });
    await first.close();
    assert.throws(() => statSync(file));
    first.put('one', remembered('Failed'), { isKept: true });
    await first.close();
    assert.match(readFileSync(file, 'utf8'), /"Failed"/);
  });

  test('is not written for a pod whose files are on their way out', async () => {
    const dataDir = join(folder, 'leaving');
    const memory = open(dataDir);
    memory.put('one', remembered('Running'), { isKept: true });
    memory.put('one', remembered('Running'), { isKept: false });
    await memory.close();
    assert.throws(() => statSync(join(dataDir, 'pods')));
  });

  for (const text of ['', '{"version":1', '{"version":2,"status":{"phase":"x"},"runs":{}}', '[]']) {
    test(`damaged (${text}) is as good as nothing`, async () => {
      const dataDir = mkdtempSync(join(folder, 'damaged-'));
      mkdirSync(join(dataDir, 'pods/one'), { recursive: true });
      writeFileSync(join(dataDir, 'pods/one/status.json'), text);
      const memory = open(dataDir);
      await memory.load(['one']);
      assert.equal(memory.all.size, 0);
    });
  }

  test('a message alone makes no difference, a time does', () => {
    const one = remembered('Running');
    const other = { ...one, status: { ...one.status, message: 'new' } };
    assert.equal(historyKey(one), historyKey(other));
    assert.notEqual(historyKey(one), historyKey(remembered('Running', '2026-01-01T00:00:01Z')));
  });
});
