/** A pod's status as a node reports it: what passes to the API, and what of it does not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reportedStatus } from '../../../hub/ingest/reported-status.js';

const CONTAINER = {
  name: 'app',
  image: 'i',
  imageID: 'docker://sha256:aa',
  containerID: 'docker://1',
  ready: true,
  started: true,
  restartCount: 2,
  state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
  lastState: { terminated: { exitCode: 1, reason: 'Error' } },
  resources: { limits: { cpu: '1' } },
  allocatedResources: { cpu: '1' },
  volumeMounts: [{ name: 'd', mountPath: '/d', readOnly: true, recursiveReadOnly: 'Disabled' }],
};

describe('a reported status', () => {
  test('of a container passes whole (row 198)', () => {
    const status = {
      phase: 'Running',
      initContainerStatuses: [{ ...CONTAINER, name: 'init' }],
      containerStatuses: [CONTAINER],
    };
    assert.deepEqual(reportedStatus(status), status);
  });

  test('keeps of nonsense what has the right type', () => {
    const odd = { ...CONTAINER, resources: { limits: 'all' }, allocatedResources: 1 };
    const volumeMounts = ['d', { name: 'd' }, { name: 'd', mountPath: '/d', readOnly: 'no' }];
    const [kept] =
      reportedStatus({ containerStatuses: [{ ...odd, volumeMounts }] }).containerStatuses ?? [];
    assert.deepEqual(kept?.resources, {});
    assert.equal(kept.allocatedResources, undefined);
    assert.deepEqual(kept.volumeMounts, [{ name: 'd', mountPath: '/d' }]);
  });
});
