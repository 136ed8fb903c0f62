/** Kubernetes quantities: exact, rounded up, and nothing that is not one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  compareQuantities,
  divideQuantities,
  parseQuantity,
  parseQuantityMilli,
  parseQuantityWhole,
  QuantityError,
} from '../../../protocol/quantity.js';

describe('a quantity in nano-units', () => {
  const rows: [string | number, bigint][] = [
    ['0', 0n],
    ['1', 1_000_000_000n],
    ['+1', 1_000_000_000n],
    ['-1.5', -1_500_000_000n],
    ['.5', 500_000_000n],
    ['5.', 5_000_000_000n],
    [0.1, 100_000_000n],
    [1e21 / 1e6, 10n ** 24n],
    ['100n', 100n],
    ['1u', 1000n],
    ['1m', 1_000_000n],
    ['1k', 10n ** 12n],
    ['1E', 10n ** 27n],
    ['1e3', 10n ** 12n],
    ['1E3', 10n ** 12n],
    ['1e-9', 1n],
    ['1Ki', 1024n * 10n ** 9n],
    ['1.5Gi', 1_610_612_736n * 10n ** 9n],
    ['0.1n', 1n],
    ['-0.1n', -1n],
    ['1.0000000001', 1_000_000_001n],
    ['1e-300', 1n],
    ['9223372036854775807', 9_223_372_036_854_775_807n * 10n ** 9n],
  ];
  for (const [text, nanos] of rows) {
    test(`${text} is exact`, () => assert.equal(parseQuantity(text), nanos));
  }
});

describe('what is not a quantity', () => {
  const rows = [
    '',
    '.',
    '-',
    'm',
    '1.2.3',
    '1 Gi',
    '1gi',
    '1GI',
    '1KiB',
    '1e',
    '1e1.5',
    '0x10',
    ' 1',
    '1\n',
    'lots',
  ];
  for (const text of [
    ...rows,
    '1e1000',
    '1Zi',
    '1,5',
    '9223372036854775808',
    '16Ei',
    '1'.repeat(101),
  ]) {
    test(`${JSON.stringify(text.slice(0, 30))} is an error`, () => {
      assert.throws(() => parseQuantity(text), QuantityError);
    });
  }
});

describe('rounding is up', () => {
  const rows: [string, number, number][] = [
    ['thousandths of 250m', parseQuantityMilli('250m'), 250],
    ['thousandths of 0.1m', parseQuantityMilli('0.1m'), 1],
    ['thousandths of 2', parseQuantityMilli('2'), 2000],
    ['bytes of 64Mi', parseQuantityWhole('64Mi'), 67_108_864],
    ['bytes of 1500m', parseQuantityWhole('1500m'), 2],
    ['250m in units of 1', divideQuantities('250m', '1'), 1],
    ['250m in units of 1m', divideQuantities('250m', '1m'), 250],
    ['100Mi in units of 1Gi', divideQuantities('100Mi', '1Gi'), 1],
    ['2049 in units of 1Ki', divideQuantities('2049', '1Ki'), 3],
  ];
  for (const [sentence, value, expected] of rows) {
    test(sentence, () => assert.equal(value, expected));
  }
  test('a divisor of zero is an error', () => {
    assert.throws(() => divideQuantities('1', '0'), QuantityError);
  });
  test('a result beyond the safe integers is an error', () => {
    assert.throws(() => parseQuantityMilli('9223372036854775807'), QuantityError);
  });
});

describe('comparison is of values, not of spellings', () => {
  const rows: [string | number, string, number][] = [
    ['1000m', '1', 0],
    [1, '1', 0],
    ['1024Mi', '1Gi', 0],
    ['1G', '1Gi', -1],
    ['0.3', '100m', 1],
  ];
  for (const [a, b, expected] of rows) {
    test(`${a} and ${b}`, () => assert.equal(compareQuantities(a, b), expected));
  }
});
