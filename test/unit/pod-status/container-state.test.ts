/** The state of one container: sentence → what is there and what is known → state, last state and the rest. */
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
import { FAILURE_SHOWN_MS, INIT_CONTAINER_GONE } from '../../../agent/pods/container-state.js';
import type { DesiredPod } from '../../../agent/pods/desired.js';
import { podStatus, UPDATE_REJECTED, type StatusInput } from '../../../agent/pods/pod-status.js';
import type { ObservedContainer } from '../../../agent/runtime/runtime.js';
import type { Container, ContainerStatus, PodStatus } from '../../../protocol/pod.js';
import { containerOf, manifest, NOTHING_KNOWN, sandboxOf, T0, wish } from '../../support/pods.js';

const NOW = T0 + 60_000;

const plain = wish(manifest('web'));

/** With containers that validation need not know. */
function withInit(pod: DesiredPod, init: readonly Container[]): DesiredPod {
  const initContainers = init.map(one => ({ image: 'busybox:1', ...one }));
  const hashes = new Map(pod.containerHashes);
  for (const { name } of init) hashes.set(name, `hash-${name}`);
  const spec = { ...pod.pod.spec, initContainers };
  return { ...pod, containerHashes: hashes, pod: { ...pod.pod, spec } };
}

const withPlainInit = withInit(plain, [{ name: 'first' }, { name: 'second' }]);
const withSidecar = withInit(plain, [{ name: 'proxy', restartPolicy: 'Always' }]);
const never = wish(manifest('web', { spec: { restartPolicy: 'Never' } }));

type Change = Partial<Omit<StatusInput, 'desired' | 'there'>> & {
  readonly sandbox?: string;
  readonly isAsleep?: boolean;
};

function shown(
  desired: DesiredPod,
  containers: readonly ObservedContainer[],
  change: Change = {},
): PodStatus {
  const { sandbox, isAsleep = false, ...rest } = change;
  const id = sandbox === undefined ? {} : { id: sandbox };
  const sandboxes = [sandboxOf(desired, { ready: !isAsleep, ...id })];
  const there = { sandboxes, containers };
  const memory = noteExits(change.memory ?? EMPTY_MEMORY, there, NOW);
  return podStatus({ ...NOTHING_KNOWN, now: NOW, ...rest, memory, desired, there });
}

function one(status: PodStatus, name: string): ContainerStatus {
  const all = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const found = all.find(container => container.name === name);
  assert.ok(found, `there is no status of ${name}`);
  return found;
}

function exited(pod: DesiredPod, name: string, code: number, change = {}): ObservedContainer {
  const reason = code === 0 ? 'Completed' : 'Error';
  return containerOf(pod, name, { state: 'exited', exitCode: code, reason, ...change });
}

function failed(kind: FailureKind, detail: string, reason: string, at = NOW): Memory {
  const key = failureKey(kind, plain.uid, detail);
  return noteFailure(EMPTY_MEMORY, { kind, key, reason, message: 'because' }, at);
}

const own = `app/${plain.containerHashes.get('app') ?? ''}`;

