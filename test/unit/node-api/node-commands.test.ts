/** What the commands at the device print and which pod and container they take a name for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { chosenContainer } from '../../../agent/cli/logs.js';
import { podRows, podsNamed } from '../../../agent/cli/pods.js';

const NOW = Date.parse('2026-01-02T00:00:00Z');

function podOf(name: string, namespace = 'default', change: Partial<Pod> = {}): Pod {
  return {
    metadata: { name, namespace },
    spec: { nodeName: 'n1', containers: [{ name: 'app' }] },
    status: { phase: 'Pending' },
    ...change,
  };
}

test('flotilla-agent pods shows what kubectl shows: sidecars counted, init containers told', () => {
  const startTime = '2026-01-01T23:58:00Z' as unknown as never;
  const pod: Pod = {
    metadata: {
      name: 'web-n1',
      namespace: 'default',
      annotations: { 'kubernetes.io/config.source': 'file' },
    },
    spec: {
      initContainers: [{ name: 'side', restartPolicy: 'Always' }, { name: 'init' }],
      containers: [{ name: 'app' }],
    },
    status: {
      phase: 'Pending',
      startTime,
      podIP: '172.17.0.9',
      initContainerStatuses: [
        {
          name: 'side',
          image: '',
          imageID: '',
          ready: true,
          started: true,
          restartCount: 0,
          state: { running: {} },
        },
        { name: 'init', image: '', imageID: '', ready: false, restartCount: 0, state: {} },
      ],
    },
  };
  const cells = ['default', 'web-n1', '1/2', 'Init:1/2', '0', '2m'];
  assert.deepEqual(podRows([pod], { now: NOW, wide: false })[1], cells);
  assert.deepEqual(podRows([pod], { now: NOW, wide: true })[1], [...cells, '172.17.0.9', 'file']);
});

describe('flotilla-agent pods NAME', () => {
  const pods = [
    podOf('web-n1'),
    podOf('web-n1', 'shop'),
    podOf('web-n1-n1'),
    podOf('web-two-n1'),
    podOf('db-n1'),
  ];
  const rows: readonly (readonly [string, string | null, string | null, readonly string[]])[] = [
    ['no name is all', null, null, pods.map(one => one.metadata?.name ?? '')],
    ['without the node’s suffix', 'db', null, ['db-n1']],
    ['with it', 'pod/db-n1', null, ['db-n1']],
    ['the whole name goes before the suffixed one', 'web-n1', 'default', ['web-n1']],
    ['in all namespaces', 'web', null, ['web-n1', 'web-n1']],
    ['in one namespace', 'web', 'shop', ['web-n1']],
    ['another pod that only begins so is not meant', 'web-t', null, []],
  ];
  for (const [sentence, name, namespace, expected] of rows) {
    test(sentence, () => {
      const found = podsNamed(pods, { name, namespace });
      assert.deepEqual(
        found.map(one => one.metadata?.name),
        expected,
      );
    });
  }
});

describe('flotilla-agent logs without a container takes kubectl’s choice', () => {
  const containers = [{ name: 'app' }, { name: 'beside' }];
  const rows: readonly (readonly [string, Pod, string, string | null])[] = [
    ['the only one, without a word', podOf('web-n1'), 'app', null],
    [
      'the first of several, and says so',
      podOf('web-n1', 'default', { spec: { initContainers: [{ name: 'init' }], containers } }),
      'app',
      'Defaulted container "app" out of: app, beside, init (init)',
    ],
    [
      'the one that is annotated',
      podOf('web-n1', 'default', {
        metadata: {
          name: 'web-n1',
          annotations: { 'kubectl.kubernetes.io/default-container': 'beside' },
        },
        spec: { containers },
      }),
      'beside',
      null,
    ],
  ];
  for (const [sentence, pod, container, note] of rows) {
    test(sentence, () => assert.deepEqual(chosenContainer(pod), { container, note }));
  }
});
