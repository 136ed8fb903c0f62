/**
 * What depends on the context, and what a valid manifest becomes; the errors themselves are
 * vectors.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { validatePodManifest, type PodManifestOptions } from '../../../protocol/pod-validation.js';

function manifest(changes: { metadata?: object; spec?: object; container?: object } = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', ...changes.metadata },
    spec: {
      containers: [{ name: 'web', image: 'busybox:1', ...changes.container }],
      ...changes.spec,
    },
  };
}

describe('contexts', () => {
  const file = { context: 'file' } as const;
  const bundle = { context: 'bundle', namespace: 'shop' } as const;
  const rows: [string, object, PodManifestOptions, string[]][] = [
    ['a file may give a uid', { uid: 'abc' }, file, []],
    ['a bundle may not', { uid: 'abc', namespace: 'shop' }, bundle, ['metadata.uid']],
    ['a bundle’s pod has its namespace', { namespace: 'shop' }, bundle, []],
    ['another namespace is an error', { namespace: 'other' }, bundle, ['metadata.namespace']],
    ['no namespace means default', {}, bundle, ['metadata.namespace']],
    ['which may be the bundle’s', {}, { context: 'bundle', namespace: 'default' }, []],
    ['an empty namespace is none', { namespace: '' }, file, []],
    ['an empty uid is none', { uid: '', namespace: 'shop' }, bundle, []],
    ['a file may have any namespace', { namespace: 'other' }, file, []],
  ];
  for (const [sentence, metadata, options, paths] of rows) {
    test(sentence, () => {
      const result = validatePodManifest(manifest({ metadata }), options);
      assert.deepEqual(result.ok ? [] : result.errors.map(error => error.path), paths);
    });
  }
});

describe('what is not a manifest at all', () => {
  const rows: [string, unknown, string][] = [
    ['nothing', undefined, 'WrongType'],
    ['a list', [], 'WrongType'],
    ['an object without a kind', {}, 'Required'],
    ['a kind without a version', { kind: 'Pod' }, 'Required'],
    ['a list of pods', { apiVersion: 'v1', kind: 'PodList', items: [] }, 'UnsupportedKind'],
    ['a Pod of another version', { apiVersion: 'v2', kind: 'Pod' }, 'UnsupportedKind'],
  ];
  for (const [sentence, value, code] of rows) {
    test(sentence, () => {
      const result = validatePodManifest(value, { context: 'file' });
      assert.deepEqual(result.ok ? [] : result.errors.map(error => error.code), [code]);
    });
  }

  test('a workload, whose template would run here', () => {
    const value = { apiVersion: 'apps/v1', kind: 'DaemonSet', spec: { template: { spec: {} } } };
    const result = validatePodManifest(value, { context: 'file' });
    assert.deepEqual(result.ok ? [] : result.errors.map(error => error.message), [
      'kind: apps/v1 DaemonSet is not a v1 Pod; write what its spec.template holds as one',
    ]);
  });
});

describe('a valid pod', () => {
  const valid = (value: object) => {
    const result = validatePodManifest(value, { context: 'file' });
    assert.ok(result.ok, JSON.stringify(result));
    return result.pod;
  };

  test('loses its null fields and keeps the argument', () => {
    const given = manifest({ spec: { volumes: null }, container: { command: null, env: [] } });
    const before = structuredClone(given);
    assert.deepEqual(valid(given), manifest({ container: { env: [] } }));
    assert.deepEqual(given, before);
  });
  test('has the empty text for a null label or annotation', () => {
    const { metadata } = valid(
      manifest({ metadata: { labels: { a: null }, annotations: { b: null } } }),
    );
    assert.deepEqual([metadata.labels, metadata.annotations], [{ a: '' }, { b: '' }]);
  });
  test('has its quantities as text', () => {
    const resources = { limits: { cpu: 0.5, memory: '1Gi' } };
    const { spec } = valid(manifest({ container: { resources } }));
    assert.deepEqual(spec.containers[0]?.resources, { limits: { cpu: '0.5', memory: '1Gi' } });
  });
  test('does not get defaults', () => {
    assert.deepEqual(valid(manifest()), manifest());
  });
  test('may have a number as a label only in quotes', () => {
    const labels = { sizeLimit: 5, limits: '5' };
    const result = validatePodManifest(manifest({ metadata: { labels } }), { context: 'file' });
    assert.deepEqual(result.ok ? [] : result.errors.map(error => error.path), [
      'metadata.labels.sizeLimit',
    ]);
  });
});

test('row 61: ephemeral containers and scheduling gates are refused', () => {
  const spec = { ephemeralContainers: [{ name: 'debug' }], schedulingGates: [{ name: 'wait' }] };
  const result = validatePodManifest(manifest({ spec: spec }), { context: 'file' });
  assert.deepEqual(result.ok ? [] : result.errors.map(error => error.path).sort(), [
    'spec.ephemeralContainers',
    'spec.schedulingGates',
  ]);
});

describe('many errors', () => {
  test('are cut at a hundred', () => {
    const fields = Array.from({ length: 500 }, (_, index) => [`unknown${index}`, 1]);
    const result = validatePodManifest(manifest({ spec: Object.fromEntries(fields) as object }), {
      context: 'file',
    });
    assert.equal(result.ok ? 0 : result.errors.length, 100);
  });
  test('do not hide a rule behind an unknown field', () => {
    const container = { nmae: 1, volumeMounts: [{ name: 'none', mountPath: '/x' }] };
    const result = validatePodManifest(manifest({ container }), { context: 'file' });
    assert.deepEqual(result.ok ? [] : result.errors.map(error => error.code), [
      'UnknownField',
      'Invalid',
    ]);
  });
});

describe('grammars', () => {
  const rows: [string, object, boolean][] = [
    ['a name of 253 characters', { name: 'a'.repeat(253) }, true],
    ['a name of 254 characters', { name: 'a'.repeat(254) }, false],
    ['a name with dots', { name: 'a.b-c.d' }, true],
    ['a name ending with a dot', { name: 'a.' }, false],
    ['a namespace with a dot', { namespace: 'a.b' }, false],
    ['a label key with a prefix', { labels: { 'example.com/a_B.c': '' } }, true],
    ['a label key with an upper case prefix', { labels: { 'Example.com/a': '' } }, false],
    ['an annotation key with one', { annotations: { 'Example.com/a': '' } }, true],
    ['a label key with an empty prefix', { labels: { '/a': '' } }, false],
    ['a label name of 63 characters', { labels: { ['a'.repeat(63)]: 'b'.repeat(63) } }, true],
    ['a label name of 64 characters', { labels: { ['a'.repeat(64)]: '' } }, false],
    ['a prefix of 254 characters', { labels: { [`${'a'.repeat(254)}/b`]: '' } }, false],
    ['a label value of 64 characters', { labels: { a: 'b'.repeat(64) } }, false],
    ['a line break behind a name', { name: 'a\n' }, false],
    ['a line break behind a label value', { labels: { a: 'b\n' } }, false],
    ['annotations over 256 KiB', { annotations: { a: 'x'.repeat(256 * 1024) } }, false],
  ];
  for (const [sentence, metadata, ok] of rows) {
    test(`${sentence} ${ok ? 'passes' : 'is refused'}`, () => {
      assert.equal(validatePodManifest(manifest({ metadata }), { context: 'file' }).ok, ok);
    });
  }
});

describe('host ports of one pod', () => {
  const rows: [string, object, object, boolean][] = [
    ['the same port twice', { hostPort: 80 }, { hostPort: 80 }, false],
    ['TCP and UDP', { hostPort: 80 }, { hostPort: 80, protocol: 'UDP' }, true],
    ['TCP written out', { hostPort: 80, protocol: 'TCP' }, { hostPort: 80 }, false],
    ['two addresses', { hostPort: 80, hostIP: '127.0.0.1' }, { hostPort: 80, hostIP: '::1' }, true],
    [
      'all addresses and one',
      { hostPort: 80, hostIP: '0.0.0.0' },
      { hostPort: 80, hostIP: '::1' },
      false,
    ],
    [
      'one IPv6 address in two spellings',
      { hostPort: 80, hostIP: '::1' },
      { hostPort: 80, hostIP: '0:0:0:0:0:0:0:1' },
      false,
    ],
    ['no host port at all', {}, {}, true],
    ['zero, which is none', { hostPort: 0 }, { hostPort: 0 }, true],
  ];
  for (const [sentence, first, second, ok] of rows) {
    test(`${sentence} ${ok ? 'passes' : 'is refused'}`, () => {
      const ports = [
        { containerPort: 80, ...first },
        { containerPort: 81, ...second },
      ];
      assert.equal(
        validatePodManifest(manifest({ container: { ports } }), { context: 'file' }).ok,
        ok,
      );
    });
  }
});
