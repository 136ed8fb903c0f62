/** Bytes told by what they have in common with others: the same bytes again, few of them, and never more than the reader's limit. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { describe, test } from 'node:test';
import { canonicalJson } from '../../../protocol/canonical.js';
import { applyDelta, deltaOf, NumberReader, written } from '../../../protocol/delta.js';
import { bundleDocument, podManifest } from '../../support/fleet.js';
import { fc } from '../../support/properties.js';

const LIMIT = 1024 * 1024;
const again = (base: Buffer, target: Buffer) => applyDelta(base, deltaOf(base, target), LIMIT);

/** As a bundle's list of manifests, one of which changed. */
function list(count: number, image: string): Buffer {
  const pods = Array.from({ length: count }, (_, n) =>
    podManifest(`app-${n}`, n === 7 ? image : 'web:1'),
  );
  return Buffer.from(canonicalJson(bundleDocument(pods)));
}

describe('a delta', () => {
  test('makes the same bytes again, whatever they have in common', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 6 });
    const orders = fc.array(fc.nat({ max: 5 }), { maxLength: 12 });
    fc.assert(
      fc.property(pieces, orders, orders, (of, one, other) => {
        const joined = (order: number[]) =>
          Buffer.concat(order.map(index => of[index % of.length] ?? Buffer.alloc(0)));
        const [base, target] = [joined(one), joined(other)];
        assert.deepEqual(again(base, target), target);
      }),
    );
  });

  const SIZES: readonly [string, number, number][] = [
    ['one changed manifest of fifty', 50, 110],
    ['one of five hundred, beyond what deflate looks back', 500, 110],
  ];
  for (const [sentence, count, bytesMax] of SIZES) {
    test(`of a list of ${sentence} costs what changed`, () => {
      const [base, target] = [list(count, 'web:1'), list(count, 'web:2')];
      const delta = deltaOf(base, target);
      assert.deepEqual(applyDelta(base, delta, target.byteLength), target);
      assert.ok(delta.byteLength <= bytesMax, `${delta.byteLength} bytes`);
    });
  }

  test('of 100 KiB with a line put in at the beginning costs the line', () => {
    const base = randomBytes(100 * 1024);
    const target = Buffer.concat([base.subarray(0, 50), Buffer.from('a line'), base.subarray(50)]);
    const delta = deltaOf(base, target);
    assert.deepEqual(applyDelta(base, delta, LIMIT), target);
    assert.ok(delta.byteLength < 120, `${delta.byteLength} bytes`);
  });

  test('of bytes that nothing is known of is those bytes, deflated where that is shorter', () => {
    const text = Buffer.alloc(5000, 'the same ');
    assert.ok(deltaOf(Buffer.alloc(0), text).byteLength < 100);
    const noise = randomBytes(5000);
    assert.ok(deltaOf(text, noise).byteLength < 5010);
    assert.deepEqual(again(text, noise), noise);
  });
});

describe('nothing is made of', () => {
  const base = Buffer.from('0123456789abcdefghij');
  const numbers = (...all: number[]) => Buffer.from(all.flatMap(written));
  const bytes = (head: Buffer, how: number, rest: Uint8Array = Buffer.alloc(0)) =>
    Buffer.concat([head, Buffer.from([how]), rest]);
  const ROWS: readonly [string, Buffer][] = [
    ['no bytes', Buffer.alloc(0)],
    ['what ends within a number', Buffer.from([0x80])],
    ['more than the limit', bytes(numbers(101, 1, 101, 0, 0), 0, Buffer.alloc(101))],
    [
      'copies beyond the limit',
      bytes(numbers(50, 9, ...Array<number[]>(9).fill([0, 0, 20]).flat()), 0),
    ],
    ['a copy from behind the base', bytes(numbers(5, 1, 0, 32, 5), 0)],
    ['a copy from before it', bytes(numbers(5, 1, 0, 1, 5), 0)],
    ['a copy that ends behind it', bytes(numbers(21, 1, 0, 0, 21), 0)],
    ['fewer new bytes than it says', bytes(numbers(5, 0), 0, Buffer.from('four'))],
    ['more new bytes than it says', bytes(numbers(5, 0), 0, Buffer.from('sixsix'))],
    ['new bytes before a copy that are not there', bytes(numbers(9, 1, 5, 0, 5), 0)],
    ['an unknown way of lying there', bytes(numbers(4, 0), 2, Buffer.from('four'))],
    ['what was never deflated', bytes(numbers(4, 0), 1, Buffer.from([0xff, 0xff, 0xff]))],
    [
      'deflated bytes with something behind',
      bytes(numbers(1, 0), 1, Buffer.concat([deflateRawSync('x'), base])),
    ],
    ['a bomb', bytes(numbers(100, 0), 1, deflateRawSync(Buffer.alloc(64 * 1024 * 1024)))],
    ['a number larger than any', Buffer.alloc(40, 0xff)],
  ];
  for (const [sentence, delta] of ROWS) {
    test(sentence, () => assert.equal(applyDelta(base, delta, 100), null));
  }
});

test('numbers are read as they were written; what is not there is infinitely many', () => {
  for (const number of [0, 1, 127, 128, 300, 65_536, 2 ** 31 - 1]) {
    const reader = new NumberReader(Buffer.from([...written(number), 7]));
    assert.equal(reader.next(), number);
    assert.equal(reader.next(), 7);
    assert.equal(reader.next(), Infinity);
  }
  assert.equal(new NumberReader(Buffer.from(written(2 ** 31))).next(), Infinity);
  assert.equal(new NumberReader(Buffer.from('abc')).take(4), null);
});
