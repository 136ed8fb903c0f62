/** When a maintenance window is open, and when it opens next: by calendar, by zone, and over the nights when clocks are changed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  openAt,
  parseWindowText,
  readWindows,
  windowFault,
  windowText,
} from '../../../protocol/maintenance-window.js';
import { isTimeZone, zonedText } from '../../../protocol/zone-time.js';

const BERLIN = 'Europe/Berlin';
const NEW_YORK = 'America/New_York';
const KOLKATA = 'Asia/Kolkata';

function read(...texts: string[]) {
  return readWindows(
    texts.map(text => {
      const window = parseWindowText(text);
      assert.ok(window !== null, text);
      return window;
    }),
  );
}

/** `open`, or when it opens, in the zone of the first window. */
function at(now: string, ...lists: (readonly string[])[]): string {
  const windows = lists.map(texts => read(...texts));
  const opens = openAt(windows, Date.parse(now));
  if (opens === null) return 'never';
  if (opens === Date.parse(now)) return 'open';
  return zonedText(windows[0]?.[0]?.window.timeZone ?? 'UTC', opens);
}

interface Row {
  readonly window: string;
  readonly now: string;
  readonly is: string;
}

const NIGHT = `30 2 * * * for 1h in ${BERLIN}`;
const NIGHT_US = `30 2 * * * for 1h in ${NEW_YORK}`;

