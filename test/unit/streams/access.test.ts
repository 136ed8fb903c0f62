/** Which streams a node gives: its own word first, then what the root in force makes harmless. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { accessRefusal, allowedKinds, STREAM_KINDS } from '../../../agent/streams/access.js';

const ALL = [...STREAM_KINDS];

describe('a node allows', () => {
  const ROWS: readonly [string, Parameters<typeof allowedKinds>[0], readonly string[]][] = [
    ['everything where the hub holds every key', { configured: null, development: true }, ALL],
    ['logs alone where it does not', { configured: null, development: false }, ['logs']],
    ['nothing, if it says so, whoever holds the keys', { configured: [], development: true }, []],
    [
      'what it says, whoever holds the keys',
      { configured: ['exec'], development: false },
      ['exec'],
    ],
  ];
  for (const [sentence, rules, allowed] of ROWS) {
    test(sentence, () => {
      assert.deepEqual(allowedKinds(rules), allowed);
      for (const kind of STREAM_KINDS) {
        const isRefused = accessRefusal(kind, 'edge-1', rules) !== null;
        assert.equal(isRefused, !allowed.includes(kind), kind);
      }
    });
  }
});

describe('a refusal says which setting to change', () => {
  test('where nothing was set', () => {
    const text = accessRefusal('exec', 'edge-1', { configured: null, development: false }) ?? '';
    assert.match(
      text,
      /^exec is off on node edge-1: a node whose hub does not hold the release key/,
    );
    assert.match(text, /set remoteAccess: \[logs,exec\].*or --remote-access logs,exec/);
  });
  test('where something else was set', () => {
    const rules = { configured: [], development: true };
    const text = accessRefusal('portForward', 'edge-1', rules) ?? '';
    assert.match(text, /its configuration allows nothing; .*remoteAccess: \[portForward\]/);
  });
});
