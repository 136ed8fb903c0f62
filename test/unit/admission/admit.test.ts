/** Which pods may begin: node fit, ports, priority, start order (kubelet behaviour rows 177 to 187, P2, P20). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { admission, type AdmissionContext } from '../../../agent/admission/admit.js';
import { nodeLabels } from '../../../agent/admission/node-fit.js';
import { DEFAULT_POLICY } from '../../../agent/admission/policy.js';
import { releases } from '../../../agent/admission/releases.js';
import { EMPTY_MEMORY } from '../../../agent/pods/back-off.js';
import type { Desired, DesiredPod } from '../../../agent/pods/desired.js';
import { plan } from '../../../agent/pods/plan.js';
import type { PodReport } from '../../../agent/ports.js';
import type { ObservedPods } from '../../../agent/runtime/runtime.js';
import type { PodStatus } from '../../../protocol/pod.js';
import {
  CALM,
  containerOf,
  manifest,
  NODE,
  running,
  sandboxOf,
  T0,
  together,
  wishes,
  type PodOptions,
} from '../../support/pods.js';

const NOTHING: ObservedPods = { sandboxes: [], containers: [] };

const node = {
  name: NODE,
  labels: nodeLabels({ name: NODE, arch: 'amd64' }, { site: 'berlin', rack: '7' }),
  allocatable: { cpu: '2', memory: '1Gi', pods: '3' },
};
const gate = admission({ policy: DEFAULT_POLICY, node });

const pod = (name: string, options: PodOptions = {}) => manifest(name, options);
const onPort = (hostPort: number, hostIP = '', protocol: 'TCP' | 'UDP' = 'TCP'): PodOptions => ({
  containers: [{ name: 'app', ports: [{ containerPort: 80, hostPort, hostIP, protocol }] }],
});
const requesting = (requests: Record<string, string>): PodOptions => ({
  containers: [{ name: 'app', resources: { requests } }],
});

function admit(desired: Desired, context: Partial<AdmissionContext> = {}): Desired {
  return gate.admit(desired, { reports: [], observed: NOTHING, now: T0, ...context });
}

function find(desired: Desired, name: string): DesiredPod {
  const found = desired.pods.find(({ key }) => key.endsWith(`/${name}-${NODE}`));
  assert.ok(found, name);
  return found;
}

/** `Failed NodePorts`, by name; `-` for what may begin. */
function verdicts(desired: Desired): Record<string, string> {
  return Object.fromEntries(
    desired.pods.map(({ key, rejection }) => [
      key.slice(key.indexOf('/') + 1, -NODE.length - 1),
      rejection === null ? '-' : `${rejection.phase} ${rejection.reason}`,
    ]),
  );
}

function messageOf(desired: Desired, name: string): string {
  return find(desired, name).rejection?.message ?? '';
}

function report(of: DesiredPod, status: PodStatus): PodReport {
  const { key, source, bundle, manifestDigest } = of;
  return { key, source, bundle, manifestDigest, pod: { ...of.pod, status } };
}

const READY: PodStatus = {
  phase: 'Running',
  conditions: [{ type: 'Ready', status: 'True' }],
  containerStatuses: [
    {
      name: 'app',
      image: '',
      imageID: '',
      ready: true,
      restartCount: 0,
      containerID: 'docker://1',
    },
  ],
};
const STARTING: PodStatus = { phase: 'Pending', conditions: [{ type: 'Ready', status: 'False' }] };

/** The pod as it lies there after the node was started anew. */
function dead(of: DesiredPod): ObservedPods {
  return {
    sandboxes: [sandboxOf(of, { ready: false })],
    containers: of.pod.spec.containers.map(({ name }) =>
      containerOf(of, name, { state: 'exited', exitCode: 0 }),
    ),
  };
}

