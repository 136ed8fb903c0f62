/** READY, STATUS and RESTARTS of a pod, as the Kubernetes printer has them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerStatus, PodSpec, PodStatus } from 'kubernetes-types/core/v1.js';
import { podSummary } from '../../../protocol/pod-summary.js';

const NOW = Date.parse('2026-01-02T00:00:00Z');

type State = NonNullable<ContainerStatus['state']>;

function container(
  name: string,
  state: State,
  more: Partial<ContainerStatus> = {},
): ContainerStatus {
  return { name, image: 'i', imageID: '', ready: false, restartCount: 0, state, ...more };
}

const running: State = { running: {} };
const waiting = (reason: string): State => ({ waiting: { reason } });
const ended = (exitCode: number, reason?: string, signal?: number): State => ({
  terminated: { exitCode, ...(reason ? { reason } : {}), ...(signal ? { signal } : {}) },
});
const lastEnded = (finishedAt: string) => ({
  lastState: { terminated: { exitCode: 1, finishedAt: finishedAt as unknown as never } },
});

const ONE: Partial<PodSpec> = { containers: [{ name: 'a' }] };
const TWO: Partial<PodSpec> = { containers: [{ name: 'a' }, { name: 'b' }] };
const INIT: Partial<PodSpec> = { ...ONE, initContainers: [{ name: 'i' }, { name: 'j' }] };
const SIDECAR: Partial<PodSpec> = {
  ...ONE,
  initContainers: [{ name: 's', restartPolicy: 'Always' }, { name: 'j' }],
};
const READY = { conditions: [{ type: 'Ready', status: 'True' }] };
const ok = (name: string) => container(name, running, { ready: true });

interface StatusRow {
  readonly what: string;
  readonly spec: Partial<PodSpec>;
  readonly status: PodStatus;
  readonly isDeleted?: boolean;
  /** ready, status, restarts */
  readonly expected: readonly [string, string, string];
}

