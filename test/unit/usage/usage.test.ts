/** How what a node uses is told: small on the wire, a table for a person. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NO_BUDGET } from '../../../protocol/budget.js';
import { sealPacked } from '../../../protocol/envelope.js';
import { TOPICS } from '../../../protocol/topics.js';
import {
  bytesText,
  linkOverhead,
  MESSAGE_USAGES,
  publishBytes,
  reportedCounts,
  usageLines,
  usageOf,
  usageReport,
  type UsageCounts,
} from '../../../protocol/usage.js';
import { NODE } from '../../support/fleet.js';

const SINCE = '2026-11-20T10:00:00.000Z';
const COUNTS: UsageCounts = {
  in: [2048, 20_480, 1_048_576],
  out: [1024, 10_240, 5_242_880],
  status: [1000, 9000, 4_000_000],
  acks: [24, 1000, 500_000],
  images: [0, 0, 268_435_456],
};

describe('what a node uses', () => {
  test('is a table of kinds and periods, the rest of the link last', () => {
    assert.deepEqual(usageLines(SINCE, COUNTS), [
      'Usage:',
      '                       Today     This month   Since 2026-11-20',
      '  Link                 3.0 KiB   30.0 KiB     6.0 MiB',
      '    in                 2.0 KiB   20.0 KiB     1.0 MiB',
      '    out                1.0 KiB   10.0 KiB     5.0 MiB',
      '    Status             1000 B    8.8 KiB      3.8 MiB',
      '    Acknowledgements   24 B      1000 B       488 KiB',
      '    TLS, keep-alive    2.0 KiB   20.2 KiB     1.7 MiB',
      '  Images pulled        0 B       0 B          256 MiB',
    ]);
  });

  test('travels in KiB that were begun, without what is zero', () => {
    const report = usageReport(SINCE, { ...COUNTS, events: [0, 0, 0] }, NO_BUDGET);
    assert.deepEqual(report, {
      since: SINCE,
      kib: {
        in: [2, 20, 1024],
        out: [1, 10, 5120],
        status: [1, 9, 3907],
        acks: [1, 1, 489],
        images: [0, 0, 262_144],
      },
    });
    assert.deepEqual(reportedCounts(report).in, COUNTS.in);
  });

  test('costs a status a few dozen bytes', () => {
    const bytes = (document: object) => sealPacked('status', document, [NODE]).byteLength;
    const base = { at: SINCE, allocatable: { cpu: '4' }, conditions: [], counter: 17, pods: {} };
    const idle = usageReport(
      SINCE,
      {
        in: [70_123, 1_920_111, 33_333_333],
        out: [80_456, 1_833_222, 44_444_444],
        status: [42_000, 777_000, 8_888_888],
        acks: [12_345, 234_567, 3_456_789],
        presence: [0, 2_345, 98_765],
        written: [45_678, 1_345_678, 34_567_890],
      },
      { link: 20_971_520, writes: null },
    );
    const more = bytes({ ...base, usage: idle }) - bytes(base);
    assert.ok(more <= 150, `${more} bytes`);
  });

  test('nonsense of a node is left out', () => {
    const report = { since: SINCE, kib: { in: [1, 2, 3], bogus: [1, 2, 3], out: [1] } };
    assert.deepEqual(reportedCounts(report), { in: [1024, 2048, 3072] });
  });

  test('every topic has its kind', () => {
    for (const kind of Object.keys(TOPICS) as (keyof typeof TOPICS)[]) {
      assert.ok(MESSAGE_USAGES.includes(usageOf(kind)), kind);
    }
  });

  test('the rest is never less than nothing', () => {
    assert.deepEqual(linkOverhead({ in: [1, 1, 1], status: [2, 2, 2] }), [0, 0, 0]);
  });

  // Remaining length: 2 + 3 + 2 + payload; a digit more at 128, 16,384 and 2,097,152 (MQTT 3.1.1, 2.2.3).
  const SIZES: [payload: number, packet: number][] = [
    [0, 9],
    [120, 129],
    [121, 131],
    [16_376, 16_386],
    [16_377, 16_388],
    [2_097_144, 2_097_155],
    [2_097_145, 2_097_157],
  ];
  for (const [payload, packet] of SIZES) {
    test(`a message of ${payload} bytes takes ${packet}`, () =>
      assert.equal(publishBytes('a/b', payload), packet));
  }

  const TEXTS: [number, string][] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [150 * 1024, '150 KiB'],
    [1.5 * 1024 ** 2, '1.5 MiB'],
    [5 * 1024 ** 5, '5120 TiB'],
  ];
  for (const [bytes, text] of TEXTS)
    test(`${bytes} bytes are ${text}`, () => assert.equal(bytesText(bytes), text));
});
