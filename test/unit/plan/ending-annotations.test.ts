/** What containers carry with them about their end, written and read again. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endingAnnotations } from '../../../agent/pods/ending-annotations.js';
import { endingOf } from '../../../agent/runtime/container-ending.js';
import type { PodSpec } from '../../../protocol/pod.js';
import { manifest, wish } from '../../support/pods.js';

const NOTHING = { preStop: null, stopOrder: 0, graceSeconds: null, round: 0 };

describe('what a container carries about its end', () => {
  test('row 72: hook with its port by number, grace, place in the order and round are read again', () => {
    const preStop = { httpGet: { port: 'http', path: '/bye' } };
    const sidecars = ['s1', 's2'].map(name => ({
      name,
      image: 'busybox:1',
      restartPolicy: 'Always',
      ports: [{ name: 'http', containerPort: 8080 }],
      lifecycle: { preStop },
    }));
    const spec: Partial<PodSpec> = { terminationGracePeriodSeconds: 7, initContainers: sidecars };
    const { pod } = wish(manifest('web', { spec }));
    const read = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(container =>
      endingOf(endingAnnotations(pod, container, 3)),
    );
    assert.deepEqual(
      read.map(({ stopOrder, graceSeconds, round }) => [stopOrder, graceSeconds, round]),
      [
        [2, 7, 3],
        [1, 7, 3],
        [0, 7, 3],
      ],
    );
    assert.equal(read[0]?.preStop?.httpGet?.port, 8080);
    assert.equal(read[2]?.preStop, null);
  });

  test('a container that says nothing, or nothing that reads, has nothing special', () => {
    assert.deepEqual(endingOf({}), NOTHING);
    const damaged = {
      'io.kubernetes.container.preStopHandler': '{"exec":',
      'io.kubernetes.pod.terminationGracePeriod': 'long',
      'flotilla.dev/stop-order': '-1',
      'flotilla.dev/restart-round': '1e3',
    };
    assert.deepEqual(endingOf(damaged), NOTHING);
    assert.equal(endingOf({ 'io.kubernetes.container.preStopHandler': '[1]' }).preStop, null);
  });
});
