/** What happens to volumes while their pods run: files follow, limits hold. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { CompletionBook } from '../../../agent/pods/completion-book.js';
import type { Desired } from '../../../agent/pods/desired.js';
import type { PodEvent } from '../../../agent/pods/pod-events.js';
import { MountError } from '../../../agent/volumes/mount-error.js';
import { openEvictionMemory } from '../../../agent/volumes/eviction-memory.js';
import { VolumeUpkeep } from '../../../agent/volumes/upkeep.js';
import type { Overrun, PodVolumes } from '../../../agent/volumes/volumes.js';
import type { Clock } from '../../../protocol/ports.js';
import { manifest, nodeFactsOf, wishes } from '../../support/pods.js';

const NODE = nodeFactsOf();
const LOG = { info: () => undefined, warn: () => undefined, error: () => undefined };

const dirs: string[] = [];
after(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true });
});
function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-upkeep-'));
  dirs.push(dir);
  return dir;
}

/** Time passes only when the test says so. */
function handClock() {
  let now = 1_000_000;
  let waiting: (() => void)[] = [];
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    sleep: (_ms, signal) =>
      new Promise(resolve => {
        waiting.push(resolve);
        signal?.addEventListener('abort', () => resolve());
        if (signal?.aborted === true) resolve();
      }),
  };
  const pass = (ms: number) => {
    now += ms;
    for (const wake of waiting.splice(0)) wake();
    waiting = [];
  };
  return { clock, pass };
}

interface World {
  refreshed: string[];
  problem: string;
  /** While it is set, a refresh waits for it. */
  gate?: Promise<void>;
  overruns: Overrun[];
  measured: number;
}

function upkeepOf(world: World, { dataDir = newDir(), time = handClock() } = {}) {
  const { clock, pass } = time;
  const told: PodEvent[] = [];
  let changes = 0;
  const volumes = {
    refresh: async ({ key }: { key: string }) => {
      world.refreshed.push(key);
      await world.gate;
      return world.problem === ''
        ? Promise.resolve()
        : Promise.reject(new MountError(world.problem));
    },
    overruns: () => {
      world.measured += 1;
      return Promise.resolve(world.overruns);
    },
  } as unknown as PodVolumes;
  const completions = new CompletionBook(null, LOG);
  const upkeep = new VolumeUpkeep({
    volumes,
    evictions: openEvictionMemory(dataDir, LOG),
    completions,
    clock,
    log: LOG,
    tell: (_pod, event) => told.push(event),
    onChange: () => (changes += 1),
  });
  return { upkeep, pass, told, completions, changes: () => changes };
}

const settled = () => new Promise<void>(resolve => setImmediate(resolve));
const newWorld = (): World => ({ refreshed: [], problem: '', overruns: [], measured: 0 });
const allOf = (desired: Desired) => new Set(desired.pods.map(({ uid }) => uid));