const ROWS: readonly [string, Row][] = [
  [
    'before it opens it says when',
    { window: NIGHT, now: '2026-01-15T00:00:00Z', is: '2026-01-15T02:30:00+01:00' },
  ],
  [
    'it is open from the minute on that it opens',
    { window: NIGHT, now: '2026-01-15T01:30:00Z', is: 'open' },
  ],
  [
    'it is open to its last millisecond',
    { window: NIGHT, now: '2026-01-15T02:29:59.999Z', is: 'open' },
  ],
  [
    'the moment it closes it waits for the next day',
    { window: NIGHT, now: '2026-01-15T02:30:00Z', is: '2026-01-16T02:30:00+01:00' },
  ],
  [
    'in summer it is an hour earlier by UTC',
    { window: NIGHT, now: '2026-07-01T00:00:00Z', is: '2026-07-01T02:30:00+02:00' },
  ],
  [
    'Berlin, clocks forward: the time that is left out is read with the offset before, once',
    { window: NIGHT, now: '2026-03-29T00:00:00Z', is: '2026-03-29T03:30:00+02:00' },
  ],
  [
    'Berlin, clocks forward: it is open then',
    { window: NIGHT, now: '2026-03-29T01:30:00Z', is: 'open' },
  ],
  [
    'Berlin, clocks forward: it stays open for its hour and no longer',
    { window: NIGHT, now: '2026-03-29T02:30:00Z', is: '2026-03-30T02:30:00+02:00' },
  ],
  [
    'Berlin, clocks back: it opens at the first of two equal times',
    { window: NIGHT, now: '2026-10-25T00:00:00Z', is: '2026-10-25T02:30:00+02:00' },
  ],
  [
    'Berlin, clocks back: after its hour it is closed at the second of them',
    { window: NIGHT, now: '2026-10-25T01:30:00Z', is: '2026-10-26T02:30:00+01:00' },
  ],
  [
    'Berlin, clocks back: four hours are four hours',
    { window: `0 1 * * * for 4h in ${BERLIN}`, now: '2026-10-25T02:59:59Z', is: 'open' },
  ],
  [
    'Berlin, clocks back: and not five as the clock on the wall says',
    {
      window: `0 1 * * * for 4h in ${BERLIN}`,
      now: '2026-10-25T03:00:00Z',
      is: '2026-10-26T01:00:00+01:00',
    },
  ],
  [
    'New York, clocks forward: the time that is left out',
    { window: NIGHT_US, now: '2026-03-08T05:00:00Z', is: '2026-03-08T03:30:00-04:00' },
  ],
  [
    'New York, clocks back: the first of two equal times',
    {
      window: `30 1 * * * for 30m in ${NEW_YORK}`,
      now: '2026-11-01T04:00:00Z',
      is: '2026-11-01T01:30:00-04:00',
    },
  ],
  [
    'New York, clocks back: not again an hour later',
    {
      window: `30 1 * * * for 30m in ${NEW_YORK}`,
      now: '2026-11-01T06:30:00Z',
      is: '2026-11-02T01:30:00-05:00',
    },
  ],
  [
    'a window of every hour, clocks forward: no hour has two',
    {
      window: `30 * * * * for 10m in ${BERLIN}`,
      now: '2026-03-29T00:40:00Z',
      is: '2026-03-29T03:30:00+02:00',
    },
  ],
  [
    'a zone without summer time, half an hour off',
    {
      window: `0 2 * * * for 1h in ${KOLKATA}`,
      now: '2026-03-29T00:00:00Z',
      is: '2026-03-30T02:00:00+05:30',
    },
  ],
  [
    'a change of clocks by half an hour (Lord Howe)',
    {
      window: '15 2 * * * for 1h in Australia/Lord_Howe',
      now: '2026-10-03T15:00:00Z',
      is: '2026-10-04T02:45:00+11:00',
    },
  ],
  ['UTC', { window: '0 0 * * * for 1m in UTC', now: '2026-01-01T00:00:59Z', is: 'open' }],
  [
    'over midnight it is open on the next day',
    { window: `0 23 * * sat for 4h in ${BERLIN}`, now: '2026-01-18T01:59:00Z', is: 'open' },
  ],
  [
    'Sunday alone, from Sunday after it to the next',
    {
      window: '0 2 * * 7 for 2h in UTC',
      now: '2026-01-18T04:00:00Z',
      is: '2026-01-25T02:00:00+00:00',
    },
  ],
  [
    'the first Sunday of a month',
    {
      window: '0 2 * * sun#1 for 2h in UTC',
      now: '2026-01-05T00:00:00Z',
      is: '2026-02-01T02:00:00+00:00',
    },
  ],
  [
    'the last Friday of a month',
    {
      window: '0 2 * * 5L for 2h in UTC',
      now: '2026-01-05T00:00:00Z',
      is: '2026-01-30T02:00:00+00:00',
    },
  ],
  [
    'the last day of February in a leap year',
    {
      window: '0 2 L * * for 2h in UTC',
      now: '2028-02-10T00:00:00Z',
      is: '2028-02-29T02:00:00+00:00',
    },
  ],
  [
    'three days before the last',
    {
      window: '0 2 L-3 * * for 2h in UTC',
      now: '2026-02-01T00:00:00Z',
      is: '2026-02-25T02:00:00+00:00',
    },
  ],
  [
    'the workday nearest to the 15th, which is a Sunday',
    {
      window: '0 2 15W * * for 2h in UTC',
      now: '2026-02-01T00:00:00Z',
      is: '2026-02-16T02:00:00+00:00',
    },
  ],
  [
    'the workday nearest to the first, which is a Saturday: not in the month before',
    {
      window: '0 2 1W * * for 2h in UTC',
      now: '2026-07-15T00:00:00Z',
      is: '2026-08-03T02:00:00+00:00',
    },
  ],
  [
    'the last workday',
    {
      window: '0 2 LW * * for 2h in UTC',
      now: '2026-01-05T00:00:00Z',
      is: '2026-01-30T02:00:00+00:00',
    },
  ],
  [
    'the leap day, two years ahead',
    {
      window: '0 2 29 2 * for 2h in UTC',
      now: '2026-03-01T00:00:00Z',
      is: '2028-02-29T02:00:00+00:00',
    },
  ],
  [
    'the leap day, over a year without one at the end of a century',
    {
      window: '0 2 29 2 * for 2h in UTC',
      now: '2096-03-01T00:00:00Z',
      is: '2104-02-29T02:00:00+00:00',
    },
  ],
  ['@daily', { window: '@daily for 1h in UTC', now: '2026-01-01T00:30:00Z', is: 'open' }],
  [
    'a whole day is always open',
    { window: '@daily for 24h in UTC', now: '2026-01-01T23:59:59Z', is: 'open' },
  ],
  [
    'days may be longer than the time between two',
    { window: '0 0 1 * * for 31d in UTC', now: '2026-01-31T23:59:59Z', is: 'open' },
  ],
  [
    'a machine at 1970 gets an answer too',
    { window: NIGHT, now: '1970-01-01T00:00:00Z', is: '1970-01-01T02:30:00+01:00' },
  ],
];

