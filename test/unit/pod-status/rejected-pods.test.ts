/** The status of a pod that admission rejects or holds, before it runs and while it does. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UPDATE_REJECTED } from '../../../agent/pods/pod-status.js';
import { containerOf } from '../../support/pods.js';
import { one, plain, shown } from '../../support/shown-status.js';

describe('row 179: a pod that admission rejects', () => {
  const rejection = {
    phase: 'Failed',
    reason: 'NodePorts',
    message: 'host port 80 is taken by default/other',
    againAt: null,
  } as const;

  test('is Failed with the reason and has no containers', () => {
    const status = shown({ ...plain, rejection }, []);
    assert.equal(status.phase, 'Failed');
    assert.equal(status.reason, 'NodePorts');
    assert.equal(status.message, 'Pod was rejected: host port 80 is taken by default/other');
    assert.equal(status.containerStatuses, undefined);
  });

  test('P22: is in the words of an eviction when it was ended for what it used', () => {
    const message = 'Usage of EmptyDir volume "d" exceeds the limit "5Mi".';
    const evicted = { ...rejection, reason: 'Evicted', message } as const;
    const status = shown({ ...plain, rejection: evicted }, []);
    assert.deepEqual([status.phase, status.reason], ['Failed', 'Evicted']);
    assert.equal(status.message, message);
    const conditions = status.conditions?.map(({ type, reason }) => [type, reason]);
    assert.deepEqual(conditions?.slice(0, 4), [
      ['DisruptionTarget', 'TerminationByKubelet'],
      ['PodReadyToStartContainers', undefined],
      ['Initialized', undefined],
      ['Ready', 'PodFailed'],
    ]);
  });

  test('or is Pending when it only has to wait', () => {
    const waits = { ...rejection, phase: 'Pending', reason: 'MissingConfigMap' } as const;
    const status = shown({ ...plain, rejection: waits }, []);
    assert.equal(status.phase, 'Pending');
    assert.deepEqual([status.reason, status.message], [waits.reason, waits.message]);
    assert.deepEqual(one(status, 'app').state, {
      waiting: { reason: 'ContainerCreating', message: waits.message },
    });
  });

  for (const [says, phase, type, other] of [
    ['rejected', 'Failed', UPDATE_REJECTED, 'UpdateWaiting'],
    ['waiting', 'Pending', 'UpdateWaiting', UPDATE_REJECTED],
  ] as const) {
    test(`as an edit of a pod that runs: it runs on and says that the update is ${says}`, () => {
      const held = { ...rejection, phase };
      const status = shown({ ...plain, rejection: held }, [containerOf(plain, 'app')]);
      assert.equal(status.phase, 'Running');
      const told = status.conditions?.find(one => one.type === type);
      assert.deepEqual([told?.status, told?.reason], ['True', 'NodePorts']);
      assert.ok(!status.conditions?.some(one => one.type === other));
    });
  }

  const afterReboot = [containerOf(plain, 'app', { state: 'exited', exitCode: 137, attempt: 3 })];

  test('after a start of the node it is no update: Failed with the reason, its counts known', () => {
    const status = shown({ ...plain, rejection }, afterReboot, { isAsleep: true });
    assert.deepEqual([status.phase, status.reason], ['Failed', 'NodePorts']);
    assert.equal(one(status, 'app').restartCount, 3);
  });

  test('nor is what waits for another pod then: the status says what for', () => {
    const waits = { ...rejection, phase: 'Pending', reason: 'WaitingFor' } as const;
    const status = shown({ ...plain, rejection: waits }, afterReboot, { isAsleep: true });
    assert.equal(status.reason, 'WaitingFor');
    assert.ok(!status.conditions?.some(({ type }) => type.startsWith('Update')));
  });

  test('row 63 better, P5: so does one whose manifest was edited and refused', () => {
    const fault = { reason: 'Syntax', message: 'web.yaml:8:40: …' };
    const refusedEdit = { ...fault, content: 'of what was typed' };
    const status = shown({ ...plain, refusedEdit }, [containerOf(plain, 'app')]);
    assert.equal(status.phase, 'Running');
    const told = status.conditions?.find(({ type }) => type === UPDATE_REJECTED);
    assert.deepEqual(
      [told?.status, told?.reason, told?.message],
      ['True', ...Object.values(fault)],
    );
  });
});