describe('row 178: node labels', () => {
  const affinity = (requirement: object, list = 'matchExpressions'): PodOptions => ({
    spec: {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ [list]: [requirement] }],
          },
        },
      },
    },
  });
  const rows: [string, PodOptions, boolean][] = [
    ['hostname', { spec: { nodeSelector: { 'kubernetes.io/hostname': NODE } } }, true],
    ['os', { spec: { nodeSelector: { 'kubernetes.io/os': 'linux' } } }, true],
    ['arch', { spec: { nodeSelector: { 'kubernetes.io/arch': 'arm64' } } }, false],
    ['configured', { spec: { nodeSelector: { site: 'berlin' } } }, true],
    ['missing', { spec: { nodeSelector: { site: 'berlin', floor: '1' } } }, false],
    ['In', affinity({ key: 'site', operator: 'In', values: ['rome', 'berlin'] }), true],
    ['In another', affinity({ key: 'site', operator: 'In', values: ['rome'] }), false],
    ['NotIn', affinity({ key: 'site', operator: 'NotIn', values: ['rome'] }), true],
    ['NotIn absent', affinity({ key: 'x', operator: 'NotIn', values: ['rome'] }), true],
    ['NotIn own', affinity({ key: 'site', operator: 'NotIn', values: ['berlin'] }), false],
    ['Exists', affinity({ key: 'site', operator: 'Exists' }), true],
    ['Exists absent', affinity({ key: 'x', operator: 'Exists' }), false],
    ['DoesNotExist', affinity({ key: 'x', operator: 'DoesNotExist' }), true],
    ['DoesNotExist own', affinity({ key: 'site', operator: 'DoesNotExist' }), false],
    ['Gt', affinity({ key: 'rack', operator: 'Gt', values: ['6'] }), true],
    ['Gt equal', affinity({ key: 'rack', operator: 'Gt', values: ['7'] }), false],
    ['Lt', affinity({ key: 'rack', operator: 'Lt', values: ['10'] }), true],
    ['Gt text', affinity({ key: 'site', operator: 'Gt', values: ['1'] }), false],
    [
      'field',
      affinity({ key: 'metadata.name', operator: 'In', values: [NODE] }, 'matchFields'),
      true,
    ],
    [
      'field else',
      affinity({ key: 'metadata.name', operator: 'In', values: ['b'] }, 'matchFields'),
      false,
    ],
  ];
  for (const [what, options, fits] of rows) {
    test(`${what}: ${fits ? 'admitted' : 'NodeAffinity'}`, () => {
      const result = admit(wishes([pod('a', options)]));
      assert.deepEqual(verdicts(result), { a: fits ? '-' : 'Failed NodeAffinity' });
    });
  }

  test('the message is the kubelet’s, with the field', () => {
    const result = admit(wishes([pod('a', { spec: { nodeSelector: { site: 'rome' } } })]));
    assert.equal(
      messageOf(result, 'a'),
      "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector: " +
        'spec.nodeSelector[site]: wants site=rome and the node has site=berlin',
    );
  });
});

describe('row 177, T73: the operating system', () => {
  test('spec.os of another system is refused in the kubelet’s words', () => {
    const result = admit(wishes([pod('a', { spec: { os: { name: 'windows' } } })]));
    assert.deepEqual(verdicts(result), { a: 'Failed PodOSNotSupported' });
    assert.match(
      messageOf(result, 'a'),
      /^Failed to admit pod as the OS field doesn't match node OS/,
    );
  });

  test('a label of the pod that names another is refused', () => {
    const result = admit(wishes([pod('a', { labels: { 'kubernetes.io/os': 'windows' } })]));
    assert.deepEqual(verdicts(result), { a: 'Failed PodOSSelectorNodeLabelDoesNotMatch' });
  });

  test('linux is admitted', () => {
    const options = { spec: { os: { name: 'linux' } }, labels: { 'kubernetes.io/os': 'linux' } };
    assert.deepEqual(verdicts(admit(wishes([pod('a', options)]))), { a: '-' });
  });
});

test('row 46: a name that is too long with the node’s behind it is refused, one that just fits is not', () => {
  const names = [253, 252].map(length => 'l'.repeat(length - '-edge1'.length + 1));
  const result = admit(wishes(names.map(name => pod(name))));
  assert.deepEqual(Object.values(verdicts(result)), ['-', 'Failed InvalidName']);
  assert.match(
    messageOf(result, names[0] ?? ''),
    /^metadata\.name: Invalid value: .* 254 characters/,
  );
});

