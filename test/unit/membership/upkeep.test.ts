/** When a member asks for a new certificate, how long it waits, and what a broker's answer says. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  doubtPauseMs,
  isBrokerRefusal,
  isShutOut,
  upkeepDelayMs,
  upkeepReason,
  type Upkeep,
  type UpkeepReason,
} from '../../../agent/membership/upkeep.js';

const DAY_MS = 86_400_000;
const WELL: Upkeep = {
  ...{ isPending: false, isOpen: false, isRefused: false, unreachableMs: 0 },
  lacksAuthority: false,
  renewedAgoMs: null,
  ...{ renewAfter: 100 * DAY_MS, now: 99 * DAY_MS },
};

describe('a member asks for a certificate', () => {
  const rows: [string, Partial<Upkeep>, number, UpkeepReason | null][] = [
    ['not while all is well', {}, 0, null],
    ['when its time has come', { now: 100 * DAY_MS }, 0, 'Due'],
    ['each node of a fleet on another day', { now: 106 * DAY_MS }, 0.5, null],
    ['within two weeks', { now: 114 * DAY_MS }, 1, 'Due'],
    [
      'not again and again, by a clock that stands in 2099',
      { now: 47_000 * DAY_MS, renewedAgoMs: 59 * DAY_MS },
      0,
      null,
    ],
    [
      'whatever its clock says, when the broker refuses it',
      { now: 0, isRefused: true },
      0,
      'Refused',
    ],
    [
      'when the root pins an authority that it does not know',
      { lacksAuthority: true },
      0,
      'Authority',
    ],
    ['when it was cut off before', { isOpen: true }, 0, 'Unfinished'],
    ['when it waits to be approved', { isPending: true, renewAfter: null }, 0, 'Pending'],
    ['not when the broker is away for a moment', { unreachableMs: 599_000 }, 0, null],
    ['when the broker is nowhere: it may have moved', { unreachableMs: 600_000 }, 0, 'Unreachable'],
  ];
  for (const [sentence, change, chance, expected] of rows) {
    test(sentence, () => assert.equal(upkeepReason({ ...WELL, ...change }, chance), expected));
  }
});

describe('between two tries', () => {
  test('the first comes within seconds, spread by chance', () => {
    assert.equal(upkeepDelayMs('Refused', 0, 0), 0);
    assert.equal(upkeepDelayMs('Refused', 0, 1), 3_000);
  });
  test('doubts alone bring fewer and fewer certificates: two minutes, four, at most six hours', () => {
    const minutes = [0, 1, 2, 3, 9, 99].map(granted => doubtPauseMs(granted) / 60_000);
    assert.deepEqual(minutes, [0, 2, 4, 8, 360, 360]);
  });
  test('but over five minutes where the whole fleet asks', () => {
    assert.equal(upkeepDelayMs('Authority', 0, 1), 300_000);
  });
  test('then half a minute, doubling to six hours', () => {
    const waits = [1, 2, 3, 30].map(tries => upkeepDelayMs('Refused', tries, 1));
    assert.deepEqual(waits, [30_000, 60_000, 120_000, 21_600_000]);
  });
  test('who waits for a person asks each minute at most', () => {
    const waits = [1, 2, 30].map(tries => upkeepDelayMs('Pending', tries, 1));
    assert.deepEqual(waits, [2_000, 4_000, 60_000]);
  });
});

describe('the words of a broken connection', () => {
  const rows: [string, boolean][] = [
    ['Connection refused: Not authorized', true],
    ['Connection refused: Identifier rejected', true],
    ['self-signed certificate in certificate chain', true],
    ['unable to verify the first certificate', true],
    ['C0D7:error:0A000415:SSL routines:ssl3_read_bytes:sslv3 alert certificate expired', true],
    ["Hostname/IP does not match certificate's altnames", true],
    ['no certificate of an authority that the root pins is known here', true],
    ['connect ECONNREFUSED 127.0.0.1:8883', false],
    ['Connection refused: Server unavailable', false],
    ['read ECONNRESET', false],
    ['connack timeout', false],
    ['closed', false],
  ];
  for (const [words, expected] of rows) {
    test(`"${words}" ${expected ? 'says' : 'does not say'} that the broker refuses`, () => {
      assert.equal(isBrokerRefusal(words), expected);
    });
  }
});

describe('the hub says that a node is no member', () => {
  const rows: [string, number | null, string, boolean][] = [
    ['revoked', 403, 'https://h refuses: node n1 is revoked: to bring it back, …', true],
    [
      'deleted',
      403,
      'https://h refuses: not signed by the identity key of a node of this fleet',
      true,
    ],
    ['a copy is suspected', 403, 'https://h refuses: node n1 seems to be cloned', false],
    ['too many ask', 429, 'https://h refuses: node n1 is revoked', false],
    ['it cannot be reached', null, 'https://h cannot be reached', false],
  ];
  for (const [sentence, status, message, isOut] of rows) {
    test(`${sentence}: ${isOut}`, () => assert.equal(isShutOut({ status, message }), isOut));
  }
});
