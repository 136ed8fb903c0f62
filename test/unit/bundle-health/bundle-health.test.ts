/** Where a bundle stands: sentence → journal and pods → state and reason. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bundleHealth, SETTLED_MS } from '../../../agent/report/bundle-health.js';
import type { BundleRecord, OwnedFile } from '../../../agent/journal/journal.js';
import type { PodReport } from '../../../agent/ports.js';
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
  healthy: 'one',
};

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