describe('the upkeep of volumes', () => {
  test('row 135: every pod that is set up is refreshed, no other', async () => {
    const world = newWorld();
    const { upkeep } = upkeepOf(world);
    const desired = wishes([manifest('web'), manifest('db')]);
    const web = desired.pods.filter(({ key }) => key.includes('web'));
    upkeep.look(desired, new Set(web.map(({ uid }) => uid)), NODE);
    await settled();
    assert.deepEqual(world.refreshed, ['default/web-edge1']);
    await upkeep.close();
  });

  test('what no look brings is written at once, and before the upkeep ends', async () => {
    const world = newWorld();
    const { upkeep } = upkeepOf(world);
    upkeep.freshen();
    await settled();
    assert.deepEqual(world.refreshed, [], 'nothing was looked at yet');
    const desired = wishes([manifest('web')]);
    upkeep.look(desired, allOf(desired), NODE);
    await settled();
    let open: () => void = () => undefined;
    world.gate = new Promise(resolve => (open = resolve));
    upkeep.freshen();
    await settled();
    upkeep.freshen();
    const closing = upkeep.close();
    open();
    await closing;
    assert.equal(world.refreshed.length, 3, 'the one that went on had begun too early');
  });

  test('row 135: what becomes wanted while a refresh goes on is refreshed after it, and not a minute later', async () => {
    const world = newWorld();
    const { upkeep } = upkeepOf(world);
    let open: () => void = () => undefined;
    world.gate = new Promise(resolve => (open = resolve));
    const [before, after] = [wishes([manifest('web')]), wishes([manifest('web'), manifest('db')])];
    upkeep.look(before, allOf(before), NODE);
    await settled();
    upkeep.look(after, allOf(after), NODE);
    open();
    await settled();
    assert.deepEqual(
      world.refreshed,
      ['web', 'db', 'web'].map(name => `default/${name}-edge1`),
    );
    await upkeep.close();
  });

  test('a refresh that fails is told once, and again when it fails otherwise', async () => {
    const world = newWorld();
    const { upkeep, told } = upkeepOf(world);
    const desired = wishes([manifest('web')]);
    for (const problem of ['one', 'one', '', 'one', 'two']) {
      world.problem = problem;
      upkeep.look(desired, allOf(desired), NODE);
      await settled();
    }
    assert.deepEqual(
      told.map(({ reason, message }) => [reason, message]),
      [
        ['FailedMount', 'one'],
        ['FailedMount', 'one'],
        ['FailedMount', 'two'],
      ],
    );
    await upkeep.close();
  });

  test('pods without a limit are never measured', async () => {
    const world = newWorld();
    const { upkeep } = upkeepOf(world);
    const memory = { medium: 'Memory', sizeLimit: '1Mi' };
    const desired = wishes([
      manifest('web', { spec: { volumes: [{ name: 'm', emptyDir: memory }, { name: 'd' }] } }),
    ]);
    upkeep.look(desired, allOf(desired), NODE);
    await settled();
    assert.equal(world.measured, 0);
    await upkeep.close();
  });

  test('P22: over the limit the pod is ended, waits as Evicted, and may begin again', async () => {
    const world = newWorld();
    const { upkeep, pass, changes } = upkeepOf(world);
    const limited = { volumes: [{ name: 'd', emptyDir: { sizeLimit: '1Mi' } }] };
    const desired = wishes([manifest('web', { spec: limited })]);
    const present = allOf(desired);
    assert.equal(upkeep.judge(desired, present).pods.length, 1);
    upkeep.look(desired, present, NODE);
    await settled();
    assert.equal(changes(), 0);
    world.overruns = [{ volume: 'd', sizeLimit: '1Mi', usedBytes: 2 ** 21 }];
    pass(10_000);
    await settled();
    assert.equal(changes(), 1);
    const ending = upkeep.judge(desired, present);
    assert.deepEqual(ending.pods, []);
    upkeep.look(ending, present, NODE);
    const waiting = upkeep.judge(desired, new Set());
    assert.equal(waiting.pods[0]?.rejection?.reason, 'Evicted');
    pass(10_000);
    assert.equal(upkeep.judge(desired, new Set()).pods[0]?.rejection, null);
    await upkeep.close();
  });

  const limits = { volumes: [{ name: 'd', emptyDir: { sizeLimit: '1Mi' } }] };
  const reasonIn = ({ pods }: Desired) => pods[0]?.rejection?.reason ?? null;

  /** An agent that has just found the pod over its limit, and ends without a word. */
  async function killedAfterEviction() {
    const world = newWorld();
    world.overruns = [{ volume: 'd', sizeLimit: '1Mi', usedBytes: 2 ** 21 }];
    const place = { dataDir: newDir(), time: handClock() };
    const desired = wishes([manifest('web', { spec: limits })]);
    const { upkeep } = upkeepOf(world, place);
    upkeep.look(desired, allOf(desired), NODE);
    await settled();
    await upkeep.close();
    return { desired, place, next: () => upkeepOf(newWorld(), place) };
  }

  test('P22: a new agent goes on ending an evicted pod, and lets it wait as long', async () => {
    const { desired, next } = await killedAfterEviction();
    const { upkeep, pass } = next();
    // The engine was not looked at and no source has spoken: nothing is concluded from that.
    upkeep.judge({ ...desired, pods: [], complete: false }, null);
    upkeep.judge({ ...desired, pods: [], complete: false }, allOf(desired));
    assert.deepEqual(upkeep.judge(desired, allOf(desired)).pods, []);
    assert.equal(reasonIn(upkeep.judge(desired, new Set())), 'Evicted');
    pass(9_000);
    assert.equal(reasonIn(next().upkeep.judge(desired, new Set())), 'Evicted');
    pass(1_000);
    assert.equal(reasonIn(next().upkeep.judge(desired, new Set())), null);
  });

  test('P19, P22: retried by hand it begins at once, and a clock that was put back does not hold it up', async () => {
    const { desired, next } = await killedAfterEviction();
    const { upkeep, pass } = next();
    upkeep.judge(desired, new Set());
    pass(-300_000);
    assert.equal(reasonIn(upkeep.judge(desired, new Set())), 'Evicted');
    pass(10_000);
    assert.equal(reasonIn(upkeep.judge(desired, new Set())), null);
    pass(-5_000);
    assert.equal(reasonIn(upkeep.judge(desired, new Set())), 'Evicted');
    upkeep.retry(desired.pods);
    assert.equal(reasonIn(upkeep.judge(desired, new Set())), null);
  });

  test('a record that cannot be read is as good as none', async () => {
    const { desired, place, next } = await killedAfterEviction();
    writeFileSync(join(place.dataDir, 'evictions.json'), '{"version":1,"pods":[{"uid":1}]}');
    assert.equal(reasonIn(next().upkeep.judge(desired, new Set())), null);
    writeFileSync(join(place.dataDir, 'evictions.json'), '{"vers');
    assert.equal(reasonIn(next().upkeep.judge(desired, new Set())), null);
  });

  test('P17, P22: with restartPolicy Never it has ended for good, as Failed and Evicted', async () => {
    const world = newWorld();
    const { upkeep, pass, told, completions } = upkeepOf(world);
    const volumes = [{ name: 'd', emptyDir: { sizeLimit: '1Mi' } }];
    const desired = wishes([manifest('job', { spec: { volumes, restartPolicy: 'Never' } })]);
    world.overruns = [{ volume: 'd', sizeLimit: '1Mi', usedBytes: 2 ** 21 }];
    upkeep.look(desired, allOf(desired), NODE);
    for (const _ of [1, 2]) {
      await settled();
      pass(10_000);
    }
    await settled();
    assert.deepEqual(upkeep.judge(desired, new Set()).pods, desired.pods);
    const [end, ...others] = completions.of(desired.pods).values();
    assert.deepEqual([end?.phase, end?.reason, others.length], ['Failed', 'Evicted', 0]);
    assert.deepEqual(
      told.map(({ reason, message }) => [reason, message]),
      [['Evicted', end?.message]],
    );
    await upkeep.close();
  });
});
