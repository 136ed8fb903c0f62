/** Where a bundle stands: sentence → journal and pods → state and reason. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bundleHealth } from '../../../agent/activation/bundle-health.js';
import type { BundleRecord, OwnedFile } from '../../../agent/journal/journal.js';
import type { PodReport } from '../../../agent/ports.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { NOW } from '../../support/fleet.js';
import {
  completed,
  crashing,
  file,
  leaving,
  pod,
  RECORD,
  rejecting,
  running,
  SETTLED_MS,
  stop,
  unready,
  withCondition,
  withInit,
  withPolicy,
} from '../../support/judged-pods.js';

interface Row {
  readonly sentence: string;
  readonly record?: Partial<BundleRecord>;
  readonly files?: OwnedFile[];
  readonly pods: PodReport[] | null;
  readonly state: string;
  readonly reason: string;
}

const ROWS: readonly Row[] = [
  {
    sentence: 'pods are not known yet: as recorded',
    record: { state: 'healthy', reason: 'ContainersSettled' },
    pods: null,
    state: 'healthy',
    reason: 'ContainersSettled',
  },
  { sentence: 'no pod yet', pods: [], state: 'activating', reason: 'PodsPending' },
  {
    sentence: 'one of two pods',
    files: [file('a'), file('b')],
    pods: [pod('a', [running(60_000)])],
    state: 'activating',
    reason: 'PodsPending',
  },
  {
    sentence: 'a container of the former manifest still runs, long and well',
    pods: [{ ...pod('a', [running(60_000)]), outdated: true }],
    state: 'activating',
    reason: 'PodsPending',
  },
  {
    sentence: 'the pod is still of the former manifest',
    pods: [pod('a', [running(60_000)], { manifest: 'm-old' })],
    state: 'activating',
    reason: 'PodsPending',
  },
  {
    sentence: 'the new pod is there, an old one still goes',
    pods: [pod('a', [running(60_000)]), pod('z', [running(1)])],
    state: 'activating',
    reason: 'PodsPending',
  },
  {
    sentence: 'the new pod is there, the old one is being stopped',
    pods: [
      pod('a', [running(60_000)]),
      { ...pod('z', [running(60_000)]), stopping: [stop('c0', 5_000)] },
    ],
    state: 'activating',
    reason: 'StoppingFormer',
  },
  {
    sentence: 'the pod itself is leaving',
    pods: [leaving(pod('a', [running(60_000)]))],
    state: 'activating',
    reason: 'PodsPending',
  },
  {
    sentence: 'ended well, and to be started again',
    pods: [withPolicy(pod('a', [completed(60_000)]), 'Always')],
    state: 'progressing',
    reason: 'ContainersPending',
  },
  {
    sentence: 'ended well for good, in a pod that goes on',
    pods: [withPolicy(pod('a', [completed(60_000), running(60_000)]), 'OnFailure')],
    state: 'healthy',
    reason: 'ContainersSettled',
  },
  {
    sentence: 'a container waits',
    pods: [pod('a', [running(60_000), { waiting: { reason: 'ImagePullBackOff' } }])],
    state: 'progressing',
    reason: 'ContainersPending',
  },
  {
    sentence: 'a container has no status',
    pods: [
      {
        ...pod('a', [running(60_000)]),
        pod: { spec: { containers: [{ name: 'c', image: 'i' }] }, status: {} },
      },
    ],
    state: 'progressing',
    reason: 'ContainersPending',
  },
  {
    sentence: 'all run, for less than ten seconds',
    pods: [pod('a', [running(60_000), running(9_999)])],
    state: 'progressing',
    reason: 'Settling',
  },
  {
    sentence: 'all run for ten seconds',
    pods: [pod('a', [running(60_000), running(10_000)])],
    state: 'healthy',
    reason: 'ContainersSettled',
  },
  {
    sentence: 'completed for ten seconds',
    pods: [pod('a', [completed(10_000)], { phase: 'Succeeded' })],
    state: 'healthy',
    reason: 'ContainersSettled',
  },
  {
    sentence: 'ended badly and about to be restarted',
    pods: [pod('a', [completed(10_000, 1)])],
    state: 'progressing',
    reason: 'ContainersPending',
  },
  {
    sentence: 'a pod failed',
    pods: [pod('a', [completed(1, 1)], { phase: 'Failed' })],
    state: 'failed',
    reason: 'PodFailed',
  },
  {
    sentence: 'the pod runner refuses a pod',
    pods: [
      { ...pod('a', [], { phase: 'Failed', reason: 'HostPortConflict' }), manifestDigest: null },
    ],
    state: 'failed',
    reason: 'PodRefused',
  },
  {
    sentence: 'started in the future because the clock was set back',
    pods: [pod('a', [running(-3_600_000)])],
    state: 'healthy',
    reason: 'ContainersSettled',
  },
  {
    sentence: 'without pods a bundle is healthy',
    files: [],
    pods: [],
    state: 'healthy',
    reason: 'ContainersSettled',
  },
  {
    sentence: 'a revision that is not active: what staging says',
    record: { active: 'one', state: 'waiting', reason: 'BlobMissing' },
    pods: [pod('a', [running(60_000)])],
    state: 'waiting',
    reason: 'BlobMissing',
  },
  {
    sentence: 'removed from the assignment, pods stop',
    record: { state: 'removing', reason: 'NotAssigned', active: null },
    pods: [pod('a', [running(60_000)])],
    state: 'removing',
    reason: 'NotAssigned',
  },
];

describe('the state of a bundle', () => {
  for (const { sentence, record, files, pods, state, reason } of ROWS) {
    test(`${sentence}: ${state}`, () => {
      const world = {
        records: [{ ...RECORD, ...record }],
        files: files ?? [file('a')],
        pods,
        now: NOW,
      };
      const { statuses } = bundleHealth(world);
      assert.deepEqual([statuses[0]?.state, statuses[0]?.reason], [state, reason]);
    });
  }

  const told: readonly [string, PodReport, string, string][] = [
    [
      'an image that cannot be had is named',
      pod('a', [{ waiting: { reason: 'ErrImagePull', message: 'no such tag' } }]),
      'progressing',
      'waiting for default/a-edge-1 (c0: ErrImagePull: no such tag)',
    ],
    [
      'a crash loop is named, without the pod’s uid and the wait',
      crashing(pod('a', [running(60_000), { waiting: { reason: 'CrashLoopBackOff' } }])),
      'progressing',
      'waiting for default/a-edge-1 (c1: CrashLoopBackOff, last exit code 3)',
    ],
    [
      'a container that only begins is no news',
      pod('a', [{ waiting: { reason: 'ContainerCreating' } }]),
      'progressing',
      'waiting for default/a-edge-1',
    ],
    [
      'a volume that cannot be mounted is named',
      pod('a', [{ waiting: { reason: 'ContainerCreating', message: 'no such directory' } }]),
      'progressing',
      'waiting for default/a-edge-1 (c0: ContainerCreating: no such directory)',
    ],
    [
      'running is not enough: the readiness probe has to agree',
      unready(pod('a', [running(60_000)])),
      'progressing',
      'waiting for default/a-edge-1 (c0: is not ready)',
    ],
    [
      'a container that is being stopped is named',
      { ...unready(pod('a', [running(60_000)])), stopping: [stop('c0', 1_000)] },
      'progressing',
      'waiting for default/a-edge-1 (c0: is being stopped)',
    ],
    [
      'what a former revision still has to stop is named, with its grace',
      { ...pod('a', [running(60_000)]), outdated: true, stopping: [stop('c0', 39_999)] },
      'activating',
      '0 of 1 pods are of this revision; default/a-edge-1 of a former one is being stopped (c0: grace 30 s)',
    ],
    [
      'and that its grace is over',
      { ...pod('a', [running(60_000)]), outdated: true, stopping: [stop('c0', 40_000)] },
      'activating',
      '0 of 1 pods are of this revision; default/a-edge-1 of a former one is being stopped (c0: grace 30 s, which is over)',
    ],
    [
      'an init container that runs is named',
      withInit(pod('a', [{ waiting: { reason: 'PodInitializing' } }]), running(60_000), false),
      'progressing',
      'waiting for default/a-edge-1 (init: still runs)',
    ],
    [
      'a sidecar that is not ready holds it up',
      withInit(pod('a', [running(60_000)]), running(60_000), true),
      'progressing',
      'waiting for default/a-edge-1 (init: is not ready)',
    ],
    [
      'a rejected edit of a pod that runs on',
      rejecting(pod('a', [running(60_000)]), 'm-a'),
      'failed',
      'pod default/a-edge-1 failed: NodePorts: taken',
    ],
    [
      'a refusal of the very bytes that were written',
      rejecting(pod('a', [running(60_000)], { manifest: 'of the version before' }), 'bytes-a'),
      'failed',
      'pod default/a-edge-1 failed: NodePorts: taken',
    ],
    [
      'a refusal of what lay in the file before the revision was written',
      rejecting(
        pod('a', [running(60_000)], { manifest: 'of the version before' }),
        'typed by hand',
      ),
      'activating',
      '0 of 1 pods are of this revision; default/a-edge-1: NodePorts: taken',
    ],
    [
      'a file that could not be read before the revision was written',
      rejecting(pod('a', [running(60_000)], { manifest: 'of the version before' }), null),
      'activating',
      '0 of 1 pods are of this revision; default/a-edge-1: NodePorts: taken',
    ],
    [
      "a refusal of a person's edit, while the revision's own pod runs",
      rejecting(pod('a', [running(60_000)]), 'typed by hand'),
      'healthy',
      '1 pod',
    ],
    [
      'ready for less than ten seconds, though it runs for longer',
      withCondition(pod('a', [running(60_000)]), {
        type: 'ContainersReady',
        status: 'True',
        lastTransitionTime: new Date(NOW - 5_000).toISOString(),
      }),
      'progressing',
      'every container is ready or completed; 10 seconds have to pass',
    ],
  ];
  for (const [sentence, report, state, message] of told) {
    test(`${sentence}: ${message}`, () => {
      const world = { records: [RECORD], files: [file('a')], pods: [report], now: NOW };
      const { statuses } = bundleHealth(world);
      assert.deepEqual([statuses[0]?.state, statuses[0]?.message], [state, message]);
    });
  }

  test('S95: a pod of the same manifest is of this revision only with the digests that it binds', () => {
    const bindings = new Map([['web:1', ['sha256:new']]]);
    const active = () => ({ revision: 2, strategy: DEFAULT_STRATEGY, bindings });
    const state = (digest: string) => {
      const report = pod('a', [running(60_000)]);
      const annotations = { 'flotilla.dev/image-digests': `{"web:1":["${digest}"]}` };
      const spec = { containers: [{ name: 'app', image: 'web:1' }] };
      const bound = { ...report.pod, metadata: { ...report.pod.metadata, annotations }, spec };
      const pods = [{ ...report, pod: bound }];
      const world = { records: [RECORD], files: [file('a')], pods, now: NOW, active };
      return bundleHealth(world).statuses[0]?.state;
    };
    assert.deepEqual([state('sha256:old'), state('sha256:new')], ['activating', 'healthy']);
  });

  describe('an edit that may not begin while the version before runs on', () => {
    const told = (type: string, reason: string, message: string) => {
      const former = { ...pod('a', [running(60_000)]), manifestDigest: 'of the version before' };
      const report = withCondition(former, { type, status: 'True', reason, message });
      const held = { ...report, rejected: 'm-a' };
      const world = { records: [RECORD], files: [file('a')], pods: [held], now: NOW };
      const [status] = bundleHealth(world).statuses;
      return [status?.state, status?.message];
    };

    test('is failed where it is rejected', () => {
      assert.deepEqual(told('UpdateRejected', 'PodSecurity', 'no'), [
        'failed',
        'pod default/a-edge-1 failed: PodSecurity: no',
      ]);
    });

    test('is on its way where it waits, and says for what', () => {
      assert.deepEqual(told('UpdateWaiting', 'ErrImagePull', 'not found'), [
        'activating',
        '0 of 1 pods are of this revision; default/a-edge-1: ErrImagePull: not found',
      ]);
    });
  });

  test('only a change is recorded, and it begins now', () => {
    const world = {
      records: [RECORD],
      files: [file('a')],
      pods: [pod('a', [running(60_000)])],
      now: NOW,
    };
    const first = bundleHealth(world);
    assert.deepEqual(
      first.transitions.map(({ state }) => state),
      ['healthy'],
    );
    assert.equal(first.statuses[0]?.since, new Date(NOW).toISOString());
    const record = {
      ...RECORD,
      state: 'healthy' as const,
      reason: 'ContainersSettled',
      since: NOW,
    };
    const second = bundleHealth({ ...world, records: [record], now: NOW + 5000 });
    assert.deepEqual(second.transitions, []);
    assert.equal(second.statuses[0]?.since, new Date(NOW).toISOString());
  });

  test('what lies in the directory is told, be it the revision at hand or a former one', () => {
    for (const active of ['two', 'one', null]) {
      const records = [{ ...RECORD, state: 'waiting' as const, active }];
      const { statuses } = bundleHealth({ records, files: [], pods: null, now: NOW });
      assert.deepEqual([statuses[0]?.digest, statuses[0]?.active], ['two', active]);
    }
  });

  test('it says when to look again', () => {
    const world = {
      records: [RECORD],
      files: [file('a')],
      pods: [pod('a', [running(4_000)])],
      now: NOW,
    };
    assert.equal(bundleHealth(world).againAt, NOW - 4_000 + SETTLED_MS);
  });

  test('when the last pod of a removed bundle is gone, so is the bundle', () => {
    const record = { ...RECORD, state: 'removing' as const, active: null };
    const { statuses, transitions } = bundleHealth({
      records: [record],
      files: [],
      pods: [],
      now: NOW,
    });
    assert.deepEqual(statuses, []);
    assert.deepEqual(
      transitions.map(({ state }) => state),
      ['removed'],
    );
  });
});
