import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerStatus, PodSpec, PodStatus } from 'kubernetes-types/core/v1.js';
import { toApiObject, type ApiObject } from '../../../hub/api/api-object.js';
import { EVENT_TABLE } from '../../../hub/api/tables/events.js';
import { age, humanDuration } from '../../../protocol/human-duration.js';
import { NODE_TABLE } from '../../../hub/api/tables/nodes.js';
import { BUNDLE_TABLE, TOKEN_TABLE } from '../../../hub/api/tables/own-kinds.js';
import { podSummary } from '../../../protocol/pod-summary.js';
import { POD_TABLE } from '../../../hub/api/tables/pods.js';
import type { TableShape } from '../../../hub/api/tables/table.js';
import type { ObjectDraft, StoredObject } from '../../../hub/store/store.js';
import { bundle, event, MANIFEST, node, pod } from '../../support/api-objects.js';

const NOW = Date.parse('2026-01-02T00:00:00Z');
const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

describe('durations are printed as kubectl prints them', () => {
  const rows: readonly (readonly [number, string])[] = [
    [-5 * S, '<invalid>'],
    [-1 * S, '0s'],
    [0, '0s'],
    [119 * S, '119s'],
    [2 * M, '2m'],
    [2 * M + 5 * S, '2m5s'],
    [9 * M + 59 * S, '9m59s'],
    [10 * M + 59 * S, '10m'],
    [179 * M, '179m'],
    [3 * H, '3h'],
    [7 * H + 59 * M, '7h59m'],
    [8 * H + 59 * M, '8h'],
    [47 * H, '47h'],
    [2 * D, '2d'],
    [7 * D + 23 * H, '7d23h'],
    [8 * D + 23 * H, '8d'],
    [729 * D, '729d'],
    [730 * D, '2y'],
    [731 * D, '2y1d'],
    [8 * 365 * D + 9 * D, '8y'],
  ];
  for (const [ms, expected] of rows) {
    test(`${ms} ms is ${expected}`, () => assert.equal(humanDuration(ms), expected));
  }
  test('no timestamp is <unknown>', () => {
    assert.equal(age(null, NOW), '<unknown>');
    assert.equal(age('not a date', NOW), '<unknown>');
  });
});

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

function api(draft: ObjectDraft, createdAt = '2026-01-01T22:00:00Z'): ApiObject {
  const { labels = {}, annotations = {}, ...metadata } = draft.metadata;
  const stored: StoredObject = {
    ...draft,
    metadata: {
      ...metadata,
      labels,
      annotations,
      uid: 'u',
      generation: 1,
      resourceVersion: '7',
      creationTimestamp: createdAt,
    },
  };
  return toApiObject(stored);
}

function wide(table: TableShape, object: ApiObject): Record<string, unknown> {
  const cells = table.cells(object, NOW);
  assert.equal(cells.length, table.columns.length, 'one cell per column');
  return Object.fromEntries(table.columns.map((column, index) => [column.name, cells[index]]));
}

