/** What time it is for a node: sentence → facts → time. The table of security.md 1.6. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { correctedAt, nodeTime, stampedAt, type TimeFacts } from '../../../agent/time/node-time.js';
import { Silence, SILENT_MS } from '../../../agent/time/silence.js';
import { Timeline } from '../../../agent/time/timeline.js';
import { rootDocument } from '../../support/fleet.js';

const at = (text: string) => Date.parse(text);
const DAY = 86_400_000;
const root = rootDocument();
const ISSUED = at(root.issued);
const MAY = { epoch: 1, time: at('2026-05-01') };

function facts(change: Partial<TimeFacts>): TimeFacts {
  return {
    clock: at('2026-06-01'),
    uptime: 1000,
    releasedAt: at('2025-01-01'),
    root,
    hubFloor: MAY,
    learned: null,
    kernelSynced: false,
    floorKnownMs: 0,
    ...change,
  };
}

describe('the time of a node', () => {
  const june = at('2026-06-01');
  const learned = (text: string, epoch = 1) => ({ epoch, time: at(text), at: 400 });
  const rows: [string, Partial<TimeFacts>, number, string, number | null][] = [
    ['a plausible clock is taken and called unproven', {}, june, 'floor', null],
    ['one that the kernel disciplines is synced', { kernelSynced: true }, june, 'synced', null],
    ['S28: 1970 is below the floor', { clock: 0 }, MAY.time, 'floor', null],
    [
      'S28: the floor ages with the process',
      { clock: 0, floorKnownMs: 5 },
      MAY.time + 5,
      'floor',
      null,
    ],
    [
      'without an assignment the root is the floor',
      { clock: 0, hubFloor: null },
      ISSUED,
      'floor',
      null,
    ],
    [
      'the release is a floor too',
      { clock: 0, hubFloor: null, releasedAt: june },
      june,
      'floor',
      null,
    ],
    [
      "S17: a former epoch's word is no floor",
      { clock: 0, hubFloor: { epoch: 0, time: at('2099-01-01') } },
      ISSUED,
      'floor',
      null,
    ],
    ['S29: 2099 is suspect', { clock: at('2099-01-01') }, at('2099-01-01'), 'suspect', null],
    [
      'S29: forged NTP is suspect too',
      { clock: at('2099-01-01'), kernelSynced: true },
      at('2099-01-01'),
      'suspect',
      null,
    ],
    [
      "S29: the hub's answer goes before the clock",
      { clock: at('2099-01-01'), learned: learned('2026-06-01') },
      june + 600,
      'synced',
      june + 600 - at('2099-01-01'),
    ],
    [
      'a learned time counts on with the uptime',
      { clock: 0, uptime: 400 + DAY, learned: learned('2026-06-01') },
      june + DAY,
      'synced',
      june + DAY,
    ],
    [
      "S31: a former epoch's answer is dropped",
      { learned: learned('2099-01-01', 0) },
      june,
      'floor',
      null,
    ],
    [
      'S30: no answer goes below the root',
      { clock: 0, hubFloor: null, learned: learned('2025-06-01') },
      ISSUED,
      'floor',
      at('2025-06-01') + 600,
    ],
  ];
  for (const [sentence, change, now, clock, offset] of rows) {
    test(sentence, () => {
      const { floor: _, ...time } = nodeTime(facts(change));
      assert.deepEqual(time, { now, clock, offset });
    });
  }
});

describe('a time of the system clock as it is told', () => {
  const now = at('2026-06-01');
  const floor = ISSUED;
  const rows: [string, number, number, number][] = [
    ['stays where the clock is right', now - 5, 0, now - 5],
    ['moves by a small offset', now - 3_600_000, 600_000, now - 3_000_000],
    ['of 1970 moves by years', 500, now - 1000, now - 500],
    ['of 2099 moves back', at('2099-01-01'), now - at('2099-01-01') - 7, now - 7],
    ['from before the clock went wrong stays', at('2026-02-01'), now, at('2026-02-01')],
    ['never lies in the future', now - 1000, 3_600_000, now],
  ];
  for (const [sentence, time, by, expected] of rows) {
    test(sentence, () => assert.equal(correctedAt(time, { by, now, floor }), expected));
  }
});

describe('what was told once is told the same again', () => {
  test('jitter and slow drift move nothing, a step of the clock moves no time of the past', () => {
    const line = new Timeline();
    line.look({ time: 1_000_000, clock: 1_000_000, uptime: 1_000 });
    assert.equal(line.at(500), 999_500);
    line.look({ time: 1_009_000, clock: 1_009_000, uptime: 2_000 });
    assert.equal(line.at(500), 999_500);
    assert.equal(line.by(), 0);
    line.look({ time: 1_002_000, clock: 9_000_000, uptime: 3_000 });
    assert.equal(line.at(500), 999_500);
    assert.equal(line.by(), -7_998_000);
    line.look({ time: 1_002_000, clock: 9_001_500, uptime: 3_000 });
    assert.equal(line.by(), -7_998_000);
  });

  test('a clock that is off by an hour is put right as a whole', () => {
    const line = new Timeline();
    line.look({ time: 0, clock: 0, uptime: 0 });
    line.look({ time: 3_600_000, clock: 0, uptime: 0 });
    assert.equal(line.at(10), 3_600_010);
    assert.equal(line.near(10, 10), 3_600_010);
    assert.equal(line.near(3_600_000, 10), 3_600_000);
  });
});

describe('S22: a silent hub', () => {
  test('is noticed after seven days of uptime, once, and so is its end', () => {
    const silence = new Silence(0, 5_000);
    assert.equal(silence.turned(5_000 + SILENT_MS - 1), false);
    assert.equal(silence.turned(5_000 + SILENT_MS), true);
    assert.equal(silence.turned(5_000 + SILENT_MS + DAY), false);
    silence.heard(5_000 + SILENT_MS + DAY);
    assert.equal(silence.turned(5_000 + SILENT_MS + DAY + 1), true);
  });

  test('counts over restarts from what was saved', () => {
    const silence = new Silence(SILENT_MS - DAY, 0);
    assert.equal(silence.isTooLong(DAY - 1), false);
    assert.equal(silence.isTooLong(DAY), true);
  });

  test('is saved four times on its first day and once a day from then on, and its end once', () => {
    const silence = new Silence(0, 0);
    const saved: number[] = [];
    for (let hour = 1; hour <= 72; hour++) {
      const ms = silence.toSave(hour * 3_600_000);
      if (ms !== null) saved.push(ms);
    }
    assert.deepEqual(
      saved,
      [2, 4, 8, 16, 24, 48, 72].map(hours => hours * 3_600_000),
    );
    silence.heard(73 * 3_600_000);
    assert.equal(silence.toSave(73 * 3_600_000), 0);
    assert.equal(silence.toSave(73 * 3_600_000), null);
  });

  test('is noticed on a machine whose power is cut every evening', () => {
    let saved = 0;
    let days = 0;
    for (; saved < SILENT_MS && days < 30; days++) {
      const silence = new Silence(saved, 0);
      for (let minute = 1; minute <= 9 * 60; minute++) {
        saved = silence.toSave(minute * 60_000) ?? saved;
      }
    }
    assert.equal(days, 21);
  });

  test('a hub that is heard every hour costs no write at all', () => {
    const silence = new Silence(0, 0);
    for (let hour = 1; hour <= 240; hour++) {
      silence.heard(hour * 3_600_000);
      assert.equal(silence.toSave(hour * 3_600_000), null);
    }
  });

  test('an answer to what was asked before the silence began says nothing', () => {
    const silence = new Silence(0, 1_000_000);
    silence.heard(999_999);
    assert.equal(silence.ms(1_000_500), 500);
  });
});

describe('a row that is kept is dated', () => {
  const HOUR = 3_600_000;
  const told = Date.parse('2026-06-01T00:00:00Z');
  const rows: readonly (readonly [
    sentence: string,
    by: number,
    isProven: boolean,
    byNode: boolean,
  ])[] = [
    ["by the node's time where the clock is years behind it", 56 * 365 * 24 * HOUR, true, true],
    ["by the node's time where the clock is years ahead of it", -10 * 365 * 24 * HOUR, true, true],
    ["by the node's time from a day on", 24 * HOUR, true, true],
    ['by the clock that is hours off: that is put right when it is told', 23 * HOUR, true, false],
    ['by the clock that nobody proved wrong', 56 * 365 * 24 * HOUR, false, false],
    ['by the clock that is right', 0, true, false],
  ];
  for (const [sentence, by, isProven, byNode] of rows) {
    test(sentence, () => {
      const clock = told - by;
      assert.equal(stampedAt({ clock, told, by, isProven }), byNode ? told : clock);
    });
  }
});
