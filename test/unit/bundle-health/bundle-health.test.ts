/** Where a bundle stands: sentence → journal and pods → state and reason. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bundleHealth } from '../../../agent/activation/bundle-health.js';
import { JUST_OPENED } from '../../../agent/activation/gate.js';
import type { BundleRecord, OwnedFile } from '../../../agent/journal/journal.js';
import type { PodReport } from '../../../agent/ports.js';
import type { ContainerStatus, PodCondition, PodStatus } from '../../../protocol/pod.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';
import { NOW } from '../../support/fleet.js';

const SHOP = { namespace: 'default', name: 'shop' };

const RECORD: BundleRecord = {
  ...SHOP,
  revision: 2,
  digest: 'two',
  attempt: 0,
  state: 'activating',
  reason: 'FilesWritten',
  message: '',
  since: NOW - 1000,
  active: 'two',
  activeAttempt: 0,
  healthy: 'one',
  previous: null,
  gate: null,
  givenUp: false,
  activeGivenUp: false,
};

/** A new bundle's. */
const SETTLED_MS = DEFAULT_STRATEGY.minReadySeconds * 1000;

function file(pod: string, manifest = `m-${pod}`): OwnedFile {
  return { ...SHOP, file: `f-${pod}`, pod, manifest, content: '' };
}

const running = (agoMs: number) => ({
  running: { startedAt: new Date(NOW - agoMs).toISOString() },
});
const completed = (agoMs: number, exitCode = 0) => ({
  terminated: { exitCode, finishedAt: new Date(NOW - agoMs).toISOString() },
});

function pod(
  name: string,
  states: object[],
  change: { phase?: string; manifest?: string; reason?: string } = {},
): PodReport {
  return {
    key: `default/${name}-edge-1`,
    source: 'bundle',
    bundle: SHOP,
    manifestDigest: change.manifest ?? `m-${name}`,
    pod: {
      metadata: { name: `${name}-edge-1`, namespace: 'default' },
      spec: { containers: states.map((_, i) => ({ name: `c${i}`, image: 'i' })) },
      status: {
        phase: change.phase ?? 'Running',
        ...(change.reason && { reason: change.reason }),
        containerStatuses: states.map((state, i) => ({
          name: `c${i}`,
          image: 'i',
          imageID: '',
          ready: true,
          restartCount: 0,
          state: state as never,
        })),
      },
    },
  };
}

function withStatus(report: PodReport, change: Partial<PodStatus>): PodReport {
  const { pod: shown } = report;
  return { ...report, pod: { ...shown, status: { ...shown.status, ...change } } };
}

const withCondition = (report: PodReport, condition: PodCondition) =>
  withStatus(report, { conditions: [condition] });

function changed(report: PodReport, change: Partial<ContainerStatus>): PodReport {
  const containerStatuses = (report.pod.status?.containerStatuses ?? []).map(status => ({
    ...status,
    ...change,
  }));
  return withStatus(report, { containerStatuses });
}

const unready = (report: PodReport) => changed(report, { ready: false });
const crashing = (report: PodReport) => changed(report, { lastState: completed(1, 3) });

function withInit(report: PodReport, state: object, isSidecar: boolean): PodReport {
  const { pod: shown } = report;
  const restartPolicy = isSidecar ? { restartPolicy: 'Always' } : {};
  const initContainers = [{ name: 'init', image: 'i', ...restartPolicy }];
  const spec = { containers: [], ...shown.spec, initContainers };
  const status = { name: 'init', image: 'i', imageID: '', ready: false, restartCount: 0, state };
  return withStatus({ ...report, pod: { ...shown, spec } }, { initContainerStatuses: [status] });
}

/** A container with a grace of half a minute that is being stopped for as long. */
const stop = (container: string, forMs: number) => ({
  container,
  since: NOW - forMs,
  graceSeconds: 30,
});