describe('rows 182, 183: resources', () => {
  test('row 182: what does not fit has the plain reason', () => {
    const result = admit(wishes([pod('a', requesting({ cpu: '1000' }))]));
    assert.deepEqual(verdicts(result), { a: 'Failed OutOfcpu' });
    assert.equal(
      messageOf(result, 'a'),
      "Node didn't have enough resource: cpu, requested: 1000000, used: 0, capacity: 2000",
    );
  });

  test('what runs and what was admitted before counts', () => {
    const desired = wishes([
      pod('a', requesting({ memory: '600Mi' })),
      pod('b', requesting({ memory: '300Mi' })),
      pod('c', requesting({ memory: '300Mi' })),
    ]);
    const observed = running(find(desired, 'a'));
    const result = admit(desired, { observed });
    assert.deepEqual(verdicts(result), { a: '-', b: '-', c: 'Failed OutOfmemory' });
    assert.equal(
      messageOf(result, 'c'),
      "Node didn't have enough resource: memory, requested: 314572800, used: 943718400, " +
        'capacity: 1073741824',
    );
  });

  test('what requests nothing always fits', () => {
    const desired = wishes([pod('a', requesting({ cpu: '2' })), pod('b')]);
    assert.deepEqual(verdicts(admit(desired)), { a: '-', b: '-' });
  });

  test('the number of pods is limited', () => {
    const desired = wishes(['a', 'b', 'c', 'd'].map(name => pod(name)));
    const result = admit(desired);
    assert.deepEqual(verdicts(result), { a: '-', b: '-', c: '-', d: 'Failed OutOfpods' });
    assert.equal(
      messageOf(result, 'd'),
      "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
    );
  });

  test('T26: what has ended for good takes nothing any more, reports or not', () => {
    const options = { ...requesting({ cpu: '2' }), spec: { restartPolicy: 'Never' } };
    const desired = wishes([pod('a', options), pod('b', requesting({ cpu: '2' }))]);
    const observed = dead(find(desired, 'a'));
    assert.deepEqual(verdicts(admit(desired, { observed })), { a: '-', b: '-' });
    const alive = running(find(desired, 'a'));
    assert.deepEqual(verdicts(admit(desired, { observed: alive })), {
      a: '-',
      b: 'Failed OutOfcpu',
    });
  });

  test('P17: a pod that is remembered to be over is not judged, though the engine forgot it', () => {
    const desired = wishes([
      pod('a', { ...requesting({ cpu: '2' }), spec: { restartPolicy: 'Never' } }),
      pod('b', requesting({ cpu: '2' })),
    ]);
    const a = find(desired, 'a');
    const completion = {
      uid: a.uid,
      configHash: a.pod.metadata.annotations?.['kubernetes.io/config.hash'] ?? '',
      phase: 'Succeeded',
      reason: '',
      message: '',
      finishedAt: T0,
    } as const;
    const observed = running(find(desired, 'b'));
    assert.deepEqual(verdicts(admit(desired, { observed })), { a: 'Failed OutOfcpu', b: '-' });
    const completions = new Map([[a.uid, completion]]);
    assert.deepEqual(verdicts(admit(desired, { observed, completions })), { a: '-', b: '-' });
  });

  test('row 180, P2: it is admitted as soon as there is room', () => {
    const desired = wishes([
      pod('a', requesting({ cpu: '2' })),
      pod('b', requesting({ cpu: '1' })),
    ]);
    const a = find(desired, 'a');
    const before = admit(desired, { observed: running(a) });
    assert.deepEqual(verdicts(before), { a: '-', b: 'Failed OutOfcpu' });
    const alone = wishes([pod('b', requesting({ cpu: '1' }))]);
    const ending = admit(alone, { observed: running(a), reports: [report(a, READY)] });
    assert.deepEqual(verdicts(ending), { b: 'Pending OutOfcpu' });
    assert.deepEqual(verdicts(admit(alone, { reports: [report(a, READY)] })), { b: '-' });
  });
});

