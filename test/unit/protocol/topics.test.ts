/** The table of topics: what is written can be read, and nothing else can. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { topicsOf } from '../../../protocol/topics.js';
import { isNodeName, isOwnedFileName, ownedFileName } from '../../../protocol/names.js';

const FLEET = '0'.repeat(32);
const topics = topicsOf(FLEET);
const DIGEST = 'a'.repeat(64);

describe('a topic that is written is read back', () => {
  const rows: [string, unknown][] = [
    [topics.hub(), { kind: 'hub' }],
    [topics.mark(), { kind: 'mark' }],
    [topics.root(), { kind: 'root' }],
    [topics.root(12), { kind: 'root', version: 12 }],
    [topics.blob(DIGEST), { kind: 'blob', digest: DIGEST }],
    [topics.node('edge-1', 'assignment'), { kind: 'assignment', node: 'edge-1' }],
    [
      topics.node('edge-1', 'pod', '0123456789abcdef'),
      { kind: 'pod', node: 'edge-1', rest: '0123456789abcdef' },
    ],
  ];
  for (const [topic, address] of rows)
    test(topic, () => assert.deepEqual(topics.parse(topic), address));
});

describe('nothing is read from', () => {
  const rows = {
    'another fleet': `flotilla/v1/${'1'.repeat(32)}/hub`,
    'a longer topic': `${topics.hub()}/x`,
    'a root of version 0': `${topics.prefix}root/0`,
    'a root whose version no number carries': `${topics.prefix}root/9007199254740993`,
    'a blob that is no digest': `${topics.prefix}blob/xyz`,
    'an unknown kind': `${topics.prefix}node/edge-1/shell`,
    'a pod without its key': `${topics.prefix}node/edge-1/pod`,
    'an assignment with one level more': `${topics.prefix}node/edge-1/assignment/x`,
    'hub below a node': `${topics.prefix}node/edge-1/hub`,
  };
  for (const [what, topic] of Object.entries(rows))
    test(what, () => assert.equal(topics.parse(topic), null));
});

test('no topic has more than the seven slashes that AWS IoT Core takes', () => {
  assert.ok(topics.node('n', 'pod', 'k').split('/').length - 1 <= 7);
});

describe('a node may not be called', () => {
  const names = [
    '',
    '+',
    '#',
    'a/b',
    '$SYS',
    'Edge-1',
    'edge.1',
    '-a',
    'a-',
    'еdge',
    'a'.repeat(64),
    'hub',
    'a b',
  ];
  for (const name of names) test(JSON.stringify(name), () => assert.equal(isNodeName(name), false));
});

test('an owned file is named by bundle and pod, within the reserved grammar', () => {
  const name = ownedFileName({ namespace: 'default', name: 'b'.repeat(63) }, 'web');
  assert.ok(isOwnedFileName(name), name);
  assert.ok(name.length <= 80);
  assert.notEqual(name, ownedFileName({ namespace: 'other', name: 'b'.repeat(63) }, 'web'));
  for (const foreign of [
    'web.yaml',
    'flotilla_x.json',
    '.flotilla_a_0123456789abcdef.json',
    `${name}~`,
  ]) {
    assert.equal(isOwnedFileName(foreign), false, foreign);
  }
});
