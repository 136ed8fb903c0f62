/** How long a node waits before it tries the broker again, and what that makes of a fleet whose broker went away. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { backOffMs, isForAll, type Ending } from '../../../agent/link/back-off.js';
import { randomOf } from '../../support/random.js';
import { busiest } from '../../support/busiest.js';

const ROWS: [attempt: number, least: number, most: number][] = [
  [0, 500, 1_000],
  [1, 1_000, 2_000],
  [5, 16_000, 32_000],
  [6, 30_000, 60_000],
  [1_000_000, 30_000, 60_000],
];

for (const [attempt, least, most] of ROWS) {
  test(`try ${attempt + 1} is followed by ${least} to ${most} ms, by chance`, () => {
    assert.deepEqual([backOffMs(attempt, 0), backOffMs(attempt, 1)], [least, most]);
    assert.equal(backOffMs(attempt, 0.5), (least + most) / 2);
  });
}

const FOR_ALL: [attempt: number, least: number, most: number][] = [
  [0, 500, 10_000],
  [3, 500, 10_000],
  [4, 500, 16_000],
  [5, 16_000, 32_000],
  [1_000_000, 30_000, 60_000],
];

for (const [attempt, least, most] of FOR_ALL) {
  test(`after an end that may be for all, try ${attempt + 1} is followed by ${least} to ${most} ms`, () => {
    assert.deepEqual([backOffMs(attempt, 0, true), backOffMs(attempt, 1, true)], [least, most]);
  });
}

describe('a connection that was there', () => {
  const ended = (what: Partial<Ending> = {}): Ending => ({
    ...{ isCut: false, code: null, isForgotten: false },
    ...what,
  });
  const ENDINGS: [sentence: string, Ending, forAll: boolean][] = [
    ['closed in order', ended(), true],
    ['reset out of nothing', ended({ code: 'ECONNRESET' }), true],
    ['gone when something was written', ended({ code: 'EPIPE' }), true],
    [
      'reset upon what was said after a silence',
      ended({ code: 'ECONNRESET', isForgotten: true }),
      false,
    ],
    ['given up by the node, which heard nothing', ended({ isCut: true }), false],
    ['not answered by the other end’s machine', ended({ code: 'ETIMEDOUT' }), false],
    ['without a route', ended({ code: 'EHOSTUNREACH' }), false],
    ['with a packet too large', ended({ code: 'ERR_MQTT_PACKET_TOO_LARGE' }), false],
  ];
  for (const [sentence, ending, forAll] of ENDINGS) {
    test(`and is ${sentence} may ${forAll ? '' : 'not '}have ended for all nodes`, () => {
      assert.equal(isForAll(ending), forAll);
    });
  }
});

describe('of a thousand nodes whose broker ends', () => {
  /** When each is back, after the broker that came again after `awayMs`; ms. */
  const backAfter = (awayMs: number, forAll: boolean): number[] => {
    const random = randomOf(11);
    return Array.from({ length: 1_000 }, () => {
      let at = 0;
      for (let attempt = 0; at < awayMs || at === 0; attempt++) {
        at += backOffMs(attempt, random(), forAll);
      }
      return at;
    });
  };
  const ROWS: [away: string, awayMs: number, most: number][] = [
    ['a tenth of a second', 100, 150],
    ['a second', 1_000, 150],
    ['three seconds', 3_000, 200],
    ['ten seconds', 10_000, 200],
    ['half a minute', 30_000, 150],
    ['an hour', 3_600_000, 60],
  ];
  for (const [away, awayMs, most] of ROWS) {
    test(`and is there again after ${away}, at most ${most} come in a second, and all within a minute`, () => {
      const times = backAfter(awayMs, true);
      assert.ok(busiest(times, 1_000) <= most, `${busiest(times, 1_000)} in a second`);
      assert.ok(Math.max(...times) <= awayMs + 60_000);
    });
  }

  test('half are back within five seconds when it was away for a moment', () => {
    const times = backAfter(100, true).sort((a, b) => a - b);
    assert.ok((times[500] ?? 0) < 6_000, `${times[500]} ms`);
    assert.ok(Math.max(...times) <= 10_000);
  });

  test('without knowing that it ended for all, they would come within one', () => {
    assert.equal(busiest(backAfter(100, false), 1_000), 1_000);
  });
});