describe('row 181, 187: who comes first when not all fit', () => {
  const pods = [
    pod('a', requesting({ cpu: '2' })),
    pod('b', { ...requesting({ cpu: '2' }), spec: { priority: 5 } }),
    pod('c', { ...requesting({ cpu: '2' }), spec: { priorityClassName: 'system-node-critical' } }),
  ];

  test('at a cold start the critical one, by its class', () => {
    assert.deepEqual(verdicts(admit(wishes(pods))), {
      a: 'Failed OutOfcpu',
      b: 'Failed OutOfcpu',
      c: '-',
    });
  });

  test('then the higher priority', () => {
    assert.deepEqual(verdicts(admit(wishes(pods.slice(0, 2)))), { a: 'Failed OutOfcpu', b: '-' });
  });

  test('what came before is not pushed away by what comes later', () => {
    const [a, , c] = pods;
    assert.ok(a && c);
    const first = wishes([a]);
    const both = wishes([a, c]);
    const later = both.pods.map(one => {
      if (!one.key.includes('/c-')) return one;
      const annotations = {
        ...one.pod.metadata.annotations,
        'kubernetes.io/config.seen': new Date(T0 + 5000).toISOString(),
      };
      return { ...one, pod: { ...one.pod, metadata: { ...one.pod.metadata, annotations } } };
    });
    assert.deepEqual(verdicts(admit(first)), { a: '-' });
    assert.deepEqual(verdicts(admit({ ...both, pods: later })), { a: '-', c: 'Failed OutOfcpu' });
  });
});