describe('row 195: while init containers run', () => {
  test('those that come later wait with PodInitializing, in the order of the manifest', () => {
    const status = shown(withPlainInit, [containerOf(withPlainInit, 'first')]);
    assert.deepEqual(
      status.initContainerStatuses?.map(({ name, state }) => [name, Object.keys(state ?? {})[0]]),
      [
        ['first', 'running'],
        ['second', 'waiting'],
      ],
    );
    assert.deepEqual(one(status, 'second').state, { waiting: { reason: 'PodInitializing' } });
    assert.deepEqual(one(status, 'app').state, { waiting: { reason: 'PodInitializing' } });
    assert.equal(status.phase, 'Pending');
    const { ready, started } = one(status, 'first');
    assert.deepEqual([ready, started], [false, true]);
    const initialized = status.conditions?.find(({ type }) => type === 'Initialized');
    assert.equal(initialized?.message, 'containers with incomplete status: [first second]');
  });

  test('one that succeeded is ready and not started', () => {
    const status = shown(withPlainInit, [
      exited(withPlainInit, 'first', 0),
      containerOf(withPlainInit, 'second'),
    ]);
    const { ready, started, state } = one(status, 'first');
    assert.deepEqual([ready, started], [true, false]);
    assert.equal(state?.terminated?.reason, 'Completed');
  });

  test('row 117: one that failed waits for its next try, the phase is Pending', () => {
    const runs = [0, 1].map(attempt =>
      exited(withPlainInit, 'first', 1, { attempt, createdAt: new Date(NOW - 2000 + attempt) }),
    );
    const status = shown(withPlainInit, runs);
    assert.equal(one(status, 'first').state?.waiting?.reason, 'CrashLoopBackOff');
    assert.equal(status.phase, 'Pending');
    assert.deepEqual(
      status.conditions?.find(({ type }) => type === 'Initialized')?.message,
      'containers with incomplete status: [first second]',
    );
  });

  test('row 118: with a new sandbox they are to run again', () => {
    const status = shown(
      withPlainInit,
      [
        exited(withPlainInit, 'first', 0),
        exited(withPlainInit, 'second', 0),
        exited(withPlainInit, 'app', 1),
      ],
      { sandbox: 'new' },
    );
    const first = one(status, 'first');
    assert.deepEqual(first.state, { waiting: { reason: 'PodInitializing' } });
    assert.equal(first.lastState?.terminated?.exitCode, 0);
  });

  test('row 119: one that was removed after the pod was initialized counts as completed', () => {
    const status = shown(withPlainInit, [
      exited(withPlainInit, 'second', 0),
      containerOf(withPlainInit, 'app'),
    ]);
    const first = one(status, 'first');
    assert.deepEqual(first.state, {
      terminated: { exitCode: 0, reason: 'Completed', message: INIT_CONTAINER_GONE },
    });
    assert.equal(first.ready, true);
    assert.equal(status.phase, 'Running');
    assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  });
});

describe('row 121: a sidecar', () => {
  test('that crashes takes readiness away and leaves the phase alone', () => {
    const runs = [0, 1].map(attempt =>
      exited(withSidecar, 'proxy', 1, { attempt, createdAt: new Date(NOW - 2000 + attempt) }),
    );
    const status = shown(withSidecar, [...runs, containerOf(withSidecar, 'app')]);
    assert.equal(status.phase, 'Running');
    assert.equal(one(status, 'proxy').state?.waiting?.reason, 'CrashLoopBackOff');
    assert.equal(
      status.conditions?.find(({ type }) => type === 'Ready')?.message,
      'containers with unready status: [proxy]',
    );
  });

  test('is started and ready as its probes say', () => {
    const proxy = containerOf(withSidecar, 'proxy');
    const health = new Map([[proxy.id, { started: false, ready: false, kill: null }]]);
    const status = shown(withSidecar, [proxy], { health });
    assert.deepEqual([one(status, 'proxy').started, one(status, 'proxy').ready], [false, false]);
    assert.equal(status.phase, 'Pending');
  });
});

describe('rows 92, 93: readiness', () => {
  const probe = { tcpSocket: { port: 80 } };
  const probed = withInit(plain, []);
  const [app] = probed.pod.spec.containers;
  const pod = {
    ...probed,
    pod: {
      ...probed.pod,
      spec: { ...probed.pod.spec, containers: [{ ...app, name: 'app', readinessProbe: probe }] },
    },
  };

  test('before the first result the container is started and not ready', () => {
    const { started, ready } = one(shown(pod, [containerOf(pod, 'app')]), 'app');
    assert.deepEqual([started, ready], [true, false]);
  });

  test('the probe’s word is shown', () => {
    const running = containerOf(pod, 'app');
    const health = new Map([[running.id, { started: true, ready: true, kill: null }]]);
    const status = shown(pod, [running], { health });
    assert.equal(one(status, 'app').ready, true);
    assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  });
});

describe('a container that is leaving is ready no more, whatever its readiness probe said last', () => {
  const running = containerOf(plain, 'app');
  const well = { started: true, ready: true, kill: null };
  const kill = { probe: 'liveness' as const, message: 'no', graceSeconds: null };
  const rows: readonly [string, Change, boolean][] = [
    ['it goes on', { health: new Map([[running.id, well]]) }, true],
    ['a probe wants it killed', { health: new Map([[running.id, { ...well, kill }]]) }, false],
    [
      'it is being stopped',
      { stops: new Map([[running.id, { since: 1, graceSeconds: 30 }]]) },
      false,
    ],
  ];
  for (const [sentence, change, ready] of rows) {
    test(`${sentence}: ${ready ? 'ready' : 'not ready'}`, () => {
      const status = shown(plain, [running], change);
      assert.ok(one(status, 'app').state?.running);
      assert.equal(one(status, 'app').ready, ready);
      const condition = status.conditions?.find(({ type }) => type === 'ContainersReady');
      assert.equal(condition?.status, ready ? 'True' : 'False');
    });
  }
});

