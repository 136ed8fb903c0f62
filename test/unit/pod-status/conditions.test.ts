/** The conditions of a pod: the tables of `pkg/kubelet/status/generate_test.go`, and the times of changes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  conditionsOf,
  containersReady,
  initialized,
  type Finding,
} from '../../../agent/pods/pod-conditions.js';
import { byName, type Phase } from '../../../agent/pods/pod-phase.js';
import type { Container, ContainerStatus, PodCondition, PodSpec } from '../../../protocol/pod.js';

function status(name: string, change: Partial<ContainerStatus> = {}): ContainerStatus {
  return { name, image: 'i', imageID: '', ready: false, restartCount: 0, ...change };
}

const ready = (name: string) => status(name, { ready: true });
const unready = (name: string) => status(name);
const started = (name: string) => status(name, { started: true });

function spec(app: readonly string[], init: readonly Container[] = []): PodSpec {
  return { containers: app.map(name => ({ name })), initContainers: [...init] };
}

const sidecar = (name: string): Container => ({ name, restartPolicy: 'Always' });
const init = (...names: string[]) => names.map(name => ({ name }));

type Row = readonly [
  sentence: string,
  spec: PodSpec,
  statuses: readonly ContainerStatus[],
  phase: Phase,
  finding: Finding,
];

const TRUE: Finding = { status: 'True' };
const notReady = (message: string): Finding => ({
  status: 'False',
  reason: 'ContainersNotReady',
  message,
});
const incomplete = (message: string): Finding => ({
  status: 'False',
  reason: 'ContainersNotInitialized',
  message,
});

const ONE = ['1234'];
const TWO = ['1234', '5678'];
const SIDECARS = [sidecar('side-1'), sidecar('side-2')];

const READY: readonly Row[] = [
  ['no containers', spec([]), [], 'Running', TRUE],
  [
    'one of which nothing is known',
    spec(ONE),
    [],
    'Running',
    notReady('containers with unknown status: [1234]'),
  ],
  ['two that are ready', spec(TWO), TWO.map(ready), 'Running', TRUE],
  [
    'one ready, one unknown',
    spec(TWO),
    [ready('1234')],
    'Running',
    notReady('containers with unknown status: [5678]'),
  ],
  [
    'one ready, one not',
    spec(TWO),
    [ready('1234'), unready('5678')],
    'Running',
    notReady('containers with unready status: [5678]'),
  ],
  [
    'neither ready',
    spec(TWO),
    TWO.map(unready),
    'Running',
    notReady('containers with unready status: [1234 5678]'),
  ],
  [
    'one unknown, one not ready',
    spec(TWO),
    [unready('5678')],
    'Running',
    notReady('containers with unknown status: [1234], containers with unready status: [5678]'),
  ],
  [
    'a pod that succeeded',
    spec(ONE),
    [unready('1234')],
    'Succeeded',
    { status: 'False', reason: 'PodCompleted' },
  ],
  [
    'a pod that failed',
    spec(ONE),
    [ready('1234')],
    'Failed',
    { status: 'False', reason: 'PodFailed' },
  ],
  [
    'a sidecar of which nothing is known',
    spec(['app'], [sidecar('side-1')]),
    [ready('app')],
    'Running',
    notReady('containers with unknown status: [side-1]'),
  ],
  [
    'sidecars that are ready',
    spec(['app'], SIDECARS),
    [ready('side-1'), ready('side-2'), ready('app')],
    'Running',
    TRUE,
  ],
  [
    'a sidecar that is not ready counts (row 121)',
    spec(['app'], SIDECARS),
    [ready('side-1'), unready('side-2'), ready('app')],
    'Running',
    notReady('containers with unready status: [side-2]'),
  ],
  [
    'an init container that is not ready does not count',
    spec(['app'], init('1234')),
    [unready('1234'), ready('app')],
    'Running',
    TRUE,
  ],
];

const INITIALIZED: readonly Row[] = [
  ['no init containers', spec(['app']), [], 'Running', TRUE],
  [
    'one of which nothing is known',
    spec(['app'], init('1234')),
    [],
    'Pending',
    incomplete('containers with unknown status: [1234]'),
  ],
  ['two that succeeded', spec(['app'], init(...TWO)), TWO.map(ready), 'Running', TRUE],
  [
    'one of two succeeded, of the other nothing is known',
    spec(['app'], init(...TWO)),
    [ready('1234')],
    'Pending',
    incomplete('containers with unknown status: [5678]'),
  ],
  [
    'one of two succeeded',
    spec(['app'], init(...TWO)),
    [ready('1234'), unready('5678')],
    'Pending',
    incomplete('containers with incomplete status: [5678]'),
  ],
  [
    'a pod that succeeded',
    spec(['app'], init('1234')),
    [ready('1234')],
    'Succeeded',
    { status: 'True', reason: 'PodCompleted' },
  ],
  [
    'a sidecar that has not started',
    spec(['app'], [sidecar('1234')]),
    [unready('1234')],
    'Pending',
    incomplete('containers with incomplete status: [1234]'),
  ],
  [
    'a sidecar that started and is not ready',
    spec(['app'], [sidecar('1234')]),
    [started('1234')],
    'Running',
    TRUE,
  ],
  [
    'a sidecar that is restarted while the app runs',
    spec(['app'], [sidecar('1234')]),
    [unready('1234'), status('app', { state: { running: {} } })],
    'Running',
    TRUE,
  ],
  [
    'an init container that waits while the app has ended',
    spec(['app'], init('1234')),
    [
      status('1234', { state: { waiting: {} } }),
      status('app', { state: { terminated: { exitCode: 0 } } }),
    ],
    'Running',
    TRUE,
  ],
];

for (const [name, rows, decide] of [
  ['row 194: Ready and ContainersReady', READY, containersReady],
  ['row 194: Initialized', INITIALIZED, initialized],
] as const) {
  describe(name, () => {
    for (const [sentence, pod, statuses, phase, finding] of rows) {
      test(`${sentence}: ${finding.reason ?? finding.status}`, () => {
        assert.deepEqual(decide({ spec: pod, phase, statuses: byName(statuses) }), finding);
      });
    }
  });
}

describe('row 193: all conditions', () => {
  const input = {
    spec: spec(ONE),
    phase: 'Running' as const,
    statuses: byName([ready('1234')]),
    hasSandbox: true,
    previous: [] as readonly PodCondition[],
    now: '2026-01-01T00:00:00Z',
  };

  test('stand in the kubelet’s order', () => {
    assert.deepEqual(
      conditionsOf(input).map(({ type, status: value }) => `${type} ${value}`),
      [
        'PodReadyToStartContainers True',
        'Initialized True',
        'Ready True',
        'ContainersReady True',
        'PodScheduled True',
      ],
    );
  });

  test('T38: a pod whose volumes cannot be mounted is initialized when it has no init containers', () => {
    const cannotBegin = { ...input, hasSandbox: false, phase: 'Pending' as const };
    const trueOnes = (one: typeof cannotBegin) =>
      conditionsOf(one)
        .filter(condition => condition.status === 'True')
        .map(({ type }) => type);
    const waiting = byName([unready('1234')]);
    assert.deepEqual(trueOnes({ ...cannotBegin, statuses: waiting }), [
      'Initialized',
      'PodScheduled',
    ]);
    const withInit = { ...cannotBegin, spec: spec(ONE, init('first')) };
    assert.deepEqual(
      trueOnes({ ...withInit, statuses: byName([unready('first'), unready('1234')]) }),
      ['PodScheduled'],
    );
  });

  test('a time moves with the status and with nothing else', () => {
    const before = conditionsOf(input);
    const later = '2026-01-01T01:00:00Z';
    const same = conditionsOf({ ...input, previous: before, now: later });
    assert.deepEqual(same, before);
    const lost = conditionsOf({
      ...input,
      statuses: byName([unready('1234')]),
      previous: before,
      now: later,
    });
    assert.deepEqual(
      lost.filter(({ lastTransitionTime }) => lastTransitionTime === later).map(one => one.type),
      ['Ready', 'ContainersReady'],
    );
    const failed = conditionsOf({ ...input, phase: 'Failed', previous: lost, now: later });
    assert.equal(failed.find(({ type }) => type === 'Ready')?.reason, 'PodFailed');
  });
});