describe('row 184: host ports', () => {
  test('the second pod on a port is refused, with port and holder', () => {
    const desired = wishes([pod('a', onPort(8080)), pod('b', onPort(8080))]);
    const result = admit(desired, { observed: running(find(desired, 'b')) });
    assert.deepEqual(verdicts(result), { a: 'Failed NodePorts', b: '-' });
    assert.equal(
      messageOf(result, 'a'),
      "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports: " +
        `spec.containers[0].ports[0].hostPort: host port 8080/TCP is taken by pod default/b-${NODE}`,
    );
  });

  const rows: [string, PodOptions, PodOptions, boolean][] = [
    ['another port', onPort(8080), onPort(8081), false],
    ['another protocol', onPort(53), onPort(53, '', 'UDP'), false],
    ['another address', onPort(53, '127.0.0.1'), onPort(53, '10.0.0.1'), false],
    ['the same address', onPort(53, '127.0.0.1'), onPort(53, '127.0.0.1'), true],
    [
      'an IPv6 address in two spellings',
      onPort(53, '2001:DB8::0:1'),
      onPort(53, '2001:db8::1'),
      true,
    ],
    ['all IPv6 addresses beside one', onPort(53, '0::0'), onPort(53, 'fe80::1'), true],
    ['two IPv6 addresses', onPort(53, '::1'), onPort(53, '::2'), false],
    ['IPv4 in IPv6 form', onPort(53, '::ffff:10.0.0.1'), onPort(53, '10.0.0.1'), true],
    ['any address beside one', onPort(53, '0.0.0.0'), onPort(53, '127.0.0.1'), true],
    ['one beside any', onPort(53, '127.0.0.1'), onPort(53), true],
    [
      'a container’s port with the node’s network',
      onPort(80),
      {
        spec: { hostNetwork: true },
        containers: [{ name: 'app', ports: [{ containerPort: 80 }] }],
      },
      true,
    ],
  ];
  for (const [what, first, second, clashes] of rows) {
    test(`${what}: ${clashes ? 'clashes' : 'does not clash'}`, t => {
      let pods;
      try {
        pods = [pod('a', first), pod('b', second)];
      } catch (error) {
        // Fields that other parts turn on may still be refused by validation.
        return t.skip((error as Error).message);
      }
      const expected = { a: '-', b: clashes ? 'Failed NodePorts' : '-' };
      assert.deepEqual(verdicts(admit(wishes(pods))), expected);
    });
  }

  test('row 64: the pod that is being replaced does not clash with its successor', () => {
    const old = wishes([pod('a', onPort(8080))]);
    const next = wishes([pod('a', { ...onPort(8080), annotations: { 'checksum/x': '1' } })]);
    const was = find(old, 'a');
    assert.notEqual(was.uid, find(next, 'a').uid);
    const result = admit(next, { observed: running(was), reports: [report(was, READY)] });
    assert.deepEqual(verdicts(result), { a: '-' });
  });

  test('T18: a pod of another name waits for the one whose port it takes over, then begins', () => {
    const was = find(wishes([pod('a', onPort(8080))]), 'a');
    const renamed = wishes([pod('b', onPort(8080))]);
    const context = { observed: running(was), reports: [report(was, READY)] };
    const result = admit(renamed, context);
    assert.deepEqual(verdicts(result), { b: 'Pending NodePorts' });
    assert.match(messageOf(result, 'b'), /taken by pod default\/a-edge1, which is ending$/);
    assert.deepEqual(verdicts(admit(renamed, { ...context, observed: NOTHING })), { b: '-' });
  });

  test('what an agent before this one left on the port is waited for, by what the engine tells of it', () => {
    const left = find(wishes([pod('a', onPort(8080))]), 'a');
    const port = { containerPort: 80, hostPort: 8080, hostIP: '0.0.0.0', protocol: 'TCP' } as const;
    const sandbox = (ready: boolean): ObservedPods => ({
      sandboxes: [sandboxOf(left, { ready, ports: [port] })],
      containers: [],
    });
    const desired = wishes([pod('b', onPort(8080))]);
    const result = admit(desired, { observed: sandbox(true) });
    assert.deepEqual(verdicts(result), { b: 'Pending NodePorts' });
    assert.match(messageOf(result, 'b'), /taken by pod default\/a-edge1, which is ending$/);
    assert.deepEqual(verdicts(admit(desired, { observed: sandbox(false) })), { b: '-' });
  });

  describe('row 64: pods that take over each other’s ports', () => {
    /** Each runs on its first port and is to run on its second. */
    const swapped = (
      ports: Record<string, [number, number]>,
      more: Record<string, PodOptions> = {},
    ) => {
      const names = Object.keys(ports);
      const of = (index: 0 | 1) =>
        wishes(
          names.map(name =>
            pod(name, { ...onPort(ports[name]?.[index] ?? 0), ...(index === 1 ? more[name] : {}) }),
          ),
        );
      const before = of(0);
      const were = names.map(name => find(before, name));
      return verdicts(
        admit(of(1), {
          observed: together(...were.map(running)),
          reports: were.map(was => report(was, READY)),
        }),
      );
    };

    test('may all begin when they wait in a ring: nobody else would end first', () => {
      assert.deepEqual(swapped({ a: [81, 82], b: [82, 81] }), { a: '-', b: '-' });
      const three = { a: [81, 82], b: [82, 83], c: [83, 81] } satisfies Record<
        string,
        [number, number]
      >;
      assert.deepEqual(swapped(three), { a: '-', b: '-', c: '-' });
    });

    test('wait one after the other where one of them can begin', () => {
      const chain = { a: [81, 82], b: [82, 83] } satisfies Record<string, [number, number]>;
      assert.deepEqual(swapped(chain), { a: 'Pending NodePorts', b: '-' });
    });

    test('all wait where one of the ring may not begin for another reason', () => {
      const refused = { b: { spec: { nodeSelector: { site: 'paris' } } } };
      assert.deepEqual(swapped({ a: [81, 82], b: [82, 81] }, refused), {
        a: 'Pending NodePorts',
        b: 'Failed NodeAffinity',
      });
    });

    test('are two for one place: only the first of them begins', () => {
      const ring = { a: [81, 82], b: [82, 81], c: [83, 81] } satisfies Record<
        string,
        [number, number]
      >;
      assert.deepEqual(swapped(ring), { a: '-', b: '-', c: 'Pending NodePorts' });
    });
  });

  test('what runs is not judged again', () => {
    const desired = wishes([pod('a', onPort(8080)), pod('b', onPort(8080))]);
    const observed = together(running(find(desired, 'a')), running(find(desired, 'b')));
    assert.deepEqual(verdicts(admit(desired, { observed })), { a: '-', b: '-' });
  });
});