describe('a maintenance window', () => {
  for (const [sentence, { window, now, is }] of ROWS) {
    test(sentence, () => assert.equal(at(now, [window]), is));
  }
});

describe('several windows', () => {
  test('of one list: any of them', () => {
    const list = ['0 2 * * * for 1h in UTC', '0 14 * * * for 1h in UTC'];
    assert.equal(at('2026-01-01T14:30:00Z', list), 'open');
    assert.equal(at('2026-01-01T10:00:00Z', list), '2026-01-01T14:00:00+00:00');
  });

  test('of two lists: both', () => {
    const fleet = ['0 1 * * * for 4h in UTC'];
    const site = ['0 3 * * sun for 4h in UTC'];
    assert.equal(at('2026-01-01T02:00:00Z', fleet, site), '2026-01-04T03:00:00+00:00');
    assert.equal(at('2026-01-04T04:59:00Z', fleet, site), 'open');
    assert.equal(at('2026-01-04T05:00:00Z', fleet, site), '2026-01-11T03:00:00+00:00');
  });

  test('an empty list is always open', () => {
    assert.equal(at('2026-01-04T05:00:00Z', [], []), 'open');
    assert.equal(
      at('2026-01-04T05:00:00Z', ['0 6 * * * for 1h in UTC'], []),
      '2026-01-04T06:00:00+00:00',
    );
  });

  test('two that are never open together say so, and soon', () => {
    assert.equal(
      at('2026-01-04T05:00:00Z', ['0 1 * * * for 1h in UTC'], ['0 2 * * * for 1h in UTC']),
      'never',
    );
  });
});

describe('what is no window', () => {
  const good = { schedule: '0 2 * * *', duration: '2h', timeZone: BERLIN };
  const rows: readonly [object, RegExp][] = [
    [{ schedule: '' }, /^schedule "" has 0 fields/],
    [{ schedule: '0 2 * *' }, /^schedule "0 2 \* \*" has 4 fields, a schedule has five/],
    [{ schedule: '0 0 2 * * *' }, /has 6 fields/],
    [{ schedule: '0 25 * * *' }, /has no valid hour \("25"\)/],
    [{ schedule: '0 2 * * 1-5x' }, /has no valid day of week/],
    [{ schedule: '@reboot' }, /is no cron expression/],
    [{ schedule: '0 2 31 2 *' }, /has no valid day of month/],
    [{ schedule: '0 2 L-29 2 *' }, /names a day that no calendar has/],
    [{ schedule: '0 2 1-7 * sun' }, /leave one of them \*; the first Sunday of a month is 0#1/],
    [{ duration: '2' }, /^duration "2" is not a duration from 1m to 31d/],
    [{ duration: '59s' }, /^duration "59s"/],
    [{ duration: '32d' }, /^duration "32d"/],
    [{ duration: '-1h' }, /^duration "-1h"/],
    [{ timeZone: 'Europe/Atlantis' }, /^timeZone "Europe\/Atlantis" is not a time zone/],
    [{ timeZone: '+02:00' }, /^timeZone "\+02:00"/],
    [{ timeZone: '' }, /^timeZone ""/],
  ];
  for (const [change, pattern] of rows) {
    test(JSON.stringify(change), () => {
      const fault = windowFault({ ...good, ...change });
      assert.match(fault === null ? 'none' : `${fault.field} ${fault.message}`, pattern);
    });
  }

  test('the good one has no fault', () => assert.equal(windowFault(good), null));
});

describe('as a person writes it', () => {
  test('it reads back as it was written', () => {
    const text = '0 2 * * mon-fri for 90m in America/New_York';
    const window = parseWindowText(`  0  2 * * mon-fri  FOR 90m in America/New_York `);
    assert.ok(window !== null);
    assert.equal(windowText(window), text);
  });

  test('what lacks a part is none', () => {
    for (const text of [
      '',
      '0 2 * * *',
      '0 2 * * * for 2h',
      'for 2h in UTC',
      '0 2 * * * in UTC for 2h x',
    ])
      assert.equal(parseWindowText(text), null, text);
  });

  test('zones that are known', () => {
    for (const zone of ['UTC', BERLIN, NEW_YORK, 'America/Argentina/Buenos_Aires', 'Etc/GMT+5'])
      assert.ok(isTimeZone(zone), zone);
  });
});
