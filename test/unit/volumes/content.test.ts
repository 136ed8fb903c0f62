/** Which files written volumes hold, what is missing, how large memory may grow. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { volumeFiles } from '../../../agent/volumes/content.js';
import { memoryVolumeSize } from '../../../agent/volumes/memory-size.js';
import { missingObject, missingObjectGate } from '../../../agent/volumes/missing-objects.js';
import { MountError } from '../../../agent/volumes/mount-error.js';
import { volumeGate } from '../../../agent/volumes/volume-gates.js';
import type { Container, PodSpec, Volume } from '../../../protocol/pod.js';
import { configObjects } from '../../support/config-objects.js';
import { manifest, nodeFactsOf, wish } from '../../support/pods.js';

const objects = configObjects({
  configMaps: { conf: { a: 'one', b: 'two' }, other: { a: 'three' } },
  secrets: { sec: { password: 'hunter2' } },
});

const CONNECTION = { connected: true, since: '2026-01-01T00:00:00Z' };

type Source = Omit<Volume, 'name'>;

function filesOf(source: Source): Record<string, string> {
  const { pod } = wish(
    manifest('web', {
      labels: { app: 'shop' },
      containers: [{ name: 'app', resources: { limits: { cpu: '1500m' } } }],
      spec: { volumes: [{ name: 'v', ...source }] },
    }),
  );
  const [volume] = pod.spec.volumes ?? [];
  assert.ok(volume !== undefined);
  const files = volumeFiles(volume, { pod, objects, node: nodeFactsOf(), connection: CONNECTION });
  return Object.fromEntries(
    [...files].map(([path, { bytes, mode }]) => [
      path,
      `${mode.toString(8)} ${Buffer.from(bytes).toString()}`,
    ]),
  );
}

const contents: readonly [string, Source, Record<string, string>][] = [
  [
    "the agent's word on the connection",
    {
      downwardAPI: {
        items: [
          ...[
            ['connected', "metadata.annotations['flotilla.dev/connected']"],
            ['since', "metadata.annotations['flotilla.dev/connected-since']"],
          ].map(([path = '', fieldPath = '']) => ({ path, fieldRef: { fieldPath } })),
        ],
      },
    },
    { connected: '644 true', since: '644 2026-01-01T00:00:00Z' },
  ],
  [
    'every key of a ConfigMap, 0644',
    { configMap: { name: 'conf' } },
    { a: '644 one', b: '644 two' },
  ],
  [
    'a Secret with its mode',
    { secret: { secretName: 'sec', defaultMode: 0o400 } },
    { password: '400 hunter2' },
  ],
  [
    'chosen keys where the items say, with their modes',
    { configMap: { name: 'conf', items: [{ key: 'b', path: 'x/./y', mode: 0o600 }] } },
    { 'x/y': '600 two' },
  ],
  [
    'nothing of an optional one that is not there',
    { configMap: { name: 'no', optional: true } },
    {},
  ],
  [
    'what is there of an optional one',
    {
      configMap: {
        name: 'conf',
        optional: true,
        items: [
          { key: 'a', path: 'a' },
          { key: 'z', path: 'z' },
        ],
      },
    },
    { a: '644 one' },
  ],
  [
    'fields and resources of the pod (row 135)',
    {
      downwardAPI: {
        defaultMode: 0o440,
        items: [
          { path: 'name', fieldRef: { fieldPath: 'metadata.name' } },
          { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' }, mode: 0o400 },
          { path: 'cpu', resourceFieldRef: { containerName: 'app', resource: 'limits.cpu' } },
        ],
      },
    },
    { name: '440 web-edge1', labels: '400 app="shop"', cpu: '440 2' },
  ],
  [
    'one tree of all sources, the later one wins (row 136)',
    {
      projected: {
        defaultMode: 0o600,
        sources: [
          { configMap: { name: 'conf' } },
          { configMap: { name: 'other' } },
          { secret: { name: 'sec', items: [{ key: 'password', path: 's/p', mode: 0o400 }] } },
          {
            downwardAPI: {
              items: [{ path: 'uid', fieldRef: { fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
      },
    },
    { a: '600 three', b: '600 two', 's/p': '400 hunter2', uid: '600 default' },
  ],
];

describe('written volumes hold', () => {
  for (const [says, source, wanted] of contents) {
    test(says, () => {
      assert.deepEqual(filesOf(source), wanted);
    });
  }

  const failures: readonly [string, Source, string][] = [
    ['a missing ConfigMap', { configMap: { name: 'no' } }, 'configmap "no" not found'],
    [
      'a missing key',
      { secret: { secretName: 'sec', items: [{ key: 'z', path: 'z' }] } },
      'secret "sec" references non-existent secret key: z',
    ],
    [
      'a file below a file',
      {
        projected: {
          sources: [
            { configMap: { name: 'conf' } },
            { secret: { name: 'sec', items: [{ key: 'password', path: 'a/b' }] } },
          ],
        },
      },
      'conflicting paths: a is a file and a/b lies below it',
    ],
  ];
  for (const [says, source, message] of failures) {
    test(`${says} is an error`, () => {
      assert.throws(
        () => filesOf(source),
        (error: unknown) => error instanceof MountError && error.message === message,
      );
    });
  }
});

describe('P12: what a pod needs and is not there', () => {
  const needs: readonly [string, Partial<Container>, Partial<PodSpec>, string | null][] = [
    ['nothing', {}, {}, null],
    ['all is there', { envFrom: [{ configMapRef: { name: 'conf' } }] }, {}, null],
    [
      'an envFrom',
      { envFrom: [{ configMapRef: { name: 'conf' } }, { secretRef: { name: 'no' } }] },
      {},
      'spec.containers[0].envFrom[1].secretRef: secret "no" not found in namespace default',
    ],
    [
      'a key',
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'conf', key: 'z' } } }] },
      {},
      'spec.containers[0].env[0].valueFrom.configMapKeyRef: configmap "conf" in namespace default has no key "z"',
    ],
    [
      'a volume',
      { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      { volumes: [{ name: 'v', secret: { secretName: 'no' } }] },
      'spec.volumes[0].secret: secret "no" not found in namespace default',
    ],
    [
      'a key of a volume',
      { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      { volumes: [{ name: 'v', configMap: { name: 'conf', items: [{ key: 'z', path: 'z' }] } }] },
      'spec.volumes[0].configMap: configmap "conf" in namespace default has no key "z"',
    ],
    [
      'a projected source',
      { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      {
        volumes: [
          { name: 'v', projected: { sources: [{}, { configMap: { name: 'no' } }].slice(1) } },
        ],
      },
      'spec.volumes[0].projected.sources[0].configMap: configmap "no" not found in namespace default',
    ],
    [
      'an init container’s',
      {},
      {
        initContainers: [{ name: 'i', image: 'b:1', envFrom: [{ configMapRef: { name: 'no' } }] }],
      },
      'spec.initContainers[0].envFrom[0].configMapRef: configmap "no" not found in namespace default',
    ],
    [
      'row 140: what a volume that nobody mounts asks for is not needed',
      {},
      { volumes: [{ name: 'v', secret: { secretName: 'no' } }] },
      null,
    ],
    [
      'what is optional is not needed',
      {
        envFrom: [{ configMapRef: { name: 'no', optional: true } }],
        env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'no', key: 'z', optional: true } } }],
      },
      { volumes: [{ name: 'v', configMap: { name: 'no', optional: true } }] },
      null,
    ],
  ];
  for (const [says, container, spec, wanted] of needs) {
    test(says, () => {
      const pod = manifest('web', { containers: [{ name: 'app', ...container }], spec });
      assert.equal(missingObject(pod, objects)?.message ?? null, wanted);
    });
  }

  test('of the node’s own parameters is told with what gives it', () => {
    const env = [
      { name: 'A', valueFrom: { configMapKeyRef: { name: 'flotilla-node', key: 'site' } } },
    ];
    const pod = manifest('web', { containers: [{ name: 'app', env }], spec: { nodeName: 'n1' } });
    const name = { kind: 'ConfigMap', namespace: 'default', name: 'flotilla-node' } as const;
    const empty = { ...name, type: '', data: new Map(), isImmutable: false };
    const found = { ...empty, origin: '', bundle: null };
    assert.match(
      missingObject(pod, { find: () => found })?.message ?? '',
      /has no key "site": flotilla node parameters n1 site=VALUE$/,
    );
  });

  test('holds the pod back before anything of it is made, and lets it go when it appears', () => {
    const pod = manifest('web', {
      containers: [{ name: 'app', envFrom: [{ secretRef: { name: 'sec' } }] }],
    });
    const desired = wish(pod);
    const rejection = missingObjectGate(desired);
    assert.deepEqual([rejection?.phase, rejection?.reason], ['Pending', 'MissingSecret']);
    assert.equal(missingObjectGate({ ...desired, objects }), null);
  });
});

describe('row 133: the size of an emptyDir in memory', () => {
  const Mi = 1024 ** 2;
  const limited = (name: string, memory: string) => ({
    name,
    resources: { limits: { memory } },
  });
  const sizes: readonly [string, string | undefined, Partial<Container>[], number, number][] = [
    ['what it asks for', '8Mi', [{ name: 'a' }], 4096, 8],
    [
      'the pod’s limit when that is less',
      '80Mi',
      [limited('a', '10Mi'), limited('b', '20Mi')],
      4096,
      30,
    ],
    [
      'no limit while one container has none',
      '80Mi',
      [limited('a', '10Mi'), { name: 'b' }],
      4096,
      80,
    ],
    ['the node’s memory when nothing is said', undefined, [{ name: 'a' }], 4096, 4096],
    ['a size of zero says nothing', '0', [{ name: 'a' }], 4096, 4096],
    ['nothing is known', undefined, [{ name: 'a' }], 0, 0],
  ];
  for (const [says, sizeLimit, containers, node, wanted] of sizes) {
    test(says, () => {
      const pod = manifest('web', { containers: containers as { name: string }[] });
      const source = { medium: 'Memory', ...(sizeLimit === undefined ? {} : { sizeLimit }) };
      assert.equal(memoryVolumeSize(source, pod, node * Mi), wanted * Mi);
    });
  }

  test('init containers count one by one, sidecars beside all', () => {
    const pod = manifest('web', {
      containers: [limited('app', '10Mi')],
      spec: {
        initContainers: [
          { ...limited('side', '5Mi'), image: 'b:1', restartPolicy: 'Always' },
          { ...limited('init', '30Mi'), image: 'b:1' },
        ],
      },
    });
    assert.equal(memoryVolumeSize({ sizeLimit: '1Gi' }, pod, 0), 35 * Mi);
  });
});

describe('what the node does not have', () => {
  const features = {
    recursiveReadOnly: false,
    appArmor: false,
    seLinux: false,
    seccomp: true,
    cgroupVersion: 2,
    rootful: true,
  } as const;
  const memory = wish(
    manifest('web', {
      containers: [{ name: 'app', volumeMounts: [{ name: 'm', mountPath: '/m' }] }],
      spec: { volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }] },
    }),
  );
  const recursive = wish(
    manifest('web', {
      containers: [
        {
          name: 'app',
          volumeMounts: [
            { name: 'd', mountPath: '/d', readOnly: true, recursiveReadOnly: 'Enabled' },
          ],
        },
      ],
      spec: { volumes: [{ name: 'd', emptyDir: {} }] },
    }),
  );

  test('memory where the agent may not mount is refused with the field', () => {
    assert.equal(volumeGate(null)(memory, { engine: features }), null);
    assert.match(
      volumeGate('no')(memory, { engine: features })?.message ?? '',
      /^spec\.volumes\[0\]\.emptyDir\.medium: not on this engine: no$/,
    );
  });

  test('row 139, T43: recursiveReadOnly Enabled is refused where the engine cannot', () => {
    const can = { ...features, recursiveReadOnly: true };
    assert.equal(volumeGate(null)(recursive, { engine: can }), null);
    assert.match(
      volumeGate(null)(recursive, { engine: features })?.message ?? '',
      /^spec\.containers\[0\]\.volumeMounts\[0\]\.recursiveReadOnly: not on this engine/,
    );
  });
});