describe('hooks', () => {
  test('row 110: while postStart runs the container is not shown running', () => {
    const running = containerOf(plain, 'app');
    const status = shown(plain, [running], { startingHooks: new Set([running.id]) });
    assert.deepEqual(one(status, 'app').state, { waiting: { reason: 'ContainerCreating' } });
    assert.equal(status.phase, 'Pending');
  });

  test('row 111: a postStart that failed is named before the wait is', () => {
    const memory = failed('container', own, 'PostStartHookError');
    const runs = [0, 1].map(attempt =>
      exited(plain, 'app', 137, {
        attempt,
        createdAt: new Date(NOW - 2000 + attempt),
        finishedAt: new Date(NOW),
      }),
    );
    const soon = one(shown(plain, runs, { memory }), 'app');
    assert.equal(soon.state?.waiting?.reason, 'PostStartHookError');
    assert.equal(soon.lastState?.terminated?.exitCode, 137);
    const later = one(shown(plain, runs, { memory, now: NOW + FAILURE_SHOWN_MS }), 'app');
    assert.equal(later.state?.waiting?.reason, 'CrashLoopBackOff');
  });
});

describe('row 197: a container that is gone', () => {
  const before = (state: ContainerStatus['state'], lastState = {}): PodStatus => ({
    phase: 'Running',
    containerStatuses: [
      {
        name: 'app',
        image: 'busybox:1',
        imageID: 'docker://sha256:aa',
        containerID: 'docker://gone',
        ready: true,
        started: true,
        restartCount: 2,
        ...(state === undefined ? {} : { state }),
        lastState,
      },
    ],
  });
  const runs = { app: { id: 'gone', attempt: 2, createdAt: T0, restarts: 2 } };

  test('and was running: it waits, its last run ended nobody knows how, the count goes up', () => {
    const status = shown(plain, [], { previous: before({ running: {} }), runs });
    const app = one(status, 'app');
    assert.deepEqual(app.state, { waiting: { reason: 'ContainerCreating' } });
    assert.deepEqual(app.lastState, {
      terminated: {
        exitCode: 137,
        reason: 'ContainerStatusUnknown',
        message:
          'The container could not be located when the pod was deleted.  ' +
          'The container used to be Running',
      },
    });
    assert.equal(app.restartCount, 3);
    assert.equal(status.phase, 'Running');
  });

  test('of a pod that is over: it stays as it was shown', () => {
    const ended = { terminated: { exitCode: 0, reason: 'Completed', message: 'bye' } };
    const status = shown(never, [], {
      previous: before(ended),
      runs,
      completion: { phase: 'Succeeded', reason: '', message: '' },
    });
    const app = one(status, 'app');
    assert.deepEqual(app.state, ended);
    assert.deepEqual([app.restartCount, app.containerID], [2, 'docker://gone']);
    assert.equal(status.phase, 'Succeeded');
  });

  test('and the run before the newest was removed: it is remembered', () => {
    const ended = { terminated: { exitCode: 9, containerID: 'docker://gone' } };
    const next = containerOf(plain, 'app', { attempt: 3 });
    const status = shown(plain, [next], { previous: before(ended), runs });
    assert.deepEqual(one(status, 'app').lastState, ended);
  });

  test('and the engine does not know its state: it ended with 137', () => {
    const app = one(shown(never, [containerOf(never, 'app', { state: 'unknown' })]), 'app');
    assert.equal(app.state?.terminated?.reason, 'ContainerStatusUnknown');
    assert.equal(app.state.terminated.exitCode, 137);
  });
});

