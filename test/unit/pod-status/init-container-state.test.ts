/** The state of init containers and sidecars: what is there and what is known → what is shown of each. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { INIT_CONTAINER_GONE } from '../../../agent/pods/container-state.js';
import { containerOf } from '../../support/pods.js';
import { exited, NOW, one, plain, shown, withInit } from '../../support/shown-status.js';

const withPlainInit = withInit(plain, [{ name: 'first' }, { name: 'second' }]);
const withSidecar = withInit(plain, [{ name: 'proxy', restartPolicy: 'Always' }]);

describe('row 195: while init containers run', () => {
  test('those that come later wait with PodInitializing, in the order of the manifest', () => {
    const status = shown(withPlainInit, [containerOf(withPlainInit, 'first')]);
    assert.deepEqual(
      status.initContainerStatuses?.map(({ name, state }) => [name, Object.keys(state ?? {})[0]]),
      [
        ['first', 'running'],
        ['second', 'waiting'],
      ],
    );
    assert.deepEqual(one(status, 'second').state, { waiting: { reason: 'PodInitializing' } });
    assert.deepEqual(one(status, 'app').state, { waiting: { reason: 'PodInitializing' } });
    assert.equal(status.phase, 'Pending');
    const { ready, started } = one(status, 'first');
    assert.deepEqual([ready, started], [false, true]);
    const initialized = status.conditions?.find(({ type }) => type === 'Initialized');
    assert.equal(initialized?.message, 'containers with incomplete status: [first second]');
  });

  test('one that succeeded is ready and not started', () => {
    const status = shown(withPlainInit, [
      exited(withPlainInit, 'first', 0),
      containerOf(withPlainInit, 'second'),
    ]);
    const { ready, started, state } = one(status, 'first');
    assert.deepEqual([ready, started], [true, false]);
    assert.equal(state?.terminated?.reason, 'Completed');
  });

  test('row 117: one that failed waits for its next try, the phase is Pending', () => {
    const runs = [0, 1].map(attempt =>
      exited(withPlainInit, 'first', 1, { attempt, createdAt: new Date(NOW - 2000 + attempt) }),
    );
    const status = shown(withPlainInit, runs);
    assert.equal(one(status, 'first').state?.waiting?.reason, 'CrashLoopBackOff');
    assert.equal(status.phase, 'Pending');
    assert.deepEqual(
      status.conditions?.find(({ type }) => type === 'Initialized')?.message,
      'containers with incomplete status: [first second]',
    );
  });

  test('row 118: with a new sandbox they are to run again', () => {
    const status = shown(
      withPlainInit,
      [
        exited(withPlainInit, 'first', 0),
        exited(withPlainInit, 'second', 0),
        exited(withPlainInit, 'app', 1),
      ],
      { sandbox: 'new' },
    );
    const first = one(status, 'first');
    assert.deepEqual(first.state, { waiting: { reason: 'PodInitializing' } });
    assert.equal(first.lastState?.terminated?.exitCode, 0);
  });

  test('row 119: one that was removed after the pod was initialized counts as completed', () => {
    const status = shown(withPlainInit, [
      exited(withPlainInit, 'second', 0),
      containerOf(withPlainInit, 'app'),
    ]);
    const first = one(status, 'first');
    assert.deepEqual(first.state, {
      terminated: { exitCode: 0, reason: 'Completed', message: INIT_CONTAINER_GONE },
    });
    assert.equal(first.ready, true);
    assert.equal(status.phase, 'Running');
    assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  });
});

describe('row 121: a sidecar', () => {
  test('that crashes takes readiness away and leaves the phase alone', () => {
    const runs = [0, 1].map(attempt =>
      exited(withSidecar, 'proxy', 1, { attempt, createdAt: new Date(NOW - 2000 + attempt) }),
    );
    const status = shown(withSidecar, [...runs, containerOf(withSidecar, 'app')]);
    assert.equal(status.phase, 'Running');
    assert.equal(one(status, 'proxy').state?.waiting?.reason, 'CrashLoopBackOff');
    assert.equal(
      status.conditions?.find(({ type }) => type === 'Ready')?.message,
      'containers with unready status: [proxy]',
    );
  });

  test('is started and ready as its probes say', () => {
    const proxy = containerOf(withSidecar, 'proxy');
    const health = new Map([[proxy.id, { started: false, ready: false, kill: null }]]);
    const status = shown(withSidecar, [proxy], { health });
    assert.deepEqual([one(status, 'proxy').started, one(status, 'proxy').ready], [false, false]);
    assert.equal(status.phase, 'Pending');
  });
});
