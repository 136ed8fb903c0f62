/** When a container is shown started and ready: probes, hooks, and a container that is leaving. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  EMPTY_MEMORY,
  failureKey,
  noteFailure,
  type FailureKind,
  type Memory,
} from '../../../agent/pods/back-off.js';
import { FAILURE_SHOWN_MS } from '../../../agent/pods/container-state.js';
import { containerOf } from '../../support/pods.js';
import {
  exited,
  NOW,
  one,
  plain,
  shown,
  withInit,
  type Change,
} from '../../support/shown-status.js';

function failed(kind: FailureKind, detail: string, reason: string, at = NOW): Memory {
  const key = failureKey(kind, plain.uid, detail);
  return noteFailure(EMPTY_MEMORY, { kind, key, reason, message: 'because' }, at);
}

const own = `app/${plain.containerHashes.get('app') ?? ''}`;

describe('rows 92, 93: readiness', () => {
  const probe = { tcpSocket: { port: 80 } };
  const probed = withInit(plain, []);
  const [app] = probed.pod.spec.containers;
  const pod = {
    ...probed,
    pod: {
      ...probed.pod,
      spec: { ...probed.pod.spec, containers: [{ ...app, name: 'app', readinessProbe: probe }] },
    },
  };

  test('before the first result the container is started and not ready', () => {
    const { started, ready } = one(shown(pod, [containerOf(pod, 'app')]), 'app');
    assert.deepEqual([started, ready], [true, false]);
  });

  test('the probe’s word is shown', () => {
    const running = containerOf(pod, 'app');
    const health = new Map([[running.id, { started: true, ready: true, kill: null }]]);
    const status = shown(pod, [running], { health });
    assert.equal(one(status, 'app').ready, true);
    assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  });
});

describe('a container that is leaving is ready no more, whatever its readiness probe said last', () => {
  const running = containerOf(plain, 'app');
  const well = { started: true, ready: true, kill: null };
  const kill = { probe: 'liveness' as const, message: 'no', graceSeconds: null };
  const rows: readonly [string, Change, boolean][] = [
    ['it goes on', { health: new Map([[running.id, well]]) }, true],
    ['a probe wants it killed', { health: new Map([[running.id, { ...well, kill }]]) }, false],
    [
      'it is being stopped',
      { stops: new Map([[running.id, { since: 1, graceSeconds: 30 }]]) },
      false,
    ],
  ];
  for (const [sentence, change, ready] of rows) {
    test(`${sentence}: ${ready ? 'ready' : 'not ready'}`, () => {
      const status = shown(plain, [running], change);
      assert.ok(one(status, 'app').state?.running);
      assert.equal(one(status, 'app').ready, ready);
      const condition = status.conditions?.find(({ type }) => type === 'ContainersReady');
      assert.equal(condition?.status, ready ? 'True' : 'False');
    });
  }
});

describe('hooks', () => {
  test('row 110: while postStart runs the container is not shown running', () => {
    const running = containerOf(plain, 'app');
    const status = shown(plain, [running], { startingHooks: new Set([running.id]) });
    assert.deepEqual(one(status, 'app').state, { waiting: { reason: 'ContainerCreating' } });
    assert.equal(status.phase, 'Pending');
  });

  test('row 111: a postStart that failed is named before the wait is', () => {
    const memory = failed('container', own, 'PostStartHookError');
    const runs = [0, 1].map(attempt =>
      exited(plain, 'app', 137, {
        attempt,
        createdAt: new Date(NOW - 2000 + attempt),
        finishedAt: new Date(NOW),
      }),
    );
    const soon = one(shown(plain, runs, { memory }), 'app');
    assert.equal(soon.state?.waiting?.reason, 'PostStartHookError');
    assert.equal(soon.lastState?.terminated?.exitCode, 137);
    const later = one(shown(plain, runs, { memory, now: NOW + FAILURE_SHOWN_MS }), 'app');
    assert.equal(later.state?.waiting?.reason, 'CrashLoopBackOff');
  });
});
