/** What the probes said last, over a restart of the agent: kubelet behaviour row 75. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { ContainerHealth } from '../../../agent/pods/health.js';
import type { CountingProber } from '../../../agent/probes/prober.js';
import { openProbeMemory } from '../../../agent/probes/remembered.js';
import { SimulatedClock } from '../../sim/clock.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { QUIET } from './world.js';

let dataDir = '';
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'flotilla-probes-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const open = () => openProbeMemory({ dataDir, clock: REAL_CLOCK, log: QUIET });
const file = () => join(dataDir, 'probes.json');

/** A prober that says what the test says. */
function proberOf(entries: Readonly<Record<string, readonly [started: boolean, ready: boolean]>>) {
  const listeners = new Set<() => void>();
  const health = new Map<string, ContainerHealth>();
  const say = (said: typeof entries) => {
    health.clear();
    for (const [id, [started, ready]] of Object.entries(said))
      health.set(id, { started, ready, kill: null });
    for (const listener of listeners) listener();
  };
  const prober: CountingProber = {
    watch: () => undefined,
    health: () => health,
    totals: () => [],
    startedAt: id => Number(id.slice(1)),
    onChange: listener => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onEvent: () => () => undefined,
    stop: () => Promise.resolve(),
  };
  say(entries);
  return { prober, say };
}

describe('what is remembered', () => {
  test('is nothing in the beginning', () => {
    assert.equal(open().remembered('c1', 1), null);
  });
  test('is what was said last of the same run of the same container', async () => {
    const { prober, say } = proberOf({});
    const close = open().follow(prober);
    say({ c1: [true, false], c2: [true, true], c3: [false, false] });
    say({ c1: [true, true], c2: [true, false], c3: [false, false] });
    await close();
    const memory = open();
    const flags = (id: string, startedAt: number) => {
      const found = memory.remembered(id, startedAt);
      return found === null ? null : [found.started, found.ready];
    };
    assert.deepEqual(flags('c1', 1), [true, true]);
    assert.deepEqual(flags('c2', 2), [true, false]);
    assert.equal(flags('c3', 3), null);
    assert.equal(flags('c1', 9), null);
  });
  test('is not written for what was said after the end', async () => {
    const { prober, say } = proberOf({});
    await open().follow(prober)();
    say({ c1: [true, true] });
    assert.deepEqual(readdirSync(dataDir), []);
  });
  test('is nothing when the file is damaged, and then written anew', async () => {
    for (const text of ['', '{', '[]', '{"version":2}', '{"version":1,"containers":[{"id":1}]}']) {
      writeFileSync(file(), text);
      assert.equal(open().remembered('c1', 1), null);
    }
    const { prober, say } = proberOf({});
    const close = open().follow(prober);
    say({ c1: [true, true] });
    await close();
    assert.deepEqual(JSON.parse(readFileSync(file(), 'utf8')), {
      version: 1,
      containers: [{ id: 'c1', startedAt: 1, started: true, ready: true }],
    });
  });
  test('a container that turns each second is written ever more rarely, another at once', async () => {
    const clock = new SimulatedClock(0);
    const { prober, say } = proberOf({});
    const close = openProbeMemory({ dataDir, clock, log: QUIET }).follow(prober);
    const written = () => readFileSync(file(), 'utf8');
    const writes = new Set<string>();
    const settled = () => clock.settle(() => 0);
    for (let second = 1; second <= 40; second += 1) {
      say({ c1: [true, second % 2 === 0] });
      await settled();
      while (clock.monotonic() < second * 1000) {
        clock.advance(second * 1000 - clock.monotonic());
        await settled();
      }
      writes.add(`${statSync(file()).mtimeMs}`);
    }
    assert.ok(writes.size < 15, `${writes.size} writes in 40 seconds`);
    say({ c1: [true, true], c2: [true, true] });
    await settled();
    assert.ok(written().includes('"c2"'), 'it did not wait for the one that turns');
    await close();
  });
  test('a directory that cannot be written costs a warning, once', async () => {
    const warnings: string[] = [];
    const log = { ...QUIET, warn: (message: string) => void warnings.push(message) };
    const { prober, say } = proberOf({});
    const gone = join(dataDir, 'gone');
    const close = openProbeMemory({ dataDir: gone, clock: REAL_CLOCK, log }).follow(prober);
    say({ c1: [true, true] });
    await new Promise(resolve => setTimeout(resolve, 20));
    say({ c1: [true, false] });
    await close();
    assert.deepEqual(warnings, ['the state of the probes cannot be kept']);
  });
});
