/** Canonical form: what `parseCanonical` refuses, and that it accepts what `canonicalJson` writes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { randomOf } from '../../support/random.js';
import {
  canonicalJson,
  nestingDepth,
  parseCanonical,
  sha256Hex,
} from '../../../protocol/canonical.js';

const parse = (text: string | Uint8Array, bytesMax = 1000) =>
  parseCanonical(typeof text === 'string' ? Buffer.from(text) : text, { bytesMax, what: 'test' });

describe('parseCanonical accepts what canonicalJson writes', () => {
  const values: Record<string, unknown> = {
    'nested objects and lists': { b: [1, { d: null, c: 'x' }], a: true },
    'keys that look like numbers': { '10': 'a', '9': 'b', a: 'c', '-1': 'd', '01': 'e' },
    'text outside ASCII': { ä: '日本 \u{1f680}', z: '\u2028' },
    'escaped control characters': { a: '\n\t\u0001' },
    'numbers at the edge of the safe range': {
      a: Number.MAX_SAFE_INTEGER,
      b: Number.MIN_SAFE_INTEGER,
      c: 0.5,
    },
  };
  for (const [what, value] of Object.entries(values)) {
    test(what, () => {
      const result = parse(canonicalJson(value));
      assert.ok(result.ok, JSON.stringify(result));
      assert.deepEqual(result.value, value);
      assert.equal(canonicalJson(result.value), canonicalJson(value));
    });
  }
});

describe('canonicalJson', () => {
  /** The rule itself, with a copy of everything. */
  function copied(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(copied);
    if (value === null || typeof value !== 'object') return value;
    const members = value as Record<string, unknown>;
    const keys = Object.keys(members).sort();
    return Object.fromEntries(keys.map(key => [key, copied(members[key])]));
  }

  const random = randomOf(7);
  const drawn = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  const KEYS = ['a', 'b', 'B', 'aa', '0', '1', '10', '9', '01', '-1', '4294967294', '4294967295'];
  const made = (depth: number): unknown => {
    const kind = random();
    if (depth === 0 || kind < 0.3) return drawn([1, 'x', null, true, undefined, -0.5]);
    const count = Math.floor(random() * 5);
    if (kind < 0.5) return Array.from({ length: count }, () => made(depth - 1));
    return Object.fromEntries(
      Array.from({ length: count }, () => [drawn(KEYS), made(depth - 1)] as const),
    );
  };

  test('writes whatever order the keys came in as if all were copied in order', () => {
    for (let i = 0; i < 2000; i++) {
      const value = { of: made(4) };
      const before = JSON.stringify(value);
      const text = canonicalJson(value);
      assert.equal(text, JSON.stringify(copied(value)));
      assert.equal(JSON.stringify(value), before, 'what was given is not changed');
      assert.ok(parse(text, 100_000).ok, text);
      assert.equal(parse(before, 100_000).ok, before === text, before);
    }
  });

  test('writes members, whatever an object would say of itself', () => {
    assert.equal(canonicalJson({ b: new Date(0), a: Buffer.from('x') }), '{"a":{"0":120},"b":{}}');
  });
});

describe('parseCanonical refuses', () => {
  const rows: Record<string, [string | Uint8Array, string]> = {
    'a duplicate key': ['{"a":1,"a":1}', 'Malformed'],
    'keys out of order': ['{"b":1,"a":1}', 'Malformed'],
    'a blank': ['{"a": 1}', 'Malformed'],
    'a trailing byte': ['{"a":1}\n', 'Malformed'],
    'a byte-order mark': ['\ufeff{"a":1}', 'Malformed'],
    'a needless escape': ['{"a":"\\u0062"}', 'Malformed'],
    '1e3': ['{"a":1e3}', 'Malformed'],
    '1.0': ['{"a":1.0}', 'Malformed'],
    '-0': ['{"a":-0}', 'Malformed'],
    '2^53+1': ['{"a":9007199254740993}', 'Malformed'],
    '1e400': ['{"a":1e400}', 'Malformed'],
    'a key __proto__': ['{"__proto__":{"x":1}}', 'Malformed'],
    'a key __proto__ spelt with an escape': ['{"\\u005f_proto__":{"x":1}}', 'Malformed'],
    'a key constructor': ['{"constructor":1}', 'Malformed'],
    'bad UTF-8': [Uint8Array.from([0x22, 0xff, 0x22]), 'Malformed'],
    'a lone surrogate': ['{"a":"\\ud800"}', 'Malformed'],
    'no JSON at all': ['pods: yaml', 'Malformed'],
    nothing: ['', 'Malformed'],
    'one byte over the limit': [`"${'x'.repeat(999)}"`, 'TooLarge'],
  };
  for (const [what, [text, code]] of Object.entries(rows)) {
    test(what, () => {
      const result = parse(text);
      assert.ok(!result.ok);
      assert.equal(result.refusal.code, code);
    });
  }

  test('50,000 nested brackets, without a stack overflow', () => {
    const result = parse('['.repeat(50_000) + ']'.repeat(50_000), 1_000_000);
    assert.ok(!result.ok && result.refusal.code === 'Malformed');
  });

  test('and leaves Object.prototype as it was', () => {
    parse('{"__proto__":{"polluted":1}}');
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });
});

test('nestingDepth counts brackets outside of strings only', () => {
  assert.equal(nestingDepth('{"a":[{"b":"[[[\\"{"}]}'), 3);
});

test('sha256Hex is SHA-256', () => {
  assert.equal(
    sha256Hex('abc'),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});