describe('P2: an edit of a pod that runs', () => {
  const missing = {
    phase: 'Pending',
    reason: 'MissingConfigMap',
    message: 'x',
    againAt: null,
  } as const;
  const asked: string[] = [];
  const gateOf = (name: string) => (pod: DesiredPod) => {
    asked.push(`${name} ${pod.uid === '' ? '' : pod.pod.metadata.name}`);
    return name === 'objects' ? missing : null;
  };
  const objects = gateOf('objects');
  const strict = admission({
    policy: DEFAULT_POLICY,
    node,
    gates: [gateOf('other'), objects],
    editGates: [objects],
  });

  test('is held by what it names and is not there; what has no edit is not asked', () => {
    const was = find(wishes([pod('a')]), 'a');
    const edited = wishes([pod('a', { containers: [{ name: 'app', args: ['x'] }] })]);
    const context = { reports: [report(was, READY)], observed: running(was), now: T0 };
    assert.deepEqual(verdicts(strict.admit(wishes([pod('a')]), context)), { a: '-' });
    assert.deepEqual(asked, []);
    assert.deepEqual(verdicts(strict.admit(edited, context)), { a: 'Pending MissingConfigMap' });
    assert.deepEqual(asked, [`objects a-${NODE}`]);
  });
});

describe('P20: start order', () => {
  const after = (what: string, timeout?: string): PodOptions => ({
    annotations: {
      'flotilla.dev/start-after': what,
      ...(timeout === undefined ? {} : { 'flotilla.dev/start-after-timeout': timeout }),
    },
  });

  test('waits until the other is ready, naming it', () => {
    const desired = wishes([pod('db'), pod('web', after('db'))]);
    const db = find(desired, 'db');
    const observed = running(db);
    const first = admit(desired, { observed, reports: [report(db, STARTING)] });
    assert.deepEqual(verdicts(first), { db: '-', web: 'Pending WaitingFor' });
    assert.equal(
      messageOf(first, 'web'),
      'metadata.annotations[flotilla.dev/start-after]: waits for pod default/db, ' +
        'which is not ready (Pending)',
    );
    const then = admit(desired, { observed, reports: [report(db, READY)] });
    assert.deepEqual(verdicts(then), { db: '-', web: '-' });
  });

  test('one that has succeeded will do', () => {
    const desired = wishes([
      pod('db', { spec: { restartPolicy: 'Never' } }),
      pod('web', after('db')),
    ]);
    const done = report(find(desired, 'db'), { phase: 'Succeeded' });
    assert.equal(find(admit(desired, { reports: [done] }), 'web').rejection, null);
  });

  test('the report of a former pod of that name will not do', () => {
    const old = find(wishes([pod('db', { annotations: { 'checksum/x': '1' } })]), 'db');
    const desired = wishes([pod('db'), pod('web', after('db'))]);
    const result = admit(desired, { reports: [report(old, READY)] });
    assert.equal(find(result, 'web').rejection?.reason, 'WaitingFor');
  });

  test('each of several, with and without namespace', () => {
    const desired = wishes([
      pod('db'),
      pod('queue', { namespace: 'infra' }),
      pod('web', after(' db , infra/queue,infra/none ')),
    ]);
    assert.match(
      messageOf(admit(desired), 'web'),
      /waits for pod default\/db, .*; pod infra\/queue, .*; pod infra\/none, which no manifest describes$/,
    );
  });

  test('after the time-out it starts in any case, with an event', () => {
    const desired = wishes([pod('web', after('db', '5m'))]);
    const before = admit(desired, { now: T0 + 299_999 });
    assert.equal(find(before, 'web').rejection?.againAt, T0 + 300_000);
    assert.match(messageOf(before, 'web'), /starts at 2026-01-01T00:05:00\.000Z in any case$/);
    const late = admit(desired, { now: T0 + 300_000 });
    assert.deepEqual(verdicts(late), { web: '-' });
    const [one, ...more] = releases(before, late, T0 + 300_000);
    assert.deepEqual(more, []);
    assert.equal(one?.event.type, 'Warning');
    assert.equal(one?.event.reason, 'StartAfterTimeout');
  });

  test('pods in a circle are refused, with the circle; those behind it wait', () => {
    const desired = wishes([
      pod('a', after('b')),
      pod('b', after('c')),
      pod('c', after('a')),
      pod('d', after('a')),
    ]);
    const result = gateOfMany.admit(desired, { reports: [], observed: NOTHING, now: T0 });
    assert.deepEqual(verdicts(result), {
      a: 'Failed StartAfterCycle',
      b: 'Failed StartAfterCycle',
      c: 'Failed StartAfterCycle',
      d: 'Pending WaitingFor',
    });
    assert.match(
      messageOf(result, 'b'),
      /pods wait for each other: default\/b -> default\/c -> default\/a -> default\/b$/,
    );
  });

  test('a pod that waits for itself is refused', () => {
    const result = admit(wishes([pod('a', after('a'))]));
    assert.match(messageOf(result, 'a'), /wait for each other: default\/a -> default\/a$/);
  });

  test('a restart of a pod that runs is not held up', () => {
    const desired = wishes([pod('web', after('db'))]);
    const web = find(desired, 'web');
    const observed = { ...running(web), containers: dead(web).containers };
    assert.deepEqual(verdicts(admit(desired, { observed })), { web: '-' });
    const gone = { observed: dead(web), reports: [report(web, READY)] };
    assert.deepEqual(verdicts(admit(desired, gone)), { web: '-' });
  });

  test('after a start of the node it is held up, round after round, until the other is ready', () => {
    const desired = wishes([pod('db'), pod('web', after('db'))]);
    const [db, web] = [find(desired, 'db'), find(desired, 'web')];
    const first = admit(desired, { observed: together(dead(db), dead(web)) });
    assert.deepEqual(verdicts(first), { db: '-', web: 'Pending WaitingFor' });
    const held = report(web, {
      ...READY,
      conditions: [{ type: 'UpdateRejected', status: 'True', reason: 'WaitingFor' }],
    });
    const observed = together(running(db), dead(web));
    const second = admit(desired, { observed, reports: [report(db, STARTING), held] });
    assert.deepEqual(verdicts(second), { db: '-', web: 'Pending WaitingFor' });
    const third = admit(desired, { observed, reports: [report(db, READY), held] });
    assert.deepEqual(verdicts(third), { db: '-', web: '-' });
  });
});

