/** Limits, positions and lists: what a table of files shows badly. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  listItems,
  MAX_MANIFEST_BYTES,
  readManifests,
  type ManifestDocument,
} from '../../../protocol/manifest.js';

function documentsOf(text: string | Uint8Array): readonly ManifestDocument[] {
  const reading = readManifests(text, { source: 'web.yaml' });
  assert.ok(reading.ok, JSON.stringify(reading));
  return reading.documents;
}

function onlyDocument(text: string): ManifestDocument {
  const [document, ...others] = documentsOf(text);
  assert.ok(document !== undefined && others.length === 0);
  return document;
}

describe('hostile texts are refused and not built', () => {
  const rows: [string, string | Uint8Array, string][] = [
    ['more bytes than the limit', `# ${'x'.repeat(MAX_MANIFEST_BYTES)}`, 'TooLarge'],
    ['more UTF-8 bytes than the limit', 'é'.repeat(MAX_MANIFEST_BYTES / 2 + 1), 'TooLarge'],
    ['bytes that are not UTF-8', Uint8Array.of(0x61, 0x3a, 0x20, 0xff), 'NotUtf8'],
    ['a hundred thousand open brackets', '['.repeat(100_000), 'TooDeep'],
    ['a hundred thousand nested lists', '- '.repeat(100_000), 'TooDeep'],
    ['a hundred thousand nested keys', '? '.repeat(100_000), 'TooDeep'],
    ['a hundred thousand open JSON objects', '{"a":'.repeat(100_000), 'TooDeep'],
    ['a million JSON values', `{"a":[${'1,'.repeat(1_000_000)}1]}`, 'TooManyValues'],
    ['a million empty documents', '---\n'.repeat(1_000_000), 'TooManyValues'],
    ['depth made of aliases', `a0: &a0 []\n${deepAliases(120)}`, 'TooDeep'],
    ['an empty key in JSON, as in YAML', '{"a": {"": 1}}', 'Syntax'],
    ['an empty key in YAML', 'a: {"": 1}', 'Syntax'],
  ];
  function deepAliases(count: number): string {
    const line = (_: unknown, index: number) => `a${index + 1}: &a${index + 1} [*a${index}]`;
    return Array.from({ length: count }, line).join('\n');
  }
  for (const [sentence, text, code] of rows) {
    test(sentence, () => {
      const reading = readManifests(text, { source: 'f' });
      assert.deepEqual(reading.ok ? [] : reading.errors.map(error => error.code), [code]);
    });
  }
});

describe('what is indented wrongly is refused with what was expected, and where', () => {
  const rows: [string, string, string, RegExp][] = [
    [
      'a line too far in',
      'a:\n  b: c\n   d: e\n',
      'f:2:6',
      /one value here.* indent the next line/,
    ],
    ['two values on a line', 'a: b: c\n', 'f:1:4', /one value here.*quotes/],
    ['a key between two levels', 'a:\n    b: c\n  d: e\n', 'f:3:1', /expected the same column/],
    ['a line of an entry too little in', 'a:\n- d: e\n f: g\n', 'f:3:', /expected "- " like/],
    ['a tab', 'a:\n\tb: c\n', 'f:2:1', /a tab cannot indent: expected spaces/],
    [
      'a key without a colon',
      'a: 1\nb\nc: 2\n',
      'f:2:1',
      /expected "key: value": is a ":" missing/,
    ],
  ];
  for (const [sentence, text, place, message] of rows) {
    test(sentence, () => {
      const reading = readManifests(text, { source: 'f' });
      const [error] = reading.ok ? [] : reading.errors;
      assert.equal(error?.code, 'Syntax');
      assert.match(error?.message ?? '', message);
      assert.ok(error?.where.startsWith(place), JSON.stringify(error));
    });
  }
});

describe('large texts within the limits are read', () => {
  test('a comment of ten megabytes', () => {
    assert.deepEqual(onlyDocument(`a: 1\n# ${'x'.repeat(10_000_000)}`).value, { a: 1 });
  });
  test('one JSON text of ten megabytes', () => {
    const text = 'x\\n'.repeat(3_000_000);
    assert.equal(onlyDocument(`{"a":"${text}"}`).value['a'], 'x\n'.repeat(3_000_000));
  });
  test('an object with fifty thousand keys', () => {
    const keys = Array.from({ length: 50_000 }, (_, index) => `k${index}: v`).join('\n');
    assert.equal(Object.keys(onlyDocument(keys).value).length, 50_000);
  });
  test('exactly a hundred levels, and no more', () => {
    const nested = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    assert.ok(readManifests(nested(99), { source: 'f' }).ok);
    assert.ok(!readManifests(nested(100), { source: 'f' }).ok);
    const yaml = (levels: number) => `a: ${'['.repeat(levels)}${']'.repeat(levels)}`;
    assert.ok(readManifests(yaml(99), { source: 'f' }).ok);
    assert.ok(!readManifests(yaml(100), { source: 'f' }).ok);
  });
});

test('a zero has no sign, for JSON would not keep it', () => {
  for (const text of ['{"a": -0}', '{"a": -0.0}', '{"a": -0e3}', 'a: -0', 'a: -0.0', 'a: -00']) {
    assert.ok(Object.is(onlyDocument(text).value['a'], 0), text);
  }
});

describe('every field knows its line and column', () => {
  const yaml = [
    '# a comment',
    'metadata:',
    '  labels:',
    '    app.kubernetes.io/name: web',
    '    "a[0].b": odd',
    'spec:',
    '  containers:',
    '    - name: one',
    '    - {name: two, image: x}',
  ].join('\n');
  const json = JSON.stringify({ spec: { containers: [{ name: 'one' }] } }, null, 2);
  const rows: [string, string, string, string][] = [
    ['the document itself', yaml, '', '2:1'],
    ['a field', yaml, 'spec.containers', '7:3'],
    ['an item of a list', yaml, 'spec.containers[0]', '8:7'],
    ['a field of an item', yaml, 'spec.containers[1].image', '9:19'],
    ['a key with dots and a slash', yaml, 'metadata.labels[app.kubernetes.io/name]', '4:5'],
    ['a key that looks like a path', yaml, 'metadata.labels[a[0].b]', '5:5'],
    ['a missing field: its parent', yaml, 'spec.containers[0].image', '8:7'],
    ['a missing branch: its nearest ancestor', yaml, 'spec.volumes[3].name', '6:1'],
    ['a path that makes no sense: the document', yaml, 'no.such[thing', '2:1'],
    ['JSON too', json, 'spec.containers[0].name', '5:9'],
    ['after Windows line ends', 'a: 1\r\nb:\r\n  c: 2', 'b.c', '3:3'],
    ['a merged field: where it is written', 'a: &a\n  x: 1\nb:\n  <<: *a', 'b.x', '2:3'],
    ['behind an alias: where it is written', 'a: &a\n  x: 1\nb: *a', 'b.x', '2:3'],
  ];
  for (const [sentence, text, path, expected] of rows) {
    test(sentence, () => {
      assert.equal(onlyDocument(text).where(path), `web.yaml:${expected}`);
    });
  }

  test('the second of two documents counts from the beginning of the file', () => {
    const [, second] = documentsOf('a: 1\n---\nb: 2\n');
    assert.deepEqual(second?.position('b'), { line: 3, column: 1 });
    assert.equal(second?.index, 1);
  });
});

describe('lists are the caller’s to open', () => {
  const items = 'items:\n  - metadata: {name: a}\n  - {apiVersion: v1, kind: Secret}\n  - 5\n';

  test('a document that is no list has no items', () => {
    assert.equal(listItems(onlyDocument('kind: Pod\nitems: []')), null);
  });
  test('items of a List keep the kind that they have', () => {
    const list = listItems(onlyDocument(`apiVersion: v1\nkind: List\n${items}`));
    assert.deepEqual(
      list?.map(item => item.value['kind']),
      [undefined, 'Secret', undefined],
    );
  });
  test('items of a PodList without a kind are Pods', () => {
    const list = listItems(onlyDocument(`apiVersion: v1\nkind: PodList\n${items}`));
    assert.deepEqual(list?.[0]?.value, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } });
    assert.deepEqual(list?.[2]?.value, {});
  });
  test('an item’s fields are found in the file', () => {
    const list = listItems(onlyDocument(`apiVersion: v1\nkind: PodList\n${items}`));
    assert.equal(list?.[0]?.where('metadata.name'), 'web.yaml:4:16');
    assert.equal(list?.[1]?.where(''), 'web.yaml:5:5');
  });
});