describe('cells', () => {
  test('of a pod', () => {
    assert.deepEqual(wide(POD_TABLE, api(pod('web-edge-1'))), {
      Name: 'web-edge-1',
      Ready: '1/1',
      Status: 'Running',
      Restarts: '0',
      Age: '120m',
      IP: '172.17.0.2',
      Node: 'edge-1',
      'Nominated Node': '<none>',
      'Readiness Gates': '<none>',
      Source: 'local (file)',
    });
  });

  test('of a pod that has neither spec nor status yet', () => {
    const bare = { ...api(pod('web')), spec: undefined, status: undefined };
    assert.deepEqual(wide(POD_TABLE, bare)['Status'], 'Unknown');
  });

  test('of a node', () => {
    const labels = { 'node-role.kubernetes.io/edge': '', 'kubernetes.io/role': 'cam' };
    assert.deepEqual(wide(NODE_TABLE, api(node('edge-1', { labels }))), {
      Name: 'edge-1',
      Status: 'Ready',
      Roles: 'cam,edge',
      Age: '120m',
      Version: 'v0.1.0',
      'Internal-IP': '10.0.0.5',
      'External-IP': '<none>',
      'OS-Image': 'Debian GNU/Linux 12',
      'Kernel-Version': '6.1.0',
      'Container-Runtime': 'docker://28.2.2',
      Root: '1',
      Reported: '23h',
      Clock: 'synced',
      'Alone-Ready': '<unknown>',
      'Undo-Ready': '<unknown>',
      Key: '<unknown>',
    });
  });

  test('of a node that could not start alone: with the reason', () => {
    const status = api(node('n'))['status'] as { conditions?: object[] };
    const said = (type: string, word: 'True' | 'False' | 'Unknown', reason: string) => {
      return { type, status: word, reason, message: '', lastTransitionTime: '' };
    };
    const conditions = [
      ...(status.conditions ?? []),
      said('AloneReady', 'False', 'ImageMissing'),
      said('UndoReady', 'Unknown', 'EngineUnavailable'),
    ];
    const cells = wide(NODE_TABLE, { ...api(node('n')), status: { ...status, conditions } });
    assert.deepEqual(
      [cells['Status'], cells['Alone-Ready'], cells['Undo-Ready']],
      ['Ready', 'False (ImageMissing)', 'Unknown (EngineUnavailable)'],
    );
    const well = [...(status.conditions ?? []), said('AloneReady', 'True', 'Complete')];
    const whole = wide(NODE_TABLE, { ...api(node('n')), status: { ...status, conditions: well } });
    assert.equal(whole['Alone-Ready'], 'True');
  });

  const nodeStatus: readonly (readonly [string, ApiObject, string])[] = [
    ['offline', api(node('n', { ready: false })), 'NotReady'],
    ['never reported', { ...api(node('n')), status: {} }, 'Unknown'],
    ['cordoned', { ...api(node('n')), spec: { unschedulable: true } }, 'Ready,SchedulingDisabled'],
  ];
  for (const [what, object, expected] of nodeStatus) {
    test(`of a node that is ${what}`, () => {
      assert.equal(wide(NODE_TABLE, object)['Status'], expected);
    });
  }

  test('of an event', () => {
    assert.deepEqual(wide(EVENT_TABLE, api(event(3, { at: '2026-01-01T23:59:00Z' }))), {
      'Last Seen': '60s',
      Type: 'Normal',
      Reason: 'Started',
      Object: 'pod/web-edge-1',
      Subobject: 'spec.containers{web}',
      Source: 'flotilla-agent, edge-1',
      Message: 'Started container web',
      'First Seen': '60s',
      Count: 1,
      Name: 'edge-1.aaaaaaaa.3',
    });
  });

  test('of a bundle', () => {
    const spec = { nodeSelector: '', manifests: [MANIFEST] };
    assert.deepEqual(wide(BUNDLE_TABLE, api(bundle('shop', spec, 4))), {
      Name: 'shop',
      Revision: 4,
      Desired: 3,
      Updated: 2,
      Healthy: 1,
      Failed: 0,
      Offline: 1,
      Status: 'Active',
      Age: '120m',
      Selector: '<all>',
      Digest: 'ffffffffffff',
    });
  });

  test('of a bundle that waits for a maintenance window', () => {
    const spec = { nodeSelector: '', manifests: [MANIFEST] };
    const stored = bundle('shop', spec, 4);
    const status = (opensAt: string | null) => {
      const waiting = { nodes: 2, opensAt };
      return wide(
        BUNDLE_TABLE,
        api({ ...stored, status: { ...(stored.status as object), waiting } }),
      ).Status;
    };
    assert.equal(status('2026-01-02T05:00:00Z'), 'Window (opens in 5h)');
    assert.equal(status('2026-01-01T05:00:00Z'), 'Window (opens in 0s)');
    assert.equal(status(null), 'Window');
  });

  test('of a bundle that people at devices hold', () => {
    const spec = { nodeSelector: '', manifests: [MANIFEST] };
    const stored = bundle('shop', spec, 4);
    const status = (held: number) =>
      wide(BUNDLE_TABLE, api({ ...stored, status: { ...(stored.status as object), held } })).Status;
    assert.deepEqual([status(1), status(2)], ['Held on 1 node', 'Held on 2 nodes']);
  });

  const token = (expiresAt: string, usedBy: object[]) =>
    api({
      kind: 'Token',
      metadata: { namespace: '', name: 'abc' },
      spec: {
        ...{ secretHash: 'x', labels: { b: '2', a: '1' }, expiresAt },
        ...{ nodes: ['edge-*'], uses: 5, approve: true },
      },
      status: { usedBy },
    });
  test('of a token', () => {
    assert.deepEqual(wide(TOKEN_TABLE, token('2026-01-02T05:00:00Z', [])), {
      Name: 'abc',
      Labels: 'a=1,b=2',
      Nodes: 'edge-*',
      Expires: '5h',
      Used: '0/5',
      Approve: 'yes',
      'Used-By': '<none>',
      Age: '120m',
    });
  });
  test('of a token that is used and expired', () => {
    const cells = wide(
      TOKEN_TABLE,
      token(
        '2026-01-01T05:00:00Z',
        ['edge-1', 'b', 'c', 'd'].map(node => ({ node })),
      ),
    );
    assert.equal(cells['Expires'], '<expired>');
    assert.equal(cells['Used-By'], 'edge-1,b,c,1 more');
    assert.equal(cells['Used'], '4/5');
  });
});