const gateOfMany = admission({ policy: DEFAULT_POLICY, node: { ...node, allocatable: {} } });

describe('the gate as a whole', () => {
  test('a further gate is asked, after the others', () => {
    const asked: string[] = [];
    const more = admission({
      policy: DEFAULT_POLICY,
      node,
      gates: [
        ({ key }) => {
          asked.push(key);
          return { phase: 'Pending', reason: 'MissingConfigMap', message: 'x', againAt: null };
        },
      ],
    });
    const desired = wishes([pod('a'), pod('b', { spec: { nodeSelector: { x: 'y' } } })]);
    const result = more.admit(desired, { reports: [], observed: NOTHING, now: T0 });
    assert.deepEqual(verdicts(result), { a: 'Pending MissingConfigMap', b: 'Failed NodeAffinity' });
    assert.deepEqual(asked, [`default/a-${NODE}`]);
  });

  test('twice is the same as once', () => {
    const desired = wishes([pod('a', onPort(1)), pod('b', onPort(1))]);
    const once = admit(desired);
    assert.deepEqual(admit(once), once);
  });

  test('an edit that is refused keeps the pod that runs', () => {
    const was = find(wishes([pod('a')]), 'a');
    const edited = wishes([pod('a', { spec: { nodeSelector: { site: 'rome' } } })]);
    const observed = running(was);
    const desired = admit(edited, { observed, reports: [report(was, READY)] });
    assert.deepEqual(verdicts(desired), { a: 'Failed NodeAffinity' });
    const input = {
      desired,
      observed,
      memory: EMPTY_MEMORY,
      ...CALM,
      podData: new Set<string>(),
      now: T0,
    };
    assert.deepEqual(plan(input), []);
  });

  test('the end of a refusal is told once', () => {
    const desired = wishes([pod('a', onPort(1)), pod('b', onPort(1))]);
    const observed = running(find(desired, 'a'));
    const refused = admit(desired, { observed });
    assert.deepEqual(releases(desired, refused, T0), []);
    assert.deepEqual(releases(refused, admit(desired, { observed }), T0), []);
    const free = admit(wishes([pod('b', onPort(1))]));
    const told = releases(refused, free, T0).map(({ event }) => event);
    assert.deepEqual(told, [
      { type: 'Normal', reason: 'Admitted', message: 'May start: NodePorts holds no more' },
    ]);
    assert.deepEqual(releases(free, free, T0), []);
  });
});
