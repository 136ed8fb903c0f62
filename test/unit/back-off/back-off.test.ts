/** Delays between restarts and retries: the kubelet's numbers, and what is derived after a restart of the agent. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  crashKey,
  EMPTY_MEMORY,
  failureKey,
  forget,
  goDuration,
  nextRestartDelay,
  noteExits,
  noteFailure,
  notePutBack,
  noteSuccess,
  restartDueAt,
  retryConfig,
  type Memory,
} from '../../../agent/pods/back-off.js';
import type { ObservedContainer } from '../../../agent/runtime/runtime.js';
import { containerOf, manifest, T0, wish } from '../../support/pods.js';

const pod = wish(manifest('web'));
const key = crashKey(pod.uid, 'app', pod.containerHashes.get('app') ?? '');
const S = 1000;

/** A run of `ranS` seconds from `fromS` after T0. */
function run(attempt: number, fromS: number, ranS: number, change = {}): ObservedContainer {
  const createdAt = new Date(T0 + fromS * S);
  const finishedAt = new Date(T0 + (fromS + ranS) * S);
  return containerOf(pod, 'app', { state: 'exited', attempt, createdAt, finishedAt, ...change });
}

function delayAfter(memory: Memory, ...containers: ObservedContainer[]): number | undefined {
  return noteExits(memory, { sandboxes: [], containers }, T0).crashes.get(key)?.delayMs;
}

