/** When a disk counts as nearly full, and how it is noticed although nobody writes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { placesOf } from '../../../agent/disk/node.js';
import { pressureConditions, shortages, type Shortage } from '../../../agent/disk/pressure.js';
import { LOOK_EVERY_MS, watchDisks, type Measured } from '../../../agent/disk/watch.js';
import { RuntimeError } from '../../../agent/runtime/runtime.js';
import type { Clock } from '../../../protocol/ports.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const room = (totalBytes: number, availableBytes: number, totalInodes = 0, freeInodes = 0) => {
  return { totalBytes, availableBytes, totalInodes, freeInodes };
};

describe('a disk is nearly full', () => {
  const rows: readonly (readonly [string, ReturnType<typeof room>, Shortage[], Shortage[]])[] = [
    ['not with a tenth left', room(8 * GIB, 0.8 * GIB), [], []],
    ['with less', room(8 * GIB, 0.8 * GIB - 1), [], ['space']],
    ['a large one not with 1 GiB left', room(1000 * GIB, GIB), [], []],
    ['a large one with less', room(1000 * GIB, GIB - 1), [], ['space']],
    ['with nothing left', room(64 * MIB, 0), [], ['space']],
    ['still, as long as no quarter more is there', room(1000 * GIB, GIB), ['space'], ['space']],
    ['no more with a quarter more', room(1000 * GIB, 1.25 * GIB), ['space'], []],
    ['not with a twentieth of its inodes', room(GIB, GIB, 100_000, 5_000), [], []],
    ['with fewer', room(GIB, GIB, 100_000, 4_999), [], ['inodes']],
    ['of many inodes not with 10,000', room(GIB, GIB, 10_000_000, 10_000), [], []],
    ['not for inodes where there is no such number', room(GIB, GIB, 0, 0), [], []],
    ['with neither', room(GIB, 0, 1000, 0), [], ['space', 'inodes']],
  ];
  for (const [sentence, found, before, expected] of rows) {
    test(sentence, () => assert.deepEqual([...shortages(found, new Set(before))], expected));
  }

  test('and says which, what lies there, and how much is left, in steps', () => {
    const places = [
      { what: 'the journal', path: '/d' },
      { what: 'the engine', path: '/e' },
    ];
    const said = (left: number) =>
      pressureConditions([
        { places, room: room(8 * GIB, left), short: new Set<Shortage>(['space']) },
        { places, room: room(8 * GIB, 8 * GIB), short: new Set<Shortage>() },
      ]);
    assert.deepEqual(said(100 * MIB), [
      {
        ...{ type: 'DiskPressure', status: 'True', reason: 'SpaceLow' },
        message: 'the journal (/d) and the engine (/e): less than 164 MiB of 8.0 GiB is left',
      },
    ]);
    assert.deepEqual(said(90 * MIB), said(100 * MIB));
    assert.notDeepEqual(said(50 * MIB), said(100 * MIB));
    assert.deepEqual(pressureConditions([]), []);
  });
});

/** Each sleep ends when the test says so. */
function stepClock() {
  let waiting: { readonly ms: number; readonly wake: () => void }[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: (ms, signal) =>
      new Promise(resolve => {
        waiting.push({ ms, wake: resolve });
        signal?.addEventListener('abort', () => resolve());
      }),
  };
  const settled = () => new Promise(resolve => setImmediate(resolve));
  const wake = async (ms: number) => {
    const due = waiting.filter(one => one.ms === ms);
    waiting = waiting.filter(one => one.ms !== ms);
    for (const one of due) one.wake();
    for (let turn = 0; turn < 5; turn++) await settled();
  };
  return { clock, wake };
}

describe('the look at the disks', () => {
  const LOG = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const disk = (id: string, left: number): Measured => ({ id, room: room(GIB, left) });

  test('comes once a minute, tells what became other, and asks of each file system once', async () => {
    const { clock, wake } = stepClock();
    const left = new Map([
      ['/data', disk('a', GIB)],
      ['/manifests', disk('a', GIB)],
      ['/engine', disk('b', GIB)],
    ]);
    let changes = 0;
    const places = [...left.keys()].map(path => ({ what: path.slice(1), path }));
    const watch = watchDisks({
      ...{ places: () => places, clock, log: LOG },
      measure: async path => left.get(path) ?? disk('', 0),
      onChange: () => changes++,
    });
    await wake(0);
    assert.deepEqual([changes, watch.conditions()], [0, []]);
    for (const path of ['/data', '/manifests']) left.set(path, disk('a', 1000));
    await wake(LOOK_EVERY_MS);
    assert.equal(changes, 1);
    assert.match(
      watch.conditions()[0]?.message ?? '',
      /^data \(\/data\) and manifests \(\/manifests\): less than 10\.2 MiB of 1\.0 GiB is left$/,
    );
    await wake(LOOK_EVERY_MS);
    assert.equal(changes, 1, 'the same is nothing new');
    for (const path of ['/data', '/manifests']) left.set(path, disk('a', 110 * MIB));
    await wake(LOOK_EVERY_MS);
    assert.equal(watch.conditions().length, 1, 'a little more is no end of it');
    for (const path of ['/data', '/manifests']) left.set(path, disk('a', 200 * MIB));
    await wake(LOOK_EVERY_MS);
    assert.deepEqual(watch.conditions(), []);
    watch.stop();
  });

  test('one that does not answer holds nothing up, and is not asked twice at once', async () => {
    const { clock, wake } = stepClock();
    const asked: string[] = [];
    const watch = watchDisks({
      places: () => ['/hangs', '/gone', '/data'].map(path => ({ what: path, path })),
      ...{ clock, log: LOG, onChange: () => undefined },
      measure: path => {
        asked.push(path);
        if (path === '/hangs') return new Promise(() => undefined);
        return path === '/gone'
          ? Promise.reject(new Error('ENOENT'))
          : Promise.resolve(disk('a', 0));
      },
    });
    await wake(10_000);
    assert.match(watch.conditions()[0]?.message ?? '', /^\/data /);
    await wake(LOOK_EVERY_MS);
    await wake(10_000);
    assert.equal(asked.filter(path => path === '/hangs').length, 1);
    assert.equal(asked.filter(path => path === '/data').length, 2);
    watch.stop();
  });

  test('one that was nearly full and does not answer any more is not taken for one with room', async () => {
    const { clock, wake } = stepClock();
    let isWell = true;
    const watch = watchDisks({
      places: () => [{ what: '/data', path: '/data' }],
      ...{ clock, log: LOG, onChange: () => undefined },
      measure: () => (isWell ? Promise.resolve(disk('a', 0)) : Promise.reject(new Error('EIO'))),
    });
    await wake(0);
    assert.equal(watch.conditions().length, 1);
    isWell = false;
    await wake(LOOK_EVERY_MS);
    assert.equal(watch.conditions().length, 1);
    watch.stop();
  });

  test('the engine is asked for its directory until it answers', async () => {
    let asked = 0;
    const engineDirectory = () =>
      ++asked === 1
        ? Promise.reject(new RuntimeError('EngineUnavailable', 'no engine'))
        : Promise.resolve({ path: '/var/lib/docker' });
    const places = placesOf({ dataDir: '/d', staticPodPath: '/m', engineDirectory });
    const counts: number[] = [];
    for (let look = 0; look < 4; look++) {
      counts.push(places().length);
      await new Promise(resolve => setImmediate(resolve));
    }
    assert.deepEqual([counts, asked], [[2, 2, 3, 3], 2]);
    const none = placesOf({ dataDir: '/d', staticPodPath: '/m', engineDirectory: null });
    assert.equal(none().length, 2);
  });
});
