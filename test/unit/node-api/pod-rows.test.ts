/** What `flotilla-agent pods` prints of a pod, which is what kubectl's printer would print. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { podRows } from '../../../agent/cli/pods.js';

const running = { running: { startedAt: '2026-01-01T00:00:00Z' } };
const status = (name: string, more: object) => ({
  name,
  image: 'i',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...more,
});

function pod(more: { deletionTimestamp?: string; initState?: object; appState?: object }): Pod {
  return {
    metadata: {
      name: 'web-n1',
      namespace: 'default',
      ...(more.deletionTimestamp ? { deletionTimestamp: more.deletionTimestamp } : {}),
    },
    spec: {
      initContainers: [
        { name: 'prepare', image: 'i' },
        { name: 'side', image: 'i', restartPolicy: 'Always' },
      ],
      containers: [{ name: 'app', image: 'i' }],
    },
    status: {
      phase: 'Running',
      startTime: '2026-01-01T00:00:00Z',
      initContainerStatuses: [
        status('prepare', more.initState ?? { state: { terminated: { exitCode: 0 } } }),
        status('side', { state: running, started: true, ready: true }),
      ],
      containerStatuses: [status('app', more.appState ?? { state: running, ready: true })],
    },
  };
}

const rows: [string, Pod, string, string][] = [
  ['a sidecar counts among the containers', pod({}), '2/2', 'Running'],
  [
    'an init container that runs is what the pod is at',
    pod({ initState: { state: running } }),
    '0/2',
    'Init:0/2',
  ],
  [
    'a container that waits says why',
    pod({ appState: { state: { waiting: { reason: 'ImagePullBackOff' } } } }),
    '1/2',
    'ImagePullBackOff',
  ],
  ['a pod that ends', pod({ deletionTimestamp: '2026-01-01T00:00:01Z' }), '2/2', 'Terminating'],
];

for (const [sentence, value, ready, text] of rows) {
  test(sentence, () => {
    const [, row] = podRows([value], { now: Date.parse('2026-01-01T00:01:00Z'), wide: false });
    assert.deepEqual(row, ['default', 'web-n1', ready, text, '0', '60s']);
  });
}
