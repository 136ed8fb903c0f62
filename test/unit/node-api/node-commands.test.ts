/** What the commands at the device print and which pod and container they take a name for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Event, Pod } from 'kubernetes-types/core/v1.js';
import { describePod } from '../../../agent/cli/describe.js';
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

test('flotilla-agent describe shows containers with their states, conditions, and the pod’s own events', () => {
  const at = '2026-01-01T23:58:00Z';
  const time = at as unknown as never;
  const container = { image: 'web:1', imageID: '', ready: false, restartCount: 2 };
  const pod = podOf('web-n1', 'shop', {
    metadata: {
      name: 'web-n1',
      namespace: 'shop',
      labels: { app: 'web' },
      annotations: { 'flotilla.dev/bundle': 'shop/front' },
    },
    status: {
      phase: 'Pending',
      reason: 'MissingSecret',
      message: 'spec.volumes[0].secret: secret "k" not found',
      conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: time, reason: 'Waits' }],
      initContainerStatuses: [
        { ...container, name: 'init', state: { waiting: { reason: 'PodInitializing' } } },
      ],
      containerStatuses: [
        {
          ...container,
          name: 'app',
          state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } },
          lastState: { terminated: { exitCode: 3, reason: 'Error', finishedAt: time } },
        },
      ],
    },
  });
  const event = (name: string, namespace: string, reason: string): Event => ({
    metadata: {},
    involvedObject: { kind: 'Pod', name, namespace },
    type: 'Warning',
    reason,
    message: `${reason} it`,
    lastTimestamp: time,
    source: { component: 'flotilla-agent', host: 'n1' },
  });
  const events = [
    event('web-n1', 'shop', 'BackOff'),
    event('web-n1', 'default', 'Other'),
    event('db-n1', 'shop', 'Else'),
  ];
  assert.deepEqual(describePod(pod, events, NOW), [
    'Name:          web-n1',
    'Namespace:     shop',
    'Labels:        app=web',
    'Annotations:   flotilla.dev/bundle=shop/front',
    'Node:          n1',
    'Source:        bundle shop/front',
    'Status:        Pending: MissingSecret: spec.volumes[0].secret: secret "k" not found',
    'Start Time:    ',
    'IP:            ',
    'Host IP:       ',
    'Init Containers:',
    '  init:',
    '    Image:         web:1',
    '    Container ID:  ',
    '    State:         waiting: PodInitializing',
    '    Last State:    <none>',
    '    Ready:         false',
    '    Restarts:      2',
    'Containers:',
    '  app:',
    '    Image:         web:1',
    '    Container ID:  ',
    '    State:         waiting: CrashLoopBackOff: back-off 10s',
    `    Last State:    terminated (exit code 3): Error at ${at}`,
    '    Ready:         false',
    '    Restarts:      2',
    'Conditions:',
    '  Type    Status   Since                  Reason   Message',
    `  Ready   False    ${at}   Waits`,
    'Events:',
    '  Type      Reason    Age   From                 Message',
    '  Warning   BackOff   2m    flotilla-agent, n1   BackOff it',
  ]);
  assert.equal(describePod(pod, [], NOW).at(-1), 'Events: <none>');
});
