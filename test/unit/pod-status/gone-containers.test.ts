/** The state of containers that are gone, and of a pod that is over: nothing that was shown is forgotten. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerStatus, PodStatus } from '../../../protocol/pod.js';
import { containerOf, manifest, T0, wish } from '../../support/pods.js';
import { exited, never, one, plain, shown } from '../../support/shown-status.js';

describe('row 197: a container that is gone', () => {
  const before = (state: ContainerStatus['state'], lastState = {}): PodStatus => ({
    phase: 'Running',
    containerStatuses: [
      {
        name: 'app',
        image: 'busybox:1',
        imageID: 'docker://sha256:aa',
        containerID: 'docker://gone',
        ready: true,
        started: true,
        restartCount: 2,
        ...(state === undefined ? {} : { state }),
        lastState,
      },
    ],
  });
  const runs = { app: { id: 'gone', attempt: 2, createdAt: T0, restarts: 2 } };

  test('and was running: it waits, its last run ended nobody knows how, the count goes up', () => {
    const status = shown(plain, [], { previous: before({ running: {} }), runs });
    const app = one(status, 'app');
    assert.deepEqual(app.state, { waiting: { reason: 'ContainerCreating' } });
    assert.deepEqual(app.lastState, {
      terminated: {
        exitCode: 137,
        reason: 'ContainerStatusUnknown',
        message:
          'The container could not be located when the pod was deleted.  ' +
          'The container used to be Running',
      },
    });
    assert.equal(app.restartCount, 3);
    assert.equal(status.phase, 'Running');
  });

  test('of a pod that is over: it stays as it was shown', () => {
    const ended = { terminated: { exitCode: 0, reason: 'Completed', message: 'bye' } };
    const status = shown(never, [], {
      previous: before(ended),
      runs,
      completion: { phase: 'Succeeded', reason: '', message: '' },
    });
    const app = one(status, 'app');
    assert.deepEqual(app.state, ended);
    assert.deepEqual([app.restartCount, app.containerID], [2, 'docker://gone']);
    assert.equal(status.phase, 'Succeeded');
  });

  test('and the run before the newest was removed: it is remembered', () => {
    const ended = { terminated: { exitCode: 9, containerID: 'docker://gone' } };
    const next = containerOf(plain, 'app', { attempt: 3 });
    const status = shown(plain, [next], { previous: before(ended), runs });
    assert.deepEqual(one(status, 'app').lastState, ended);
  });

  test('and the engine does not know its state: it ended with 137', () => {
    const app = one(shown(never, [containerOf(never, 'app', { state: 'unknown' })]), 'app');
    assert.equal(app.state?.terminated?.reason, 'ContainerStatusUnknown');
    assert.equal(app.state.terminated.exitCode, 137);
  });
});

describe('row 192: a pod that is over', () => {
  test('row 189: past its deadline it is Failed and nothing waits to run again', () => {
    const completion = {
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    } as const;
    const status = shown(plain, [exited(plain, 'app', 137)], { completion });
    assert.equal(status.phase, 'Failed');
    assert.equal(status.reason, 'DeadlineExceeded');
    assert.equal(status.message, completion.message);
    assert.equal(one(status, 'app').state?.terminated?.exitCode, 137);
    assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.reason, 'PodFailed');
  });

  test('stays so whatever its containers do', () => {
    const completion = { phase: 'Succeeded', reason: '', message: '' } as const;
    assert.equal(shown(never, [containerOf(never, 'app')], { completion }).phase, 'Succeeded');
  });

  test('is not over when an edit is about to run', () => {
    const status = shown(never, [exited(never, 'app', 0, { hash: 'former' })]);
    assert.equal(status.phase, 'Running');
    assert.equal(one(status, 'app').state?.waiting?.reason, 'ContainerCreating');
    assert.equal(one(status, 'app').lastState?.terminated?.exitCode, 0);
  });
});

describe('row 197: a container that never ran, of a pod that is over', () => {
  const completion = { phase: 'Failed', reason: 'DeadlineExceeded', message: 'too long' } as const;

  test('is lost, whether it was made or not', () => {
    for (const there of [[], [containerOf(plain, 'app', { state: 'created' })]]) {
      const { terminated } = one(shown(plain, there, { completion }), 'app').state ?? {};
      assert.deepEqual([terminated?.exitCode, terminated?.reason], [137, 'ContainerStatusUnknown']);
      assert.match(terminated?.message ?? '', /could not be located when the pod was terminated/);
    }
  });

  test('began after all: its first run has no other before it', () => {
    const previous = shown(plain, [], { completion });
    const there = [containerOf(plain, 'app', { state: 'exited', exitCode: 137 })];
    const app = one(shown(plain, there, { completion, previous }), 'app');
    assert.equal(app.state?.terminated?.reason, 'Error');
    assert.deepEqual(app.lastState, {});
  });

  test('still waits behind an init container that did not succeed', () => {
    const pod = wish(manifest('deep', { spec: { initContainers: [{ name: 'i', image: 'b:1' }] } }));
    const there = [containerOf(pod, 'i', { state: 'exited', exitCode: 1 })];
    const status = shown(pod, there, { completion });
    assert.equal(one(status, 'app').state?.waiting?.reason, 'PodInitializing');
  });
});