const STATUS_ROWS: readonly StatusRow[] = [
  {
    what: 'nothing known yet: the phase',
    spec: ONE,
    status: { phase: 'Pending' },
    expected: ['0/1', 'Pending', '0'],
  },
  {
    what: 'all run',
    spec: TWO,
    status: { phase: 'Running', ...READY, containerStatuses: [ok('a'), ok('b')] },
    expected: ['2/2', 'Running', '0'],
  },
  {
    what: 'a running one that is not ready does not count',
    spec: TWO,
    status: { phase: 'Running', containerStatuses: [ok('a'), container('b', running)] },
    expected: ['1/2', 'Running', '0'],
  },
  {
    what: 'a reason of the pod stands in for its phase',
    spec: ONE,
    status: { phase: 'Failed', reason: 'Evicted' },
    expected: ['0/1', 'Evicted', '0'],
  },
  {
    what: 'a container that waits gives its reason, and restarts tell how long ago',
    spec: ONE,
    status: {
      phase: 'Running',
      containerStatuses: [
        container('a', waiting('CrashLoopBackOff'), {
          restartCount: 3,
          ...lastEnded('2026-01-01T23:58:55Z'),
        }),
      ],
    },
    expected: ['0/1', 'CrashLoopBackOff', '3 (65s ago)'],
  },
  {
    what: 'of several the first container that has something to say',
    spec: TWO,
    status: {
      phase: 'Pending',
      containerStatuses: [
        container('a', waiting('ErrImagePull')),
        container('b', waiting('ContainerCreating')),
      ],
    },
    expected: ['0/2', 'ErrImagePull', '0'],
  },
  {
    what: 'completed',
    spec: ONE,
    status: { phase: 'Succeeded', containerStatuses: [container('a', ended(0, 'Completed'))] },
    expected: ['0/1', 'Completed', '0'],
  },
  {
    what: 'completed beside one that runs, ready',
    spec: TWO,
    status: {
      phase: 'Running',
      ...READY,
      containerStatuses: [container('a', ended(0, 'Completed')), ok('b')],
    },
    expected: ['1/2', 'Running', '0'],
  },
  {
    what: 'completed beside one that runs, not ready',
    spec: TWO,
    status: {
      phase: 'Running',
      containerStatuses: [container('a', ended(0, 'Completed')), ok('b')],
    },
    expected: ['1/2', 'NotReady', '0'],
  },
  {
    what: 'an exit without a reason',
    spec: ONE,
    status: { phase: 'Failed', containerStatuses: [container('a', ended(7))] },
    expected: ['0/1', 'ExitCode:7', '0'],
  },
  {
    what: 'a signal without a reason',
    spec: ONE,
    status: { phase: 'Failed', containerStatuses: [container('a', ended(137, '', 9))] },
    expected: ['0/1', 'Signal:9', '0'],
  },
  {
    what: 'the first init container runs',
    spec: INIT,
    status: {
      phase: 'Pending',
      initContainerStatuses: [container('i', running), container('j', waiting('PodInitializing'))],
      containerStatuses: [container('a', waiting('PodInitializing'))],
    },
    expected: ['0/1', 'Init:0/2', '0'],
  },
  {
    what: 'the second init container runs',
    spec: INIT,
    status: {
      phase: 'Pending',
      initContainerStatuses: [container('i', ended(0)), container('j', running)],
    },
    expected: ['0/1', 'Init:1/2', '0'],
  },
  {
    what: 'an init container failed',
    spec: INIT,
    status: {
      phase: 'Pending',
      initContainerStatuses: [container('i', ended(1, 'Error'), { restartCount: 2 })],
    },
    expected: ['0/1', 'Init:Error', '2'],
  },
  {
    what: 'an init container failed without a reason',
    spec: INIT,
    status: { phase: 'Pending', initContainerStatuses: [container('i', ended(3))] },
    expected: ['0/1', 'Init:ExitCode:3', '0'],
  },
  {
    what: 'an init container backs off',
    spec: INIT,
    status: {
      phase: 'Pending',
      initContainerStatuses: [container('i', waiting('CrashLoopBackOff'))],
    },
    expected: ['0/1', 'Init:CrashLoopBackOff', '0'],
  },
  {
    what: 'restarts of finished init containers no longer count',
    spec: INIT,
    status: {
      phase: 'Running',
      ...READY,
      initContainerStatuses: [
        container('i', ended(0, 'Completed'), { restartCount: 4 }),
        container('j', ended(0, 'Completed')),
      ],
      containerStatuses: [ok('a')],
    },
    expected: ['1/1', 'Running', '0'],
  },
  {
    what: 'a started sidecar counts as a container, and its restarts go on counting',
    spec: SIDECAR,
    status: {
      phase: 'Running',
      ...READY,
      initContainerStatuses: [
        container('s', running, { ready: true, started: true, restartCount: 1 }),
        container('j', ended(0)),
      ],
      containerStatuses: [ok('a')],
    },
    expected: ['2/2', 'Running', '1'],
  },
  {
    what: 'a sidecar that has not started is what the pod waits for',
    spec: SIDECAR,
    status: {
      phase: 'Pending',
      initContainerStatuses: [container('s', running, { started: false })],
      containerStatuses: [container('a', waiting('PodInitializing'))],
    },
    expected: ['0/2', 'Init:0/2', '0'],
  },
  {
    what: 'a sidecar that crashes after the pod was initialized counts as missing',
    spec: SIDECAR,
    status: {
      phase: 'Running',
      conditions: [{ type: 'Initialized', status: 'True' }],
      initContainerStatuses: [
        container('s', waiting('CrashLoopBackOff'), {
          restartCount: 2,
          ...lastEnded('2026-01-01T23:59:00Z'),
        }),
        container('j', ended(0)),
      ],
      containerStatuses: [ok('a')],
    },
    expected: ['1/2', 'Init:CrashLoopBackOff', '2 (60s ago)'],
  },
  {
    what: 'an init container that failed for good',
    spec: INIT,
    status: {
      phase: 'Failed',
      initContainerStatuses: [container('i', ended(7, 'Error'))],
      containerStatuses: [container('a', waiting('PodInitializing'))],
    },
    expected: ['0/1', 'Init:Error', '0'],
  },
  {
    what: 'a pod that is being ended',
    spec: ONE,
    status: { phase: 'Running', ...READY, containerStatuses: [ok('a')] },
    isDeleted: true,
    expected: ['1/1', 'Terminating', '0'],
  },
  {
    what: 'a pod that was over when it was deleted keeps its word',
    spec: ONE,
    status: { phase: 'Succeeded', containerStatuses: [container('a', ended(0, 'Completed'))] },
    isDeleted: true,
    expected: ['0/1', 'Completed', '0'],
  },
];

describe('ready, status and restarts of a pod are those of the Kubernetes printer', () => {
  for (const { what, spec, status, isDeleted = false, expected } of STATUS_ROWS) {
    test(what, () => {
      const { ready, status: text, restarts } = podSummary({ spec, status, isDeleted }, NOW);
      assert.deepEqual([ready, text, restarts], expected);
    });
  }
});
