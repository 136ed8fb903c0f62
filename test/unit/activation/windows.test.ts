/** Maintenance windows on a real journal and real files: what is staged waits for its hour, by whatever the node knows of the time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { windowHold } from '../../../agent/activation/windows.js';
import { readJournal } from '../../../agent/journal/reader.js';
import { isTimeKnown } from '../../../agent/time/node-time.js';
import type { MaintenanceWindow } from '../../../protocol/documents/bundle.js';
import { assigned } from '../../support/fleet.js';
import { made } from '../../support/activation-world.js';
import { it, night, NIGHT, running, windowsWorld } from './windows-world.js';

const SUNDAY: MaintenanceWindow = { schedule: '30 3 * * sun', duration: '1h', timeZone: 'UTC' };
const HOUR = 3600;

windowsWorld();

function look(seconds: number): void {
  it.sleep(seconds);
  it.pass();
}

describe('a revision with a maintenance window', () => {
  test('is staged at once and waits, with the time when it opens; what runs runs on', () => {
    running();
    it.assign(night(2));
    const { state, reason, message, opensAt, active } = it.status('shop');
    assert.deepEqual(
      { state, reason, message, opensAt },
      {
        ...{ state: 'waiting', reason: 'Window', opensAt: '2026-06-01T03:00:00.000Z' },
        message:
          'its maintenance window opens at 2026-06-01T03:00:00+00:00 (0 3 * * * for 1h in UTC)',
      },
    );
    assert.equal(active, assigned(made('shop', 1).document).digest);
    assert.deepEqual(it.images(), ['shop:1']);
  });

  test('is asked for again when it opens, and at least once a minute', () => {
    running();
    it.assign(night(2));
    assert.equal(it.windows.againInMs(), 60_000);
    look(2 * HOUR - 11 - 20);
    assert.equal(it.windows.againInMs(), 20_000);
    look(20);
    assert.deepEqual(it.images(), ['shop:2']);
    assert.equal(it.windows.againInMs(), null);
  });

  test('on a node where nothing of it runs: waits too', () => {
    it.assign(night(1));
    assert.equal(it.state('shop'), 'waiting Window');
    assert.deepEqual(it.images(), []);
    look(2 * HOUR);
    assert.deepEqual(it.images(), ['shop:1']);
  });

  test('does not hold up a bundle without one', () => {
    it.assign(night(1), made('till', 1));
    assert.deepEqual(it.images(), ['till:1']);
  });

  test('waiting costs one row of history, however many windows it sleeps through', () => {
    running();
    it.assign(night(2));
    const rows = () => readJournal(it.dataDir).history.length;
    // What was gathered is written with the restart.
    it.restart();
    const before = rows();
    for (let day = 0; day < 5; day++) {
      look(24 * HOUR);
      it.restart();
    }
    assert.equal(rows(), before);
    assert.ok(it.moved >= 5, 'the status is told anew');
    assert.equal(it.status('shop').opensAt, '2026-06-06T03:00:00.000Z');
  });

  test('a restart within the window finds it open', () => {
    running();
    it.assign(night(2));
    it.sleep(2 * HOUR + 600);
    it.restart();
    assert.deepEqual(it.images(), ['shop:2']);
  });

  test('the deadline does not run while it waits, and runs on when the window closes', () => {
    running();
    it.fates.set('shop:2', 'crash');
    it.assign(night(2, { progressDeadlineSeconds: 7200 }));
    look(2 * HOUR + 3000);
    assert.equal(it.state('shop'), 'progressing ContainersPending');
    it.wait(7199);
    assert.deepEqual(it.images(), ['shop:2'], 'the window closed long ago, the trial goes on');
    it.wait(1);
    assert.equal(it.state('shop'), 'rolledBack ProgressDeadlineExceeded');
    assert.deepEqual(it.images(), ['shop:1'], 'and the way back waits for no window');
  });

  test('tried again at another attempt it waits again', () => {
    running();
    it.fates.set('shop:2', 'failed');
    it.assign(night(2));
    look(2 * HOUR);
    it.wait(1);
    assert.equal(it.state('shop'), 'rolledBack PodFailed');
    look(2 * HOUR);
    it.fates.delete('shop:2');
    it.assign({ made: night(2), attempt: 1 });
    assert.equal(it.state('shop'), 'waiting Window');
    look(24 * HOUR - 2 * HOUR);
    assert.deepEqual(it.images(), ['shop:2']);
  });

  test('what is no longer assigned goes at once', () => {
    running();
    it.assign(night(2));
    it.assign();
    assert.deepEqual(it.images(), []);
    assert.equal(it.windows.againInMs(), null);
  });

  test("another revision without a window does not wait for the former one's", () => {
    running();
    it.assign(night(2));
    it.assign(made('shop', 3));
    assert.deepEqual(it.images(), ['shop:3']);
    assert.equal(it.windows.againInMs(), null);
  });

  test('damaged content of what runs is put back at any hour', () => {
    it.assign(night(1));
    look(2 * HOUR);
    look(3 * HOUR);
    it.stage.distrustDirectory();
    it.pass();
    assert.deepEqual(it.images(), ['shop:1']);
    assert.notEqual(it.state('shop'), 'waiting Window');
  });
});

describe('clocks', () => {
  test('one that jumps over windows opens none of them', () => {
    running();
    it.assign(night(2), made('till', 1, { strategy: { maintenanceWindows: [SUNDAY] } }));
    it.clockMs = Date.parse('2031-01-01T12:00:00Z');
    it.pass();
    assert.deepEqual(it.images(), ['shop:1']);
    it.clockMs = Date.parse('2026-06-01T01:00:00Z');
    it.pass();
    assert.deepEqual(it.images(), ['shop:1']);
  });

  test('a node that does not know the time waits and says what to do', () => {
    running();
    it.isTimeKnown = false;
    it.clockMs = Date.parse('2026-06-01T03:10:00Z');
    it.assign(night(2));
    const { reason, message, opensAt } = it.status('shop');
    assert.deepEqual([reason, opensAt], ['Window', undefined]);
    assert.match(message, /^this node does not know the time, .*; flotilla-agent activate --now$/);
    it.isTimeKnown = true;
    it.pass();
    assert.deepEqual(it.images(), ['shop:2']);
  });

  const machine = { clock: 1000, hasRealTimeClock: true };
  const time = { now: 1000, clock: 'floor', floor: 500, offset: null } as const;
  const rows: readonly [string, Parameters<typeof isTimeKnown>, boolean][] = [
    ['that the hub told: known', [{ ...time, clock: 'synced', offset: 5 }, machine], true],
    ['that ran while the machine was off: known', [time, machine], true],
    [
      'that did not run while it was off: unknown',
      [time, { ...machine, hasRealTimeClock: false }],
      false,
    ],
    ['below what signed documents prove: unknown', [{ ...time, now: 1500 }, machine], false],
    ['beyond the end of the root: unknown', [{ ...time, clock: 'suspect' }, machine], false],
    ['told by a hub that errs: unknown', [{ ...time, offset: -600 }, machine], false],
  ];
  for (const [what, input, isKnown] of rows) {
    test(`a time ${what}`, () => assert.equal(isTimeKnown(...input), isKnown));
  }
});

describe("the node's own windows", () => {
  const own = (...ownWindows: MaintenanceWindow[]) => {
    it.ownWindows = ownWindows;
    it.restart();
  };

  test('hold bundles that have none', () => {
    running();
    own(NIGHT);
    it.assign(made('shop', 2));
    assert.match(
      it.status('shop').message,
      /^its maintenance window opens at 2026-06-01T03:00:00\+00:00 \(this node's own: 0 3 /,
    );
    look(2 * HOUR);
    assert.deepEqual(it.images(), ['shop:2']);
  });

  test('narrow those of a bundle: both have to be open', () => {
    running();
    own(SUNDAY);
    it.assign(night(2));
    assert.equal(it.status('shop').opensAt, '2026-06-07T03:30:00.000Z');
    look(2 * HOUR + 2000);
    assert.deepEqual(it.images(), ['shop:1']);
    look(6 * 24 * HOUR - 60);
    assert.deepEqual(it.images(), ['shop:2']);
  });

  test('that never are open together with those of a bundle: it says so', () => {
    const own = [{ ...NIGHT, schedule: '0 5 * * *' }];
    const hold = windowHold({ bundle: [NIGHT], own }, { now: it.clockMs, isKnown: true });
    assert.equal(hold?.opensAt, null);
    assert.match(
      hold.message,
      /^the maintenance windows are never open together \(0 3 .*own: 0 5 /,
    );
  });
});
