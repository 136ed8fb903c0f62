/** Environments from ConfigMaps, Secrets, resources, fields and files. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { goQuoted, metadataValue } from '../../../agent/pods/field-values.js';
import {
  EnvError,
  environment,
  expandPath,
  needsPodIP,
  type EnvFacts,
} from '../../../agent/pods/pod-env.js';
import type { Container, EnvVar } from '../../../protocol/pod.js';
import { configObjects } from '../../support/config-objects.js';
import { manifest, nodeFactsOf, wish, type PodOptions } from '../../support/pods.js';

const objects = configObjects({
  configMaps: {
    conf: { MODE: 'fast', 'log.level': 'info', bytes: Uint8Array.of(0xff, 0xfe) },
    plain: { MODE: 'slow', A: 'of the map' },
  },
  secrets: { sec: { password: 'hunter2', nul: 'a\u0000b' } },
});

const facts: EnvFacts = {
  node: nodeFactsOf({
    cpus: 4,
    memoryBytes: 8 * 1024 ** 3,
    ephemeralStorageBytes: 10 * 1024 ** 3,
    hostIP: '10.0.0.7',
  }),
  podIPs: ['172.17.0.9'],
  objects,
  files: new Map([
    ['work/app/env', "A='from the file'\nEMPTY=''\nLONG='" + 'x'.repeat(33_000) + "'\n"],
  ]),
};

const VOLUMES = { volumes: [{ name: 'work', emptyDir: {} }] };

function madeOf(container: Partial<Container>, options: PodOptions = {}) {
  const containers = [{ name: 'app', ...container }, ...(options.containers ?? [])];
  const desired = wish(manifest('web', { spec: VOLUMES, ...options, containers }));
  const [first] = desired.pod.spec.containers;
  assert.ok(first !== undefined);
  return environment(first, desired.pod, facts);
}

const valuesOf = (...args: Parameters<typeof madeOf>) => Object.fromEntries(madeOf(...args).values);
const from = (name: string, valueFrom: unknown): EnvVar => ({ name, valueFrom }) as EnvVar;
const file = (key: string, rest: object = {}) =>
  from('V', { fileKeyRef: { volumeName: 'work', path: 'app/env', key, ...rest } });
const resource = (name: string, rest: object = {}) =>
  from('V', { resourceFieldRef: { resource: name, ...rest } });

describe('environment from ConfigMaps and Secrets (P12)', () => {
  test('one key of each', () => {
    const env = [
      from('MODE', { configMapKeyRef: { name: 'conf', key: 'MODE' } }),
      from('PW', { secretKeyRef: { name: 'sec', key: 'password' } }),
    ];
    assert.deepEqual(valuesOf({ env }), { MODE: 'fast', PW: 'hunter2' });
  });

  test('all keys with a prefix; names may hold dots; what is no text is left out and told', () => {
    const made = madeOf({ envFrom: [{ prefix: 'C_', configMapRef: { name: 'conf' } }] });
    assert.deepEqual(Object.fromEntries(made.values), { C_MODE: 'fast', 'C_log.level': 'info' });
    assert.deepEqual(made.skipped, [{ from: 'ConfigMap default/conf', keys: ['bytes'] }]);
  });

  test('row 144: a later source wins, a variable wins over all sources', () => {
    const envFrom = [{ configMapRef: { name: 'conf' } }, { configMapRef: { name: 'plain' } }];
    const values = valuesOf({ envFrom, env: [{ name: 'A', value: 'own' }] });
    assert.equal(values['MODE'], 'slow');
    assert.equal(values['A'], 'own');
  });

  test('row 142: variables see what envFrom gave', () => {
    const envFrom = [{ configMapRef: { name: 'conf' } }];
    const env = [{ name: 'LINE', value: '$(MODE)-$$(MODE)-$(NONE)' }];
    assert.equal(valuesOf({ envFrom, env })['LINE'], 'fast-$(MODE)-$(NONE)');
  });

  test('what is optional and missing is no variable at all', () => {
    const env = [
      from('A', { configMapKeyRef: { name: 'none', key: 'x', optional: true } }),
      from('B', { secretKeyRef: { name: 'sec', key: 'none', optional: true } }),
      file('NONE', { optional: true }),
      file('A', { path: 'none', optional: true }),
    ];
    assert.deepEqual(
      valuesOf({ env, envFrom: [{ secretRef: { name: 'no', optional: true } }] }),
      {},
    );
  });

  const failures: readonly [string, Partial<Container>, string][] = [
    [
      'a missing ConfigMap',
      { env: [from('A', { configMapKeyRef: { name: 'none', key: 'x' } })] },
      'configmap "none" not found',
    ],
    ['a missing Secret', { envFrom: [{ secretRef: { name: 'no' } }] }, 'secret "no" not found'],
    [
      'a missing key',
      { env: [from('A', { secretKeyRef: { name: 'sec', key: 'none' } })] },
      "couldn't find key none in Secret default/sec",
    ],
    [
      'a value that is no text, without showing it',
      { env: [from('A', { secretKeyRef: { name: 'sec', key: 'nul' } })] },
      'key nul in Secret default/sec is no text',
    ],
    [
      'a file that is not there',
      { env: [file('A', { path: 'none' })] },
      "couldn't parse env file: there is no file none in volume work",
    ],
    [
      'a name that the file does not have',
      { env: [file('NONE')] },
      'environment variable key "NONE" not found in file "app/env"',
    ],
    [
      'an empty value in the file',
      { env: [file('EMPTY')] },
      'environment variable key "EMPTY" not found in file "app/env"',
    ],
    [
      'a value of more than 32 KB in the file',
      { env: [file('LONG')] },
      'environment variable value for key "LONG" exceeds maximum size of 32KB',
    ],
  ];
  for (const [says, container, message] of failures) {
    test(`${says} is an error`, () => {
      assert.throws(
        () => madeOf(container),
        (error: unknown) => error instanceof EnvError && error.message === message,
      );
    });
  }
});

describe('row 148: fileKeyRef', () => {
  test('T6: the value of the file that another container wrote', () => {
    assert.deepEqual(valuesOf({ env: [file('A')] }), { V: 'from the file' });
  });
});

describe('row 147: resourceFieldRef', () => {
  const resources = {
    limits: { cpu: '250m', memory: '64Mi' },
    requests: { cpu: '1250m', memory: '100M' },
  };
  const limited = { limits: resources.limits };
  const rows: readonly [string, EnvVar, string][] = [
    ['cpu is rounded up to whole cores', resource('limits.cpu'), '1'],
    ['cpu in thousandths', resource('limits.cpu', { divisor: '1m' }), '250'],
    ['a request follows the limit', resource('requests.cpu', { divisor: '1m' }), '250'],
    ['memory in bytes', resource('limits.memory'), String(64 * 1024 ** 2)],
    ['memory in mebibytes', resource('limits.memory', { divisor: '1Mi' }), '64'],
    ['memory in megabytes, rounded up', resource('limits.memory', { divisor: '1M' }), '68'],
    ['a divisor of zero is none', resource('limits.cpu', { divisor: '0' }), '1'],
    [
      'a limit that is not given is the node’s',
      resource('limits.ephemeral-storage', { divisor: '1Gi' }),
      '10',
    ],
    ['a request that is not given is zero', resource('requests.ephemeral-storage'), '0'],
    ['another container’s', resource('limits.memory', { containerName: 'side' }), '1024'],
    [
      'another container’s missing limit is the node’s',
      resource('limits.cpu', { containerName: 'side' }),
      '4',
    ],
  ];
  for (const [says, variable, wanted] of rows) {
    test(says, () => {
      const side = { name: 'side', resources: { limits: { memory: '1Ki' } } };
      const made = valuesOf({ env: [variable], resources: limited }, { containers: [side] });
      assert.equal(made['V'], wanted);
    });
  }
});

describe('rows 145, 146: fieldRef', () => {
  const field = (fieldPath: string) => [from('V', { fieldRef: { fieldPath } })];
  const rows: readonly [string, string][] = [
    ['status.hostIP', '10.0.0.7'],
    ['status.hostIPs', '10.0.0.7'],
    ['status.podIP', '172.17.0.9'],
    ['status.podIPs', '172.17.0.9'],
    ["metadata.labels['none']", ''],
  ];
  for (const [path, wanted] of rows) {
    test(path, () => {
      assert.equal(valuesOf({ env: field(path) })['V'], wanted);
    });
  }

  test('each of several addresses, with a comma between', () => {
    const variables = [
      { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'status.podIPs' } } },
      { name: 'ONE', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIPs' } } },
    ];
    const container = { name: 'app', env: variables } as Container;
    const { values } = environment(container, manifest('web'), {
      ...facts,
      node: nodeFactsOf({ hostIP: '10.0.0.7', hostIPs: ['10.0.0.7', 'fd01::7'] }),
      podIPs: ['172.17.0.9', 'fd00::9'],
    });
    const seen = ['POD', 'ONE', 'HOST'].map(name => values.get(name));
    assert.deepEqual(seen, ['172.17.0.9,fd00::9', '172.17.0.9', '10.0.0.7,fd01::7']);
  });

  test('only what names the pod’s address waits for it', () => {
    const container = (path: string) => ({ name: 'app', env: field(path) }) as Container;
    assert.equal(needsPodIP(container('status.podIPs')), true);
    assert.equal(needsPodIP(container('status.hostIP')), false);
  });
});

describe('row 135: whole maps', () => {
  test('sorted lines, values quoted as Go does', () => {
    const { pod } = wish(manifest('web', { labels: { b: '2', a: '1', B: '3' } }));
    assert.equal(metadataValue('metadata.labels', pod), 'B="3"\na="1"\nb="2"');
  });

  const quoted: readonly [string, string, string][] = [
    ['quotes and backslashes', 'a"b\\c', '"a\\"b\\\\c"'],
    ['line ends and tabs', 'a\nb\tc\rd', '"a\\nb\\tc\\rd"'],
    ['letters of any script stay', 'Größe 大 é', '"Größe 大 é"'],
    ['control characters', '\u0001\u007f', '"\\x01\\x7f"'],
    ['what cannot be printed', '\u00a0\u200b\u{e0001}', '"\\u00a0\\u200b\\U000e0001"'],
    ['symbols beyond the first plane stay', '🚢', '"🚢"'],
  ];
  for (const [says, text, wanted] of quoted) {
    test(says, () => {
      assert.equal(goQuoted(text), wanted);
    });
  }
});

describe('row 138: subPathExpr', () => {
  const values = new Map([
    ['POD', 'web-1'],
    ['EMPTY', ''],
  ]);
  test('every variable is replaced; two dollars stand for one', () => {
    assert.equal(expandPath('logs/$(POD)/$$(POD)', values), 'logs/web-1/$(POD)');
  });

  test('T68: one that is not set or empty is an error that names it', () => {
    assert.throws(
      () => expandPath('$(EMPTY)/$(NOPE)/$(POD)', values),
      (error: unknown) =>
        error instanceof EnvError && error.message === 'missing value for EMPTY, NOPE',
    );
  });
});