describe('the restart back-off', () => {
  test('row 84: waits 0, 10, 20, 40, 80, 160, 300, 300 s', () => {
    const delays: number[] = [];
    let delay: number | null = null;
    for (let i = 0; i < 8; i++) delays.push((delay = nextRestartDelay(delay)) / S);
    assert.deepEqual(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
  });

  test('doubles with each crash that is seen, and judges each run once', () => {
    let memory = EMPTY_MEMORY;
    const delays: (number | undefined)[] = [];
    for (let attempt = 0; attempt < 5; attempt++) {
      const containers = [run(attempt, attempt * 1000, 1)];
      memory = noteExits(memory, { sandboxes: [], containers }, T0);
      assert.deepEqual(
        noteExits(memory, { sandboxes: [], containers }, T0 + 5).crashes,
        memory.crashes,
      );
      delays.push(memory.crashes.get(key)?.delayMs);
    }
    assert.deepEqual(delays, [0, 10 * S, 20 * S, 40 * S, 80 * S]);
  });

  test('row 86: begins again after a run of more than ten minutes', () => {
    const memory = noteExits(EMPTY_MEMORY, { sandboxes: [], containers: [run(7, 0, 1)] }, T0);
    assert.equal(delayAfter(memory, run(8, 400, 601)), 0);
    assert.equal(delayAfter(memory, run(8, 400, 599)), 300 * S);
  });

  test('row 87: begins again when the container was edited', () => {
    const memory = noteExits(EMPTY_MEMORY, { sandboxes: [], containers: [run(7, 0, 1)] }, T0);
    const other = noteExits(
      memory,
      { sandboxes: [], containers: [run(8, 400, 1, { hash: 'new' }), run(7, 0, 1)] },
      T0,
    );
    assert.equal(other.crashes.get(crashKey(pod.uid, 'app', 'new'))?.delayMs, 0);
  });

  const derived: readonly [string, readonly ObservedContainer[], number][] = [
    ['a first run: no wait', [run(0, 0, 1)], 0],
    ['the run before ended just before: 10 s', [run(1, 2, 1), run(0, 0, 1)], 10],
    ['20 s had been waited: 40 s', [run(3, 22, 1), run(2, 0, 1)], 40],
    ['300 s had been waited: 300 s', [run(9, 302, 1), run(8, 0, 1)], 300],
    ['the run before was long: 10 s', [run(3, 702, 1), run(2, 0, 700)], 10],
    ['the run before is gone: by the count', [run(3, 700, 1)], 40],
    ['this run was long: no wait', [run(9, 302, 700), run(8, 0, 1)], 0],
  ];
  for (const [says, containers, delayS] of derived) {
    test(`derived after a restart of the agent, ${says}`, () => {
      assert.equal(delayAfter(EMPTY_MEMORY, ...containers), delayS * S);
    });
  }

  test('row 85: counts from the end of the run; a clock that was put back holds nothing up', () => {
    const ended = run(1, 0, 5);
    const crash = { containerId: ended.id, delayMs: 10 * S, seenAt: T0 + 6 * S };
    assert.equal(restartDueAt(ended, crash, { now: T0 + 6 * S }), T0 + 15 * S);
    assert.equal(restartDueAt(ended, crash, { now: T0 - 3600 * S }), 0);
    assert.equal(restartDueAt(ended, { ...crash, seenAt: T0 }, { now: T0 + S }), T0 + 10 * S);
    assert.equal(restartDueAt(ended, undefined, { now: T0 }), 0);
  });
});

describe('failures', () => {
  const image = {
    kind: 'image',
    key: failureKey('image', 'u', 'x'),
    reason: 'r',
    message: 'm',
  } as const;

  test('of pulls wait 10 s, doubling to 300 s', () => {
    let memory = EMPTY_MEMORY;
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      memory = noteFailure(memory, image, T0);
      waits.push(((memory.failures.get(image.key)?.retryAt ?? 0) - T0) / S);
    }
    assert.deepEqual(waits, [10, 20, 40, 80, 160, 300, 300]);
  });

  test('a clock that is put back holds nothing up: what waited waits as long from now on', () => {
    const what = {
      kind: 'volumes',
      key: 'uid/volumes/',
      reason: 'FailedMount',
      message: '',
    } as const;
    const failed = noteFailure(EMPTY_MEMORY, what, T0);
    const [at, back] = [T0 - 3600 * S, 3600 * S];
    assert.equal(notePutBack(failed, at).failures.get(what.key)?.retryAt, at + 0.5 * S);
    const put = notePutBack(failed, at);
    assert.equal(notePutBack(put, at), put, 'once');
    assert.equal(notePutBack(failed, T0), failed, 'a clock that goes on changes nothing');
    assert.equal(notePutBack(failed, T0 + back), failed, 'nor does one that is put forward');
    assert.equal(noteFailure(put, what, at).failures.get(what.key)?.count, 2);
  });

  test('row 127: an image that must not be pulled is looked for every 10 s, however often it was missing', () => {
    let memory = EMPTY_MEMORY;
    for (let i = 0; i < 9; i++) {
      memory = noteFailure(memory, { ...image, reason: 'ErrImageNeverPull' }, T0);
      assert.equal(memory.failures.get(image.key)?.retryAt, T0 + 10 * S);
    }
  });

  const FULL = ['ENOSPC: no space left on device, write', 'EDQUOT: disk quota exceeded, open'];
  for (const message of FULL) {
    test(`of what a disk without room does are tried again every 10 s at the latest: ${message}`, () => {
      let memory = EMPTY_MEMORY;
      const key = failureKey('volumes', 'u');
      const what = { ...image, kind: 'volumes', key, message } as const;
      const waits = Array.from({ length: 12 }, () => {
        memory = noteFailure(memory, what, T0);
        return ((memory.failures.get(key)?.retryAt ?? 0) - T0) / S;
      });
      assert.deepEqual(waits.slice(0, 7), [0.5, 1, 2, 4, 8, 10, 10]);
      assert.equal(waits.at(-1), 10);
    });
  }

  test('of mounts wait 0.5 s, doubling to 122 s', () => {
    let memory = EMPTY_MEMORY;
    const key = failureKey('volumes', 'u');
    for (let i = 0; i < 12; i++)
      memory = noteFailure(memory, { ...image, kind: 'volumes', key }, T0);
    assert.equal(memory.failures.get(key)?.retryAt, T0 + 122 * S);
  });

  test('are forgotten with success, and with their pod', () => {
    const memory = noteFailure(EMPTY_MEMORY, image, T0);
    assert.equal(noteSuccess(memory, image.key).failures.size, 0);
    assert.equal(forget(memory, new Set(['u'])).failures.size, 1);
    assert.equal(forget(memory, new Set(['v'])).failures.size, 0);
  });
});

test('goDuration prints as Go does', () => {
  assert.deepEqual(
    [10, 80, 160, 300].map(s => goDuration(s * S)),
    ['10s', '1m20s', '2m40s', '5m0s'],
  );
});

describe('a ConfigMap or Secret that comes or changes', () => {
  const fault = { kind: 'container', message: 'no' } as const;
  const noted = (reason: string) =>
    noteFailure(EMPTY_MEMORY, { ...fault, key: failureKey('container', 'u', 'app/h'), reason }, T0);

  test('ends the wait of a container whose configuration could not be made', () => {
    assert.equal(retryConfig(noted('CreateContainerConfigError')).failures.size, 0);
  });

  test('changes nothing for what failed otherwise', () => {
    const memory = noted('RunContainerError');
    assert.equal(retryConfig(memory), memory);
  });
});
