/** What happens to volumes while their pods run: files follow, limits hold. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CompletionBook } from '../../../agent/pods/completion-book.js';
import type { Desired } from '../../../agent/pods/desired.js';
import type { PodEvent } from '../../../agent/pods/pod-events.js';
import { MountError } from '../../../agent/volumes/mount-error.js';
import { VolumeUpkeep } from '../../../agent/volumes/upkeep.js';
import type { Overrun, PodVolumes } from '../../../agent/volumes/volumes.js';
import type { Clock } from '../../../protocol/ports.js';
import { manifest, nodeFactsOf, wishes } from '../../support/pods.js';

const NODE = nodeFactsOf();
const LOG = { info: () => undefined, warn: () => undefined, error: () => undefined };

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
  overruns: Overrun[];
  measured: number;
}

function upkeepOf(world: World) {
  const { clock, pass } = handClock();
  const told: PodEvent[] = [];
  let changes = 0;
  const volumes = {
    refresh: ({ key }: { key: string }) => {
      world.refreshed.push(key);
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
