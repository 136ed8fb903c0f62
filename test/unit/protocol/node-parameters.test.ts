/** Parameters of a node: what may be one, and which of them pods ask for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { validateBundleManifest } from '../../../protocol/bundle-manifest.js';
import {
  declarationFaults,
  declaredParameters,
  givenParameters,
  neededParameters,
  parameterHint,
  parameterKeyFault,
  parametersSizeFault,
  parameterValueFault,
} from '../../../protocol/node-parameters.js';
import type { Pod } from '../../../protocol/pod.js';

interface Given {
  readonly annotation?: string;
  readonly env?: readonly object[];
  readonly envFrom?: readonly object[];
  readonly volumes?: readonly object[];
  readonly init?: readonly object[];
}

const OF_NODE = { name: 'flotilla-node' };

function pod(name: string, given: Given): Pod {
  const { annotation, env = [], envFrom = [], volumes = [], init } = given;
  const container = { name: 'main', image: 'web:1', env, envFrom };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      ...(annotation === undefined
        ? {}
        : { annotations: { 'flotilla.dev/node-parameters': annotation } }),
    },
    spec: {
      containers: [container],
      ...(init === undefined
        ? {}
        : { initContainers: [{ name: 'first', image: 'web:1', env: init }] }),
      volumes,
    },
  } as unknown as Pod;
}

const keyRef = (key: string, optional?: boolean) => ({
  name: 'X',
  valueFrom: {
    configMapKeyRef: { ...OF_NODE, key, ...(optional === undefined ? {} : { optional }) },
  },
});

const ROWS: [sentence: string, given: Given, declared: string[], needed: string[]][] = [
  ['a pod that names none asks for none', {}, [], []],
  ['a variable asks for its key', { env: [keyRef('site')] }, ['site'], ['site']],
  ['an optional one asks, and begins without', { env: [keyRef('site', true)] }, ['site'], []],
  ['an init container asks too', { init: [keyRef('site')] }, ['site'], ['site']],
  [
    'another ConfigMap is none of it',
    { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'conf', key: 'site' } } }] },
    [],
    [],
  ],
  [
    'items of a volume ask for their keys',
    {
      volumes: [{ name: 'v', configMap: { ...OF_NODE, items: [{ key: 'b', path: 'b' }] } }],
    },
    ['b'],
    ['b'],
  ],
  [
    'so do those of a projected one',
    {
      volumes: [
        {
          name: 'v',
          projected: {
            sources: [{ configMap: { ...OF_NODE, items: [{ key: 'c', path: 'c' }] } }],
          },
        },
      ],
    },
    ['c'],
    ['c'],
  ],
  [
    'the annotation asks for those of a whole ConfigMap, and a pod begins without',
    { annotation: 'site, camera-url,site', envFrom: [{ configMapRef: OF_NODE }] },
    ['camera-url', 'site'],
    [],
  ],
];

describe('what a pod asks for of its node', () => {
  for (const [sentence, given, declared, needed] of ROWS) {
    test(sentence, () => {
      const pods = [pod('web', given)];
      assert.deepEqual(declaredParameters(pods), declared);
      assert.deepEqual(
        neededParameters(pods).map(({ key }) => key),
        needed,
      );
    });
  }

  test('is needed with the pod and the field that name it first', () => {
    const pods = [
      pod('web', { env: [keyRef('site', true)] }),
      pod('cam', { env: [keyRef('site')] }),
    ];
    assert.deepEqual(neededParameters(pods), [
      {
        key: 'site',
        pod: 'cam',
        path: 'spec.containers[0].env[0].valueFrom.configMapKeyRef',
      },
    ]);
  });

  test('must be declared where the ConfigMap is taken whole', () => {
    const [fault] = declarationFaults([pod('web', { envFrom: [{ configMapRef: OF_NODE }] })]);
    assert.match(fault?.message ?? '', /it declares none: name them in the pod's annotation/);
    const optional = [{ configMapRef: { ...OF_NODE, optional: true } }];
    assert.deepEqual(declarationFaults([pod('web', { envFrom: optional })]), []);
    const annotation = { annotation: 'site', envFrom: [{ configMapRef: OF_NODE }] };
    assert.deepEqual(declarationFaults([pod('web', annotation)]), []);
  });

  test('is at most 64 keys in a bundle', () => {
    const keys = (count: number) => Array.from({ length: count }, (_, i) => `k${i}`).join(',');
    assert.deepEqual(declarationFaults([pod('web', { annotation: keys(64) })]), []);
    const [fault] = declarationFaults([pod('web', { annotation: keys(65) })]);
    assert.match(fault?.message ?? '', /ask for 65 parameters of the node, the limit is 64/);
  });
});

describe('a manifest of a bundle', () => {
  const errorsOf = (manifest: object) => {
    const result = validateBundleManifest(manifest);
    return result.ok ? [] : result.errors.map(({ message }) => message);
  };

  test('is no ConfigMap flotilla-node: that is the node’s', () => {
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: OF_NODE, data: { site: 'x' } };
    assert.match(errorsOf(map).join(), /metadata.name: Forbidden: each node makes the ConfigMap/);
    assert.deepEqual(errorsOf({ ...map, metadata: { name: 'flotilla-nodes' } }), []);
  });

  for (const word of ['a b', '..', 'x/y', 'constructor', 'site,,lane']) {
    test(`asks for no parameter called "${word}"`, () => {
      const errors = errorsOf(pod('web', { annotation: word }));
      assert.match(errors.join(), /node-parameters\].*no name of a parameter/);
    });
  }
});

describe('a parameter of a node', () => {
  const KEYS: [key: string, fault: RegExp | null][] = [
    ['site', null],
    ['camera-url', null],
    ['LANES_2.json', null],
    ['x'.repeat(253), null],
    ['x'.repeat(254), /at most 253/],
    ['', /a key of/],
    ['..data', /begin with/],
    ['flotilla.dev/link-budget', /a key of/],
    ['__proto__', /no document may have/],
  ];
  for (const [key, fault] of KEYS) {
    test(`"${key.slice(0, 30)}" ${fault === null ? 'may be' : 'may not be'} its name`, () => {
      if (fault === null) assert.equal(parameterKeyFault(key), null);
      else assert.match(parameterKeyFault(key) ?? '', fault);
    });
  }

  test('is any text without a zero byte', () => {
    for (const value of ['', 'a=b', 'two\nlines', 'Grünau 🚢'])
      assert.equal(parameterValueFault(value), null);
    assert.match(parameterValueFault('a\0b') ?? '', /zero byte/);
    assert.match(parameterValueFault('\ud800') ?? '', /surrogate/);
  });

  test('and all others of the node are 8 KiB together, names and budgets included', () => {
    // {"a":"…"}
    assert.equal(parametersSizeFault({ a: 'x'.repeat(8192 - 8) }), null);
    assert.match(
      parametersSizeFault({ a: 'x'.repeat(8192 - 7) }) ?? '',
      /would be 8193 bytes .*the limit is 8192/,
    );
  });

  test('is no budget', () => {
    const all = { site: 'a', 'flotilla.dev/link-budget': '20Mi', 'camera-url': 'b' };
    assert.deepEqual(Object.entries(givenParameters(all)), [
      ['camera-url', 'b'],
      ['site', 'a'],
    ]);
  });

  test('is given with a command that can be typed', () => {
    assert.equal(parameterHint('edge-1', ['a']), 'flotilla node parameters edge-1 a=VALUE');
    assert.equal(
      parameterHint('edge-1', ['a', 'b', 'c', 'd']),
      'flotilla node parameters edge-1 a=VALUE b=VALUE c=VALUE ...',
    );
  });
});
