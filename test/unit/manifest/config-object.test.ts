/** ConfigMap and Secret documents: what they hold, and that no error holds a value of theirs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  isConfigObject,
  validateConfigObject,
  type ValidConfigObject,
} from '../../../protocol/config-object.js';
import type { PodManifestOptions } from '../../../protocol/pod-validation.js';

const base = (kind: string, more: object) => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'a' },
  ...more,
});

function valid(document: object): ValidConfigObject {
  const result = validateConfigObject(document as Record<string, unknown>, { context: 'file' });
  assert.ok(result.ok, JSON.stringify(result));
  return result.object;
}

function errorsOf(document: object, options: PodManifestOptions = { context: 'file' }): string[] {
  const result = validateConfigObject(document as Record<string, unknown>, options);
  return result.ok ? [] : result.errors.map(({ path, code }) => `${path} ${code}`);
}

const texts = ({ data }: ValidConfigObject) =>
  Object.fromEntries([...data].map(([key, bytes]) => [key, Buffer.from(bytes).toString()]));

const held: readonly [string, object, Record<string, string>, string][] = [
  [
    'data and binaryData',
    base('ConfigMap', { data: { a: 'x' }, binaryData: { b: 'eQ==' } }),
    { a: 'x', b: 'y' },
    '',
  ],
  ['nothing at all', base('ConfigMap', {}), {}, ''],
  [
    'null fields as absent, null values as empty',
    base('ConfigMap', { data: { a: null }, binaryData: null, immutable: null }),
    { a: '' },
    '',
  ],
  [
    'base64 with line ends',
    base('Secret', { data: { a: 'eHh4\r\neHh4\n' } }),
    { a: 'xxxxxx' },
    'Opaque',
  ],
  [
    'stringData before data',
    base('Secret', { data: { a: 'eA==' }, stringData: { a: 'y' } }),
    { a: 'y' },
    'Opaque',
  ],
  ['an empty type as Opaque', base('Secret', { type: '' }), {}, 'Opaque'],
  [
    'one key of basic-auth',
    base('Secret', { type: 'kubernetes.io/basic-auth', stringData: { password: 'p' } }),
    { password: 'p' },
    'kubernetes.io/basic-auth',
  ],
  [
    'a type of one’s own',
    base('Secret', { type: 'example.com/mine', stringData: {} }),
    {},
    'example.com/mine',
  ],
  ['immutable', base('ConfigMap', { immutable: true }), {}, ''],
];

describe('a config object holds', () => {
  for (const [sentence, document, wanted, type] of held) {
    test(sentence, () => {
      const object = valid(document);
      assert.deepEqual(texts(object), wanted);
      assert.equal(object.type, type);
      assert.equal(object.namespace, 'default');
    });
  }
});

const tls = { type: 'kubernetes.io/tls', stringData: { 'tls.crt': 'c' } };
const refused: readonly [string, object, string[]][] = [
  ['no metadata', { apiVersion: 'v1', kind: 'ConfigMap' }, ['metadata.name Required']],
  ['metadata that is no object', base('ConfigMap', { metadata: [] }), ['metadata WrongType']],
  ['a key that is ..', base('ConfigMap', { data: { '..': '' } }), ['data[..] Invalid']],
  [
    'a key that begins with ..',
    base('ConfigMap', { data: { '..data': '' } }),
    ['data[..data] Invalid'],
  ],
  ['a key with a slash', base('ConfigMap', { data: { '/etc': '' } }), ['data[/etc] Invalid']],
  ['an empty key', base('ConfigMap', { data: { '': '' } }), ['data[] Invalid']],
  ['a list as data', base('ConfigMap', { data: ['a'] }), ['data WrongType']],
  ['a number', base('Secret', { stringData: { pin: 1234 } }), ['stringData.pin WrongType']],
  ['base64 of a wrong length', base('Secret', { data: { a: 'eA=' } }), ['data.a Invalid']],
  ['base64url', base('Secret', { data: { a: 'e-_=' } }), ['data.a Invalid']],
  [
    'more than 1 MiB',
    base('ConfigMap', { data: { a: 'x'.repeat(2 ** 20), b: 'x' } }),
    ['data Invalid'],
  ],
  ['stringData in a ConfigMap', base('ConfigMap', { stringData: {} }), ['stringData UnknownField']],
  ['a tls Secret without its key', base('Secret', tls), ['data[tls.key] Required']],
  [
    'a deletion',
    base('ConfigMap', { metadata: { name: 'a', deletionTimestamp: 'x' } }),
    ['metadata.deletionTimestamp Forbidden'],
  ],
  [
    'a label that is a number',
    base('ConfigMap', { metadata: { name: 'a', labels: { v: 1 } } }),
    ['metadata.labels.v WrongType'],
  ],
  [
    'dockerconfigjson that is no JSON',
    base('Secret', {
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': 'x' },
    }),
    ['data[.dockerconfigjson] Invalid'],
  ],
];

describe('a config object is refused for', () => {
  for (const [sentence, document, wanted] of refused) {
    test(sentence, () => {
      assert.deepEqual(errorsOf(document), wanted);
    });
  }

  test('being a Secret in a bundle, with the way that there is today', () => {
    const result = validateConfigObject(base('Secret', {}), { context: 'bundle' });
    assert.ok(!result.ok);
    assert.match(
      result.errors[0]?.message ?? '',
      /a bundle can be read at the hub.*flotilla secret seal/,
    );
  });

  test('another namespace than the bundle’s', () => {
    const options = { context: 'bundle', namespace: 'prod' } as const;
    assert.deepEqual(errorsOf(base('ConfigMap', {}), options), ['metadata.namespace Invalid']);
    const own = base('ConfigMap', { metadata: { name: 'a', namespace: 'prod' } });
    assert.deepEqual(errorsOf(own, options), []);
  });

  test('whatever it is: no value is in the message', () => {
    const values = { data: { 'a/b': 'hunter2!', pin: 777, c: ['hunter2!'], d: 'hunter2!' } };
    for (const type of ['Opaque', 'kubernetes.io/dockerconfigjson']) {
      const result = validateConfigObject(base('Secret', { ...values, type }), { context: 'file' });
      assert.ok(!result.ok);
      assert.doesNotMatch(JSON.stringify(result), /hunter2|777/);
    }
  });
});

test('only v1 ConfigMaps and Secrets are config objects', () => {
  assert.ok(isConfigObject({ apiVersion: 'v1', kind: 'Secret' }));
  assert.ok(!isConfigObject({ apiVersion: 'v2', kind: 'Secret' }));
  assert.ok(!isConfigObject({ apiVersion: 'v1', kind: 'Pod' }));
});