describe('row 192: a pod that is over', () => {
  test('row 189: past its deadline it is Failed and nothing waits to run again', () => {
    const completion = {
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    } as const;
    const status = shown(plain, [exited(plain, 'app', 137)], { completion });
    assert.equal(status.phase, 'Failed');
    assert.equal(status.reason, 'DeadlineExceeded');
    assert.equal(status.message, completion.message);
    assert.equal(one(status, 'app').state?.terminated?.exitCode, 137);
    assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.reason, 'PodFailed');
  });

  test('stays so whatever its containers do', () => {
    const completion = { phase: 'Succeeded', reason: '', message: '' } as const;
    assert.equal(shown(never, [containerOf(never, 'app')], { completion }).phase, 'Succeeded');
  });

  test('is not over when an edit is about to run', () => {
    const status = shown(never, [exited(never, 'app', 0, { hash: 'former' })]);
    assert.equal(status.phase, 'Running');
    assert.equal(one(status, 'app').state?.waiting?.reason, 'ContainerCreating');
    assert.equal(one(status, 'app').lastState?.terminated?.exitCode, 0);
  });
});

describe('row 197: a container that never ran, of a pod that is over', () => {
  const completion = { phase: 'Failed', reason: 'DeadlineExceeded', message: 'too long' } as const;

  test('is lost, whether it was made or not', () => {
    for (const there of [[], [containerOf(plain, 'app', { state: 'created' })]]) {
      const { terminated } = one(shown(plain, there, { completion }), 'app').state ?? {};
      assert.deepEqual([terminated?.exitCode, terminated?.reason], [137, 'ContainerStatusUnknown']);
      assert.match(terminated?.message ?? '', /could not be located when the pod was terminated/);
    }
  });

  test('began after all: its first run has no other before it', () => {
    const previous = shown(plain, [], { completion });
    const there = [containerOf(plain, 'app', { state: 'exited', exitCode: 137 })];
    const app = one(shown(plain, there, { completion, previous }), 'app');
    assert.equal(app.state?.terminated?.reason, 'Error');
    assert.deepEqual(app.lastState, {});
  });

  test('still waits behind an init container that did not succeed', () => {
    const pod = wish(manifest('deep', { spec: { initContainers: [{ name: 'i', image: 'b:1' }] } }));
    const there = [containerOf(pod, 'i', { state: 'exited', exitCode: 1 })];
    const status = shown(pod, there, { completion });
    assert.equal(one(status, 'app').state?.waiting?.reason, 'PodInitializing');
  });
});

describe('row 179: a pod that admission rejects', () => {
  const rejection = {
    phase: 'Failed',
    reason: 'NodePorts',
    message: 'host port 80 is taken by default/other',
    againAt: null,
  } as const;

  test('is Failed with the reason and has no containers', () => {
    const status = shown({ ...plain, rejection }, []);
    assert.equal(status.phase, 'Failed');
    assert.equal(status.reason, 'NodePorts');
    assert.equal(status.message, 'Pod was rejected: host port 80 is taken by default/other');
    assert.equal(status.containerStatuses, undefined);
  });

  test('P22: is in the words of an eviction when it was ended for what it used', () => {
    const message = 'Usage of EmptyDir volume "d" exceeds the limit "5Mi".';
    const evicted = { ...rejection, reason: 'Evicted', message } as const;
    const status = shown({ ...plain, rejection: evicted }, []);
    assert.deepEqual([status.phase, status.reason], ['Failed', 'Evicted']);
    assert.equal(status.message, message);
    const conditions = status.conditions?.map(({ type, reason }) => [type, reason]);
    assert.deepEqual(conditions?.slice(0, 4), [
      ['DisruptionTarget', 'TerminationByKubelet'],
      ['PodReadyToStartContainers', undefined],
      ['Initialized', undefined],
      ['Ready', 'PodFailed'],
    ]);
  });

  test('or is Pending when it only has to wait', () => {
    const waits = { ...rejection, phase: 'Pending', reason: 'MissingConfigMap' } as const;
    const status = shown({ ...plain, rejection: waits }, []);
    assert.equal(status.phase, 'Pending');
    assert.deepEqual([status.reason, status.message], [waits.reason, waits.message]);
    assert.deepEqual(one(status, 'app').state, {
      waiting: { reason: 'ContainerCreating', message: waits.message },
    });
  });

  for (const [says, phase, type, other] of [
    ['rejected', 'Failed', UPDATE_REJECTED, 'UpdateWaiting'],
    ['waiting', 'Pending', 'UpdateWaiting', UPDATE_REJECTED],
  ] as const) {
    test(`as an edit of a pod that runs: it runs on and says that the update is ${says}`, () => {
      const held = { ...rejection, phase };
      const status = shown({ ...plain, rejection: held }, [containerOf(plain, 'app')]);
      assert.equal(status.phase, 'Running');
      const told = status.conditions?.find(one => one.type === type);
      assert.deepEqual([told?.status, told?.reason], ['True', 'NodePorts']);
      assert.ok(!status.conditions?.some(one => one.type === other));
    });
  }

  const afterReboot = [containerOf(plain, 'app', { state: 'exited', exitCode: 137, attempt: 3 })];

  test('after a start of the node it is no update: Failed with the reason, its counts known', () => {
    const status = shown({ ...plain, rejection }, afterReboot, { isAsleep: true });
    assert.deepEqual([status.phase, status.reason], ['Failed', 'NodePorts']);
    assert.equal(one(status, 'app').restartCount, 3);
  });

  test('nor is what waits for another pod then: the status says what for', () => {
    const waits = { ...rejection, phase: 'Pending', reason: 'WaitingFor' } as const;
    const status = shown({ ...plain, rejection: waits }, afterReboot, { isAsleep: true });
    assert.equal(status.reason, 'WaitingFor');
    assert.ok(!status.conditions?.some(({ type }) => type.startsWith('Update')));
  });

  test('row 63 better, P5: so does one whose manifest was edited and refused', () => {
    const refusedEdit = { reason: 'Syntax', message: 'web.yaml:8:40: …' };
    const status = shown({ ...plain, refusedEdit }, [containerOf(plain, 'app')]);
    assert.equal(status.phase, 'Running');
    const told = status.conditions?.find(({ type }) => type === UPDATE_REJECTED);
    assert.deepEqual(
      [told?.status, told?.reason, told?.message],
      ['True', ...Object.values(refusedEdit)],
    );
  });
});