function leaving(report: PodReport): PodReport {
  const metadata = { ...report.pod.metadata, deletionTimestamp: new Date(NOW).toISOString() };
  return { ...report, pod: { ...report.pod, metadata } };
}

function withPolicy(report: PodReport, restartPolicy: string): PodReport {
  const spec = { containers: [], ...report.pod.spec, restartPolicy };
  return { ...report, pod: { ...report.pod, spec } };
}

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
      withCondition(pod('a', [running(60_000)]), {
        type: 'UpdateRejected',
        status: 'True',
        reason: 'NodePorts',
        message: 'taken',
      }),
      'failed',
      'pod default/a-edge-1 failed: NodePorts: taken',
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

  test('what was given up has the last words of its container: its message, else the end of its log', () => {
    const spent = { ...JUST_OPENED, stalledMs: 1e9, made: 1, ready: 1 };
    const wordsOf = (message: string, lines: string | null) => {
      const ended = { exitCode: 3, ...(message === '' ? {} : { message }) };
      const waiting = pod('a', [{ waiting: { reason: 'CrashLoopBackOff' } }]);
      const report = changed(waiting, { ready: false, lastState: { terminated: ended } });
      const lastLines = lines === null ? {} : { lastLines: new Map([['c0', lines]]) };
      const pods = [{ ...report, ...lastLines }];
      const gate = () => spent;
      const [judged] = bundleHealth({
        records: [RECORD],
        files: [file('a')],
        pods,
        now: NOW,
        gate,
      }).transitions;
      assert.equal(judged?.phase, 'givenUp');
      assert.doesNotMatch(judged.message, /table|bye/, 'and they are nowhere else');
      return judged.culprit?.lastWords;
    };
    assert.equal(wordsOf('', 'no such table'), 'no such table');
    assert.equal(wordsOf('bye', 'no such table'), 'bye');
    assert.equal(wordsOf('', 'x'.repeat(5000))?.length, 2048);
    assert.equal(wordsOf('', null), null);
  });

  const AFTER_ALL: readonly (readonly [
    string,
    Partial<BundleRecord>,
    'keep' | 'rollback',
    string,
    Partial<Parameters<typeof bundleHealth>[0]>?,
  ])[] = [
    ['that goes back as soon as it can is not made good by it', {}, 'rollback', 'failed'],
    [
      'that can never go back is healthy after all',
      {},
      'rollback',
      'healthy',
      { cannotReturn: () => true },
    ],
    [
      'that a person undid is not, whether it can go back or not',
      { reason: 'UndoneAtDevice' },
      'rollback',
      'failed',
      { cannotReturn: () => true },
    ],
    [
      'that its rollout wants to start alone is not while it could not',
      {},
      'keep',
      'failed',
      { aloneFault: () => ({ reason: 'ImageMissing', message: 'web:1' }) },
    ],
    ['that is kept is healthy after all', {}, 'keep', 'healthy'],
    ['that has nothing before it is healthy after all', { healthy: null }, 'rollback', 'healthy'],
    ['that a person undid is not', { reason: 'UndoneAtDevice' }, 'keep', 'failed'],
  ];
  for (const [sentence, record, onFailure, state, more] of AFTER_ALL) {
    test(`ready after it was given up: a revision ${sentence}`, () => {
      const given = {
        state: 'failed',
        reason: 'PodFailed',
        givenUp: true,
        activeGivenUp: true,
      } as const;
      const { statuses } = bundleHealth({
        records: [{ ...RECORD, ...given, ...record }],
        files: [file('a')],
        pods: [pod('a', [running(SETTLED_MS + 1)])],
        now: NOW,
        active: () => ({
          revision: 2,
          strategy: { ...DEFAULT_STRATEGY, onFailure, require: ['aloneReady'] },
          bindings: new Map(),
        }),
        ...more,
      });
      assert.equal(statuses[0]?.state, state);
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
      const held = withCondition(former, { type, status: 'True', reason, message });
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
