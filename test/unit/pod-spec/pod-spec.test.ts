/** From a Pod to the runtime's specs: environment, commands, resources, mounts, names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NO_CONFIG_OBJECTS } from '../../../agent/pods/config-objects.js';
import { environment, expand } from '../../../agent/pods/pod-env.js';
import { linuxResources, qosClass } from '../../../agent/pods/pod-resources.js';
import { containerSpec, sandboxSpec } from '../../../agent/pods/pod-spec.js';
import type { ContainerSpec } from '../../../agent/runtime/runtime.js';
import type { Container } from '../../../protocol/pod.js';
import { manifest, NODE, nodeFactsOf, wish, type PodOptions } from '../../support/pods.js';

const facts = {
  attempt: 2,
  round: 0,
  node: nodeFactsOf({ hostIP: '10.0.0.7', memoryBytes: 1000 * 1024 * 1024 }),
  mounts: [],
  devices: [],
  env: new Map<string, string>(),
  imageUser: '',
  seccompProfile: null,
};

function spec(container: Partial<Container>, options: PodOptions = {}): ContainerSpec {
  const pod = wish(manifest('web', { ...options, containers: [{ name: 'app', ...container }] }));
  const [first] = pod.pod.spec.containers;
  assert.ok(first !== undefined);
  const { values } = environment(first, pod.pod, {
    node: facts.node,
    podIPs: ['172.17.0.9'],
    objects: NO_CONFIG_OBJECTS,
    files: new Map(),
  });
  return containerSpec(pod, first, { ...facts, env: values });
}

const values = new Map([
  ['A', '1'],
  ['B', '$(A)'],
]);
const expansions: readonly [string, string, string][] = [
  ['a known name', 'x$(A)y', 'x1y'],
  ['an unknown name stays', '$(NONE)', '$(NONE)'],
  ['two dollars stand for one', '$$(A)', '$(A)'],
  ['three dollars', '$$$(A)', '$1'],
  ['the value is not looked at again', '$(B)', '$(A)'],
  ['shell variables stay', '$A ${A} $', '$A ${A} $'],
  ['an open bracket stays', 'a$(A', 'a$(A'],
  ['an empty name stays', '$()', '$()'],
];

describe('expand', () => {
  for (const [says, text, wanted] of expansions) {
    test(says, () => {
      assert.equal(expand(text, values), wanted);
    });
  }
});

describe('containerSpec', () => {
  test('a variable sees those above it only (row 142)', () => {
    const env = [
      { name: 'A', value: '$(B)' },
      { name: 'B', value: 'x' },
      { name: 'C', value: '$(B)' },
      { name: 'D', value: '$$(B)' },
      { name: 'E', value: '$(NONE)' },
    ];
    assert.deepEqual(spec({ env }).env, ['A=$(B)', 'B=x', 'C=x', 'D=$(B)', 'E=$(NONE)']);
  });

  test('of two variables with one name the last wins, in a stable order (row 144)', () => {
    const env = [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
      { name: 'A', value: '3' },
    ];
    assert.deepEqual(spec({ env }).env, ['A=3', 'B=2']);
  });

  test('fields of the pod (rows 145, 146)', () => {
    const paths = [
      'metadata.name',
      'metadata.namespace',
      'metadata.uid',
      "metadata.labels['app']",
      "metadata.annotations['note']",
      'spec.nodeName',
      'status.hostIP',
      'status.podIP',
    ];
    const env = paths.map((fieldPath, i) => ({
      name: `V${i}`,
      valueFrom: { fieldRef: { fieldPath } },
    }));
    const made = spec(
      { env },
      { uid: 'u-1', labels: { app: 'shop' }, annotations: { note: 'hi' } },
    );
    assert.deepEqual(made.env, [
      `V0=web-${NODE}`,
      'V1=default',
      'V2=u-1',
      'V3=shop',
      'V4=hi',
      `V5=${NODE}`,
      'V6=10.0.0.7',
      'V7=172.17.0.9',
    ]);
  });

  test('command and args see the whole environment (row 143, T68)', () => {
    const env = [{ name: 'P', value: '80' }];
    const made = spec({ env, command: ['serve', '$(P)'], args: ['$(Q)', '$$(P)'] });
    assert.deepEqual(
      [made.command, made.args],
      [
        ['serve', '80'],
        ['$(Q)', '$(P)'],
      ],
    );
  });

  test('without command and args the image’s stay (row 141, T70)', () => {
    assert.deepEqual([spec({}).command, spec({}).args], [null, null]);
    assert.deepEqual(spec({ args: ['a'] }).command, null);
    assert.deepEqual(spec({ command: ['a'] }).args, null);
  });

  test('carries attempt, image and the hash of the whole container', () => {
    const made = spec({ workingDir: '/srv', tty: true });
    assert.equal(made.attempt, 2);
    assert.equal(made.workingDir, '/srv');
    assert.equal(made.tty, true);
    assert.notEqual(made.hash, spec({}).hash);
  });
});

describe('sandboxSpec', () => {
  const ports = [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }];
  test('publishes host ports alone', () => {
    const pod = wish(manifest('web', { containers: [{ name: 'app', ports }] }));
    assert.deepEqual(sandboxSpec(pod, 0, facts.node).ports, [
      { containerPort: 80, hostPort: 8080, hostIP: '', protocol: 'TCP' },
    ]);
  });

  const init = (name: string, more: Partial<Container> = {}): Container => ({
    name,
    image: 'busybox:1',
    ports: [{ containerPort: 53, hostPort: 5353, protocol: 'UDP' }],
    ...more,
  });
  const withInit = (initContainers: Container[], spec: object = {}) => {
    const pod = wish(manifest('web', { containers: [{ name: 'app', ports }] }));
    return { ...pod, pod: { ...pod.pod, spec: { ...pod.pod.spec, initContainers, ...spec } } };
  };

  test('row 123: publishes the ports of sidecars and init containers, the same ones once', () => {
    const pod = withInit([init('side', { restartPolicy: 'Always' }), init('init')]);
    assert.deepEqual(sandboxSpec(pod, 0, facts.node).ports, [
      { containerPort: 53, hostPort: 5353, hostIP: '', protocol: 'UDP' },
      { containerPort: 80, hostPort: 8080, hostIP: '', protocol: 'TCP' },
    ]);
  });

  test('row 168: publishes nothing with the host’s network', () => {
    const pod = withInit([init('init')], { hostNetwork: true });
    assert.deepEqual(sandboxSpec(pod, 0, facts.node).ports, []);
  });

  const namespaces: readonly [string, PodOptions['spec'], object][] = [
    ['none', {}, { network: 'pod', ipc: 'pod', pid: 'container' }],
    [
      'the host’s network',
      { hostNetwork: true },
      { network: 'host', ipc: 'pod', pid: 'container' },
    ],
    [
      'the host’s processes and IPC',
      { hostPID: true, hostIPC: true },
      { network: 'pod', ipc: 'host', pid: 'host' },
    ],
    [
      'each other’s processes',
      { shareProcessNamespace: true },
      { network: 'pod', ipc: 'pod', pid: 'pod' },
    ],
  ];
  for (const [says, spec, wanted] of namespaces) {
    test(`row 167, T42: shares ${says}, in the sandbox and in its containers`, () => {
      const pod = wish(manifest('web', { spec: spec ?? {} }));
      assert.deepEqual(sandboxSpec(pod, 0, facts.node).namespaces, wanted);
      const [container] = pod.pod.spec.containers;
      assert.ok(container !== undefined);
      assert.deepEqual(containerSpec(pod, container, facts).namespaces, wanted);
    });
  }

  test('row 162: sysctls are the sandbox’s', () => {
    const sysctls = [{ name: 'net.ipv4.tcp_syncookies', value: '0' }];
    const pod = wish(manifest('web', { spec: { securityContext: { sysctls } } }));
    assert.deepEqual(sandboxSpec(pod, 0, facts.node).sysctls, { 'net.ipv4.tcp_syncookies': '0' });
  });

  const hostnames: readonly [string, string, PodOptions, string][] = [
    ['the pod’s name with the node’s', 'web', {}, `web-${NODE}`],
    ['cut to 63', 'x'.repeat(70), {}, 'x'.repeat(63)],
    ['without a dash or dot at the end', `${'x'.repeat(61)}.yz`, {}, `${'x'.repeat(61)}.y`],
    ['as given', 'web', { spec: { hostname: 'me' } }, 'me'],
  ];
  for (const [says, name, options, wanted] of hostnames) {
    test(`the host name is ${says} (row 169)`, () => {
      assert.equal(sandboxSpec(wish(manifest(name, options)), 0, facts.node).hostname, wanted);
    });
  }
});

const Mi = 1024 * 1024;
const resources: readonly [string, Container['resources'], object][] = [
  ['nothing', {}, { cpuShares: 2, cpuQuota: 0, memoryLimit: 0, oomScoreAdj: 1000 }],
  [
    'cpu 500m asked',
    { requests: { cpu: '500m' } },
    { cpuShares: 512, cpuQuota: 0, oomScoreAdj: 999 },
  ],
  ['cpu limit 250m', { limits: { cpu: '250m' } }, { cpuShares: 256, cpuQuota: 25000 }],
  ['cpu limit 1m', { limits: { cpu: '1m' } }, { cpuShares: 2, cpuQuota: 1000 }],
  ['cpu 1000 asked', { requests: { cpu: '1000' } }, { cpuShares: 262144 }],
  ['memory limit', { limits: { memory: '100Mi' } }, { memoryLimit: 100 * Mi, oomScoreAdj: 900 }],
  ['guaranteed', { limits: { cpu: '1', memory: '1Mi' } }, { oomScoreAdj: -997 }],
];

const full = { limits: { cpu: '1', memory: '1Mi' } };

describe('linuxResources', () => {
  for (const [says, given, wanted] of resources) {
    test(`${says} (rows 149 to 153)`, () => {
      const { pod } = wish(
        manifest('web', { containers: [{ name: 'app', resources: given ?? {} }] }),
      );
      const [container] = pod.spec.containers;
      assert.ok(container !== undefined);
      const made = linuxResources({ pod, source: 'file' }, container, facts.node);
      for (const [name, value] of Object.entries(wanted)) {
        assert.equal(made[name as keyof typeof made], value, name);
      }
    });
  }

  const classes: readonly [string, readonly Container['resources'][], string][] = [
    ['none anywhere', [{}, {}], 'BestEffort'],
    ['all equal', [full, full], 'Guaranteed'],
    ['one without', [full, {}], 'Burstable'],
    ['request below limit', [{ ...full, requests: { cpu: '1m' } }], 'Burstable'],
    ['only cpu', [{ limits: { cpu: '1' } }], 'Burstable'],
    ['zeros', [{ requests: { cpu: '0' } }], 'BestEffort'],
    [
      'a request of zero below a limit',
      [{ limits: { cpu: '1', memory: '1Mi' }, requests: { cpu: '0' } }],
      'Burstable',
    ],
  ];
  for (const [says, all, wanted] of classes) {
    test(`the class of ${says} is ${wanted} (row 152)`, () => {
      const containers = all.map((one, i) => ({ name: `c${i}`, resources: one ?? {} }));
      assert.equal(qosClass(wish(manifest('web', { containers })).pod), wanted);
    });
  }
});

describe('oom_score_adj and process limits', () => {
  const asking = (memory: string) => ({ requests: { memory } });
  function scoreOf(name: string, containers: Container[], spec: object = {}): number {
    const { pod } = wish(manifest('web'));
    const made = { ...pod, spec: { ...pod.spec, containers, ...spec } };
    const all = [
      ...((spec as { initContainers?: Container[] }).initContainers ?? []),
      ...containers,
    ];
    const container = all.find(one => one.name === name);
    assert.ok(container !== undefined);
    return linuxResources({ pod: made, source: 'file' }, container, facts.node).oomScoreAdj;
  }
  const apps: Container[] = [
    { name: 'big', image: 'x', resources: asking('500Mi') },
    { name: 'small', image: 'x', resources: asking('100Mi') },
  ];
  const side: Container = { name: 'side', image: 'x', restartPolicy: 'Always' };
  const rows: readonly [string, () => number, number][] = [
    ['what asks for half the memory', () => scoreOf('big', apps), 500],
    [
      'what asks for more than there is',
      () => scoreOf('a', [{ name: 'a', image: 'x', resources: asking('9Gi') }]),
      3,
    ],
    [
      'a node-critical pod',
      () => scoreOf('big', apps, { priorityClassName: 'system-node-critical' }),
      -997,
    ],
    [
      'a cluster-critical pod is as any other',
      () => scoreOf('big', apps, { priorityClassName: 'system-cluster-critical' }),
      500,
    ],
    [
      'a sidecar that asks for nothing has that of the least app',
      () => scoreOf('side', apps, { initContainers: [side] }),
      900,
    ],
    [
      'a sidecar that asks for more keeps its own',
      () => scoreOf('side', apps, { initContainers: [{ ...side, resources: asking('300Mi') }] }),
      700,
    ],
    [
      'an init container has its own',
      () => scoreOf('init', apps, { initContainers: [{ name: 'init', image: 'x' }] }),
      999,
    ],
  ];
  for (const [says, score, wanted] of rows) {
    test(`row 153: ${says}: ${wanted}`, () => assert.equal(score(), wanted));
  }

  test('row 152: an init container without resources makes a pod Burstable', () => {
    const { pod } = wish(manifest('web', { containers: [{ name: 'app', resources: full }] }));
    assert.equal(qosClass(pod), 'Guaranteed');
    const initContainers = [{ name: 'init', image: 'x' }];
    assert.equal(qosClass({ ...pod, spec: { ...pod.spec, initContainers } }), 'Burstable');
  });

  for (const [podPidsLimit, source, wanted] of [
    [-1, 'file', 0],
    [0, 'http', 0],
    [100, 'file', 100],
    [-1, 'bundle', 4096],
    [100, 'bundle', 100],
    [100_000, 'bundle', 100_000],
  ] as const) {
    test(`row 155: podPidsLimit ${podPidsLimit} limits a pod of ${source} to ${wanted || 'nothing'}`, () => {
      const { pod } = wish(manifest('web'));
      const [container] = pod.spec.containers;
      assert.ok(container !== undefined);
      const made = linuxResources({ pod, source }, container, nodeFactsOf({ podPidsLimit }));
      assert.equal(made.pidsLimit, wanted);
    });
  }
});