describe('row 199: messages', () => {
  test('the engine’s error stands before what the program left', () => {
    const run = exited(plain, 'app', 1, { message: 'engine' });
    const status = shown(plain, [run], { messages: new Map([[run.id, 'program']]) });
    assert.equal(one(status, 'app').state?.terminated?.message, 'engine: program');
  });

  test('twelve containers share 12 KiB, and no character is cut in two', () => {
    const names = Array.from({ length: 12 }, (_, i) => ({ name: `c${i}` }));
    const pod = wish(manifest('many', { containers: names }));
    const run = exited(pod, 'c0', 1);
    const messages = new Map([[run.id, 'é'.repeat(2048)]]);
    const message = one(shown(pod, [run], { messages }), 'c0').state?.terminated?.message ?? '';
    assert.equal(message, 'é'.repeat(512));
  });
});

describe('rows 198, 201: the rest of a status', () => {
  test('resources and mounts are shown as a kubelet of Kubernetes 1.33 shows them', () => {
    const pod = wish(
      manifest('web', {
        containers: [
          {
            name: 'app',
            resources: { limits: { cpu: '100m' } },
            volumeMounts: [
              { name: 'd', mountPath: '/rw' },
              { name: 'd', mountPath: '/ro', readOnly: true },
            ],
          },
        ],
        spec: { volumes: [{ name: 'd' }] },
      }),
    );
    const app = one(shown(pod, [containerOf(pod, 'app')]), 'app');
    assert.deepEqual(app.resources, { limits: { cpu: '100m' }, requests: { cpu: '100m' } });
    assert.deepEqual(app.allocatedResources, { cpu: '100m' });
    assert.deepEqual(app.volumeMounts, [
      { name: 'd', mountPath: '/rw' },
      { name: 'd', mountPath: '/ro', readOnly: true, recursiveReadOnly: 'Disabled' },
    ]);
  });

  test('with the host’s network the pod has the node’s address', () => {
    const spec = { ...plain.pod.spec, hostNetwork: true };
    const pod = { ...plain, pod: { ...plain.pod, spec } };
    const there = {
      sandboxes: [sandboxOf(pod, { ip: '' })],
      containers: [containerOf(pod, 'app')],
    };
    const status = podStatus({
      ...NOTHING_KNOWN,
      desired: pod,
      there,
      now: NOW,
      memory: EMPTY_MEMORY,
    });
    assert.deepEqual([status.hostIP, status.podIP], ['10.0.0.7', '10.0.0.7']);
    const [begins] = status.conditions ?? [];
    assert.deepEqual([begins?.type, begins?.status], ['PodReadyToStartContainers', 'True']);
  });

  test('row 75: the time of start is kept', () => {
    const startTime = '2020-01-01T00:00:00Z';
    assert.equal(shown(plain, [], { previous: { startTime } }).startTime, startTime);
  });
});
