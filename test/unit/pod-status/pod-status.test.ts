/** A pod's status in the kubelet's words: phases, states, conditions; what is refused or ending. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  EMPTY_MEMORY,
  failureKey,
  noteExits,
  noteFailure,
  type FailureKind,
  type Memory,
} from '../../../agent/pods/back-off.js';
import { podReports } from '../../../agent/pods/pod-reports.js';
import { podStatus } from '../../../agent/pods/pod-status.js';
import type { DesiredPod } from '../../../agent/pods/desired.js';
import type { ObservedContainer, ObservedPods } from '../../../agent/runtime/runtime.js';
import type { PodStatus } from '../../../protocol/pod.js';
import {
  containerOf,
  manifest,
  NODE,
  NOTHING_KNOWN,
  running,
  sandboxOf,
  T0,
  wish,
  wishes,
} from '../../support/pods.js';

const NOW = T0 + 60_000;
const two = manifest('web', { containers: [{ name: 'a' }, { name: 'b' }] });
const pod = wish(two);
const policy = (restartPolicy: string) =>
  wish(manifest('web', { containers: two.spec.containers, spec: { restartPolicy } }));

function status(
  desired: DesiredPod,
  containers: readonly ObservedContainer[],
  options: { memory?: Memory; ready?: boolean; now?: number; previous?: PodStatus } = {},
): PodStatus {
  const there: ObservedPods = {
    sandboxes: [sandboxOf(desired, { ready: options.ready ?? true })],
    containers,
  };
  const now = options.now ?? NOW;
  return podStatus({
    ...NOTHING_KNOWN,
    desired,
    there,
    memory: noteExits(options.memory ?? EMPTY_MEMORY, there, now),
    now,
    previous: options.previous ?? null,
  });
}

const exited = (of: DesiredPod, name: string, code: number) =>
  containerOf(of, name, {
    state: 'exited',
    exitCode: code,
    reason: code === 0 ? 'Completed' : 'Error',
    finishedAt: new Date(NOW - 1000),
  });

const phases: readonly [string, DesiredPod, readonly ObservedContainer[], string][] = [
  ['nothing made yet', pod, [], 'Pending'],
  ['one of two runs', pod, [containerOf(pod, 'a')], 'Pending'],
  ['all run', pod, running(pod).containers, 'Running'],
  ['one ended and is to run again', pod, [containerOf(pod, 'a'), exited(pod, 'b', 1)], 'Running'],
  ['all ended, Always', pod, [exited(pod, 'a', 0), exited(pod, 'b', 1)], 'Running'],
  ...(['Never', 'OnFailure'] as const).map(
    (name): [string, DesiredPod, readonly ObservedContainer[], string] => {
      const one = policy(name);
      const all = [exited(one, 'a', 0), exited(one, 'b', 0)];
      return [`all succeeded, ${name}`, one, all, 'Succeeded'];
    },
  ),
  ...((): [string, DesiredPod, readonly ObservedContainer[], string][] => {
    const never = policy('Never');
    const onFailure = policy('OnFailure');
    return [
      ['one failed, Never', never, [exited(never, 'a', 0), exited(never, 'b', 1)], 'Failed'],
      [
        'one failed, OnFailure',
        onFailure,
        [exited(onFailure, 'a', 0), exited(onFailure, 'b', 1)],
        'Running',
      ],
      [
        'one failed, one runs, Never',
        never,
        [containerOf(never, 'a'), exited(never, 'b', 1)],
        'Running',
      ],
    ];
  })(),
];

describe('podStatus', () => {
  for (const [says, desired, containers, phase] of phases) {
    test(`${says}: ${phase}`, () => {
      assert.equal(status(desired, containers).phase, phase);
    });
  }

  function failing(kind: FailureKind, detail: string, reason: string): Memory {
    const key = failureKey(kind, pod.uid, detail);
    return noteFailure(EMPTY_MEMORY, { kind, key, reason, message: 'because' }, NOW);
  }
  const b = `b/${pod.containerHashes.get('b') ?? ''}`;
  const waits: readonly [string, Memory, number, object][] = [
    ['nothing yet', EMPTY_MEMORY, NOW, { reason: 'ContainerCreating' }],
    [
      'a pull that just failed',
      failing('image', 'busybox:1', 'ErrImagePull'),
      NOW + 100,
      { reason: 'ErrImagePull', message: 'because' },
    ],
    [
      'a pull that waits',
      failing('image', 'busybox:1', 'ErrImagePull'),
      NOW + 5000,
      {
        reason: 'ImagePullBackOff',
        message: 'Back-off pulling image "busybox:1": ErrImagePull: because',
      },
    ],
    [
      'never pulled',
      failing('image', 'busybox:1', 'ErrImageNeverPull'),
      NOW + 5000,
      { reason: 'ErrImageNeverPull', message: 'because' },
    ],
    [
      'a create that failed',
      failing('container', b, 'CreateContainerError'),
      NOW,
      { reason: 'CreateContainerError', message: 'because' },
    ],
    [
      'a volume that is not there',
      failing('volumes', '', 'FailedMount'),
      NOW,
      { reason: 'ContainerCreating', message: 'because' },
    ],
  ];
  for (const [says, memory, now, waiting] of waits) {
    test(`${says}: waiting with ${JSON.stringify(waiting)}`, () => {
      const { containerStatuses = [] } = status(pod, [containerOf(pod, 'a')], { memory, now });
      assert.deepEqual(containerStatuses[1]?.state, { waiting });
    });
  }

  test('a crash loop has the kubelet’s sentence and the last run (rows 191, 196, 198)', () => {
    const runs = [0, 1].map(attempt =>
      containerOf(pod, 'b', {
        state: 'exited',
        attempt,
        exitCode: 3,
        createdAt: new Date(NOW - 3000 + attempt * 1000),
        finishedAt: new Date(NOW - 2500 + attempt * 1000),
      }),
    );
    const made = status(pod, [containerOf(pod, 'a'), ...runs]);
    const [, second] = made.containerStatuses ?? [];
    assert.deepEqual(second?.state, {
      waiting: {
        reason: 'CrashLoopBackOff',
        message: `back-off 10s restarting failed container=b pod=web-${NODE}_default(${pod.uid})`,
      },
    });
    assert.equal(second.lastState?.terminated?.exitCode, 3);
    assert.equal(second.restartCount, 1);
    assert.equal(made.phase, 'Running');
  });

  const formerRuns = containerOf(pod, 'b', { hash: 'former', image: 'busybox:0' });
  const successor = containerOf(pod, 'b', { attempt: 1, state: 'created' });
  for (const [says, runs] of [
    ['an edit cannot be made', [formerRuns]],
    ['the next was only made so far', [formerRuns, successor]],
  ] as const) {
    test(`a container that runs is shown as what it is while ${says}`, () => {
      const memory = failing('image', 'busybox:1', 'ErrImagePull');
      const made = status(pod, [containerOf(pod, 'a'), ...runs], { memory });
      const [, second] = made.containerStatuses ?? [];
      assert.notEqual(second?.state?.running, undefined);
      assert.deepEqual(second?.lastState, {});
      assert.deepEqual([second.ready, second.image], [true, 'busybox:0']);
      assert.equal(second.containerID, `docker://${formerRuns.id}`);
      assert.equal(made.phase, 'Running');
    });
  }

  test('conditions in the kubelet’s order; times move only with the status (rows 193, 194)', () => {
    const before = status(pod, [containerOf(pod, 'a')]);
    assert.deepEqual(
      before.conditions?.map(({ type, status: value, reason = '', message = '' }) => [
        type,
        value,
        reason,
        message,
      ]),
      [
        ['PodReadyToStartContainers', 'True', '', ''],
        ['Initialized', 'True', '', ''],
        ['Ready', 'False', 'ContainersNotReady', 'containers with unready status: [b]'],
        ['ContainersReady', 'False', 'ContainersNotReady', 'containers with unready status: [b]'],
        ['PodScheduled', 'True', '', ''],
      ],
    );
    const after = status(pod, running(pod).containers, { now: NOW + 5000, previous: before });
    const moved = (after.conditions ?? []).filter(
      one => one.lastTransitionTime !== '2026-01-01T00:01:00Z',
    );
    assert.deepEqual(
      moved.map(({ type }) => type),
      ['Ready', 'ContainersReady'],
    );
  });

  test('addresses are known and stay after the sandbox is gone (rows 201, T41)', () => {
    const before = status(pod, running(pod).containers);
    assert.deepEqual([before.hostIP, before.podIP], ['10.0.0.7', '172.17.0.2']);
    const over = status(pod, [], { ready: false, previous: before });
    assert.equal(status(pod, [], { ready: true, previous: over }).podIP, '172.17.0.2');
  });

  test('row 201: on networks of both kinds every address is listed, the IPv4 one first', () => {
    const both = ['172.17.0.2', 'fd00::2'];
    const asked = {
      ...NOTHING_KNOWN,
      tails: new Map(),
      hostIPs: ['10.0.0.7', 'fd01::7'],
      now: NOW,
      memory: EMPTY_MEMORY,
    };
    const there = {
      sandboxes: [sandboxOf(pod, { ip: '172.17.0.2', ips: both })],
      containers: [containerOf(pod, 'app')],
    };
    const own = podStatus({ ...asked, desired: pod, there });
    assert.deepEqual([own.podIP, own.podIPs], ['172.17.0.2', both.map(ip => ({ ip }))]);
    const ofHost = [{ ip: '10.0.0.7' }, { ip: 'fd01::7' }];
    assert.deepEqual([own.hostIP, own.hostIPs], ['10.0.0.7', ofHost]);
    const spec = { ...pod.pod.spec, hostNetwork: true };
    const desired = { ...pod, pod: { ...pod.pod, spec } };
    assert.deepEqual(podStatus({ ...asked, desired, there }).podIPs, ofHost);
    const over = podStatus({
      ...asked,
      desired: pod,
      there: { sandboxes: [], containers: [] },
      previous: own,
    });
    assert.deepEqual(over.podIPs, own.podIPs, 'they stay when the sandbox is gone');
  });

  test('the time of start comes from the engine, so it survives a restart of the agent', () => {
    assert.equal(
      status(pod, running(pod).containers, { now: NOW + 1e6 }).startTime,
      '2026-01-01T00:00:00Z',
    );
  });
});

describe('podReports', () => {
  const input = {
    desired: wishes([]),
    observed: running(pod),
    memory: EMPTY_MEMORY,
    now: NOW,
    node: { name: NODE, hostIP: '', memoryBytes: 0 },
    ...NOTHING_KNOWN,
    tails: new Map(),
    completions: new Map(),
    remembered: new Map(),
  };

  test('a pod that ends is shown whole, with the time of its deletion (row 71)', () => {
    const ending = new Map([[pod.uid, { desired: pod, since: NOW }]]);
    const [report] = podReports({ ...input, ending }).reports;
    assert.equal(report?.pod.metadata?.deletionTimestamp, '2026-01-01T00:01:00Z');
    assert.equal(report.pod.metadata.deletionGracePeriodSeconds, 30);
    assert.equal(report.pod.status?.phase, 'Running');
  });

  describe('what runs of the manifest before', () => {
    const edited = (change: Partial<DesiredPod>) =>
      podReports({
        ...input,
        desired: { ...wishes([]), pods: [{ ...pod, ...change }] },
        ending: new Map(),
      });
    const hashes = (a: string) => new Map(pod.containerHashes).set('a', a);

    test('is told while a container of it runs', () => {
      const [report] = edited({ containerHashes: hashes('other') }).reports;
      assert.equal(report?.outdated, true);
    });

    test('is told while its sandbox is ready', () => {
      const [report] = edited({ sandboxHash: 'other' }).reports;
      assert.equal(report?.outdated, true);
    });

    test('is over when all of it is of this manifest', () => {
      const [report] = edited({}).reports;
      assert.equal(report?.outdated, undefined);
    });

    test('is over when its container has ended', () => {
      const observed = running(pod);
      const containers = observed.containers.map(one =>
        one.name === 'a' ? { ...one, state: 'exited' as const, exitCode: 0 } : one,
      );
      const desired = { ...wishes([]), pods: [{ ...pod, containerHashes: hashes('other') }] };
      const world = { ...input, observed: { ...observed, containers }, desired };
      const [report] = podReports({ ...world, ending: new Map() }).reports;
      assert.equal(report?.outdated, undefined);
    });
  });

  test('an orphan of an earlier agent is shown by name', () => {
    const ending = new Map([[pod.uid, { desired: null, since: NOW }]]);
    const [report] = podReports({ ...input, ending }).reports;
    assert.equal(report?.key, `default/web-${NODE}`);
    assert.deepEqual(
      report.pod.spec?.containers.map(one => one.name),
      ['a', 'b'],
    );
  });

  test('a refused manifest is shown as Failed with its reason (row 63)', () => {
    const refused = [
      {
        namespace: 'default',
        name: 'bad',
        origin: 'f',
        bundle: null,
        reason: 'Invalid',
        message: 'f:1:1: no',
      },
    ];
    const desired = { ...wishes([]), refused };
    const [report] = podReports({ ...input, desired, ending: new Map() }).reports;
    assert.deepEqual(report?.pod.status, {
      phase: 'Failed',
      reason: 'Invalid',
      message: 'Pod was rejected: f:1:1: no',
    });
  });

  describe('an update that admission rejects while the version before runs', () => {
    const rejection = {
      phase: 'Failed',
      reason: 'NodePorts',
      message: 'host port 80 is taken',
      againAt: null,
    } as const;
    const next = { ...wish(manifest('web', { labels: { v: '2' }, uid: 'next' })), rejection };
    const desired = { ...wishes([]), pods: [next] };
    const ending = new Map([[pod.uid, { desired: pod, since: NOW }]]);

    test('both are shown, the one that runs last, and it is not ending (row 179)', () => {
      const { reports } = podReports({ ...input, desired, ending });
      assert.deepEqual(
        reports.map(report => [report.pod.metadata?.uid, report.pod.status?.phase]),
        [
          ['next', 'Failed'],
          [pod.uid, 'Running'],
        ],
      );
      const [, former] = reports;
      assert.equal(former?.pod.metadata?.deletionTimestamp, undefined);
      const told = former?.pod.status?.conditions?.find(one => one.type === 'UpdateRejected');
      assert.deepEqual([told?.reason, told?.message], [rejection.reason, rejection.message]);
    });

    const rejectedIn = (pods: readonly DesiredPod[], from: typeof ending = new Map()) =>
      podReports({ ...input, desired: { ...desired, pods }, ending: from }).reports.map(
        ({ rejected }) => rejected,
      );
    const edit = { ...rejection, manifest: 'of the edit' };

    test('which manifest it is about is told with both', () => {
      const ofBundle = { ...next, manifestDigest: 'of the edit' };
      assert.deepEqual(rejectedIn([ofBundle], ending), ['of the edit', 'of the edit']);
    });

    test('and with what goes on in its place, and of a file that is refused its bytes', () => {
      assert.deepEqual(rejectedIn([{ ...pod, heldEdit: edit }]), ['of the edit']);
      const refusedEdit = { reason: 'Syntax', message: 'no', content: 'of the bytes' };
      assert.deepEqual(rejectedIn([{ ...pod, refusedEdit }]), ['of the bytes']);
      assert.deepEqual(rejectedIn([pod]), [undefined]);
    });

    test('the time of the rejection stays', () => {
      const first = podReports({ ...input, desired, ending });
      const { remembered } = first;
      const second = podReports({ ...input, desired, ending, remembered, now: NOW + 60_000 });
      assert.deepEqual(second.reports[1], first.reports[1]);
    });
  });

  test('before the engine was looked at what is remembered stands (T62)', () => {
    const desired = wishes([two]);
    const seen = podReports({ ...input, desired, ending: new Map() });
    const [report] = podReports({
      ...input,
      desired,
      observed: null,
      ending: new Map(),
      remembered: seen.remembered,
      now: NOW + 60_000,
    }).reports;
    assert.deepEqual(report?.pod.status, seen.reports[0]?.pod.status);
  });

  test('and of a pod of which nothing is remembered nothing is said, nor kept', () => {
    const nothing = { ...input, desired: wishes([two]), observed: null, ending: new Map() };
    const { reports, remembered } = podReports(nothing);
    assert.equal(reports[0]?.pod.status?.phase, 'Unknown');
    assert.equal(reports[0].pod.status.containerStatuses, undefined);
    assert.equal(remembered.size, 0);
  });

  test('an orphan is shown as it was remembered', () => {
    const status = { phase: 'Running', startTime: '2020-01-01T00:00:00Z' };
    const [report] = podReports({
      ...input,
      ending: new Map([[pod.uid, { desired: null, since: NOW }]]),
      remembered: new Map([[pod.uid, { status, runs: {} }]]),
    }).reports;
    assert.deepEqual(report?.pod.status, status);
  });
});
