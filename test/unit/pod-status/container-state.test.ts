/** The rest of a container’s state: messages, resources, mounts, addresses, the time of start. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EMPTY_MEMORY } from '../../../agent/pods/back-off.js';
import { podStatus } from '../../../agent/pods/pod-status.js';
import { containerOf, manifest, NOTHING_KNOWN, sandboxOf, wish } from '../../support/pods.js';
import { exited, NOW, one, plain, shown } from '../../support/shown-status.js';

describe('row 199: messages', () => {
  test('the engine’s error stands before what the program left', () => {
    const run = exited(plain, 'app', 1, { message: 'engine' });
    const status = shown(plain, [run], { messages: new Map([[run.id, 'program']]) });
    assert.equal(one(status, 'app').state?.terminated?.message, 'engine: program');
  });

  test('twelve containers share 12 KiB, and no character is cut in two', () => {
    const names = Array.from({ length: 12 }, (_, i) => ({ name: `c${i}` }));
    const pod = wish(manifest('many', { containers: names }));
    const run = exited(pod, 'c0', 1);
    const messages = new Map([[run.id, 'é'.repeat(2048)]]);
    const message = one(shown(pod, [run], { messages }), 'c0').state?.terminated?.message ?? '';
    assert.equal(message, 'é'.repeat(512));
  });
});

describe('rows 198, 201: the rest of a status', () => {
  test('resources and mounts are shown as a kubelet of Kubernetes 1.33 shows them', () => {
    const pod = wish(
      manifest('web', {
        containers: [
          {
            name: 'app',
            resources: { limits: { cpu: '100m' } },
            volumeMounts: [
              { name: 'd', mountPath: '/rw' },
              { name: 'd', mountPath: '/ro', readOnly: true },
            ],
          },
        ],
        spec: { volumes: [{ name: 'd' }] },
      }),
    );
    const app = one(shown(pod, [containerOf(pod, 'app')]), 'app');
    assert.deepEqual(app.resources, { limits: { cpu: '100m' }, requests: { cpu: '100m' } });
    assert.deepEqual(app.allocatedResources, { cpu: '100m' });
    assert.deepEqual(app.volumeMounts, [
      { name: 'd', mountPath: '/rw' },
      { name: 'd', mountPath: '/ro', readOnly: true, recursiveReadOnly: 'Disabled' },
    ]);
  });

  test('with the host’s network the pod has the node’s address', () => {
    const spec = { ...plain.pod.spec, hostNetwork: true };
    const pod = { ...plain, pod: { ...plain.pod, spec } };
    const there = {
      sandboxes: [sandboxOf(pod, { ip: '' })],
      containers: [containerOf(pod, 'app')],
    };
    const status = podStatus({
      ...NOTHING_KNOWN,
      desired: pod,
      there,
      now: NOW,
      memory: EMPTY_MEMORY,
    });
    assert.deepEqual([status.hostIP, status.podIP], ['10.0.0.7', '10.0.0.7']);
    const [begins] = status.conditions ?? [];
    assert.deepEqual([begins?.type, begins?.status], ['PodReadyToStartContainers', 'True']);
  });

  test('row 75: the time of start is kept', () => {
    const startTime = '2020-01-01T00:00:00Z';
    assert.equal(shown(plain, [], { previous: { startTime } }).startTime, startTime);
  });
});
