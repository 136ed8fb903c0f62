/** Maintenance windows on a real journal and real files: what is staged waits for its hour, and who may say otherwise. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { windowHold } from '../../../agent/activation/windows.js';
import { heldHereText } from '../../../agent/held-here.js';
import { readJournal } from '../../../agent/journal/reader.js';
import { activateNow, hold, release } from '../../../agent/site.js';
import { isTimeKnown } from '../../../agent/time/node-time.js';
import type { BundleStrategy, MaintenanceWindow } from '../../../protocol/documents/bundle.js';
import { assigned } from '../../support/fleet.js';
import { ActivationWorld, made } from '../../support/activation-world.js';

const NIGHT: MaintenanceWindow = { schedule: '0 3 * * *', duration: '1h', timeZone: 'UTC' };
const SUNDAY: MaintenanceWindow = { schedule: '30 3 * * sun', duration: '1h', timeZone: 'UTC' };
const HOUR = 3600;

let it: ActivationWorld;
beforeEach(() => {
  it = new ActivationWorld();
  it.clockMs = Date.parse('2026-06-01T01:00:00Z');
});
afterEach(() => it.close());

const night = (revision: number, strategy: Partial<BundleStrategy> = {}) =>
  made('shop', revision, { strategy: { maintenanceWindows: [NIGHT], ...strategy } });

/** Revision 1 is healthy by its window, then that is over by hours. */
function running(): void {
  it.assign(made('shop', 1));
  it.wait(11);
  assert.equal(it.state('shop'), 'healthy ContainersSettled');
}

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

describe('held at the device', () => {
  const root = { by: 'root', reason: 'stocktaking' };
  const shop = { namespace: 'default', name: 'shop' };
  const condition = () =>
    it.windows
      .conditions()
      .map(({ type, message }) => `${type}: ${message.replace(/since \S+ /, '')}`);

  test('what runs stays, what comes is staged and waits, over restarts, until it is released', () => {
    running();
    it.journal.site().hold(shop, root);
    it.assign(made('shop', 2), made('till', 1));
    const { state, reason, message, failed } = it.status('shop');
    assert.deepEqual([state, reason, failed], ['waiting', 'Held', null]);
    assert.match(message, /^held at the device since 2026-\S+ by root \(stocktaking\)$/);
    assert.deepEqual(condition(), [
      'BundlesHeld: bundle default/shop: held at the device by root (stocktaking)',
    ]);
    it.restart();
    assert.deepEqual(it.images(), ['shop:1', 'till:1']);
    it.journal.site().release(shop, root);
    it.pass();
    assert.deepEqual([it.images(), condition()], [['shop:2', 'till:1'], []]);
  });

  test('it is said of what waits who holds it now, and not who did', () => {
    running();
    const says = () => it.status('shop').message.replace(/since \S+ /, '');
    it.journal.site().hold(shop, root);
    it.assign(made('shop', 2), made('till', 1));
    it.journal.site().hold(shop, { by: 'mo', reason: 'audit' });
    it.pass();
    assert.equal(says(), 'held at the device by mo (audit)');
    it.journal.site().hold({ node: 'edge-1' }, { by: 'al', reason: '' });
    it.journal.site().release(shop, root);
    it.pass();
    assert.equal(says(), 'held at the device by al');
    const { head } = it.journal.history();
    it.pass();
    assert.equal(it.journal.history().head, head);
  });

  test('the whole node: bundles to come as well', () => {
    it.journal.site().hold({ node: 'edge-1' }, root);
    it.assign(made('shop', 1), made('till', 1));
    assert.deepEqual(it.images(), []);
    assert.deepEqual(condition(), [
      'BundlesHeld: all bundles: held at the device by root (stocktaking)',
    ]);
    it.journal.site().release({ node: 'edge-1' }, root);
    it.pass();
    assert.deepEqual(it.images(), ['shop:1', 'till:1']);
    const events = it.journal
      .events(0, 9)
      .map(e => `${e.involved.kind}/${e.involved.name} ${e.reason}`);
    assert.deepEqual(events, ['Node/edge-1 HeldAtDevice', 'Node/edge-1 ReleasedAtDevice']);
  });

  test('what is no longer assigned stays too, and goes when it is released', () => {
    running();
    it.journal.site().hold(shop, root);
    it.assign();
    assert.deepEqual(it.images(), ['shop:1']);
    it.journal.site().release({ node: 'edge-1' }, root);
    it.pass();
    assert.deepEqual(it.images(), []);
  });

  test('the hub does not override it', () => {
    running();
    it.journal.site().hold(shop, root);
    it.assign({ made: night(2), now: { by: 'admin', reason: '' } });
    assert.equal(it.state('shop'), 'waiting Held');
  });

  test('a trial that is under way ends as ever', () => {
    running();
    it.fates.set('shop:2', 'crash');
    it.assign(made('shop', 2));
    it.journal.site().hold(shop, root);
    it.wait(600);
    assert.equal(it.state('shop'), 'rolledBack ProgressDeadlineExceeded');
    assert.deepEqual(it.images(), ['shop:1']);
  });

  const refused: readonly [string, () => unknown, RegExp][] = [
    [
      'activate of a held bundle',
      () => activateNow(it.journal, wish('shop'), { isLocked: () => false }),
      /is held by root/,
    ],
    ['release of what is not held', () => release(it.journal, wish('till')), /till is not held$/],
    [
      'of a bundle that is not there',
      () => hold(it.journal, wish('x')),
      /there are: default\/shop/,
    ],
    ['without a name for who', () => hold(it.journal, { ...wish('shop'), by: '' }), /^by: who/],
    [
      'with a reason of two lines',
      () => hold(it.journal, { ...wish('shop'), reason: 'a\nb' }),
      /^reason: a line/,
    ],
  ];
  const wish = (bundle: string | null) => ({ bundle, by: 'root', reason: '', node: 'edge-1' });
  for (const [sentence, ask, message] of refused) {
    test(`refused: ${sentence}`, () => {
      running();
      it.assign(made('shop', 1), made('till', 1));
      it.journal.site().hold(shop, root);
      it.assign(made('shop', 2), made('till', 1));
      assert.throws(ask, { message });
    });
  }

  const heldText = () => hold(it.journal, wish('shop')).bundles.map(heldHereText);

  test('says what stays, and what waits', () => {
    running();
    assert.deepEqual(heldText(), ['it stays at revision 1']);
    it.assign(made('shop', 2));
    assert.deepEqual(heldText(), ['it stays at revision 1; revision 2 waits']);
  });

  test('says that nothing lies there where a first revision waits', () => {
    it.assign(night(1));
    assert.deepEqual(heldText(), ['nothing of it lies here; revision 1 waits']);
  });

  test('says nothing waits where the next one was given up', () => {
    running();
    it.fates.set('shop:2', 'crash');
    it.assign(made('shop', 2));
    it.wait(600);
    assert.deepEqual(heldText(), ['it stays at revision 1']);
  });

  test('release of one while all are held says what to do', () => {
    running();
    hold(it.journal, wish(null));
    assert.throws(() => release(it.journal, wish('shop')), {
      message: 'all bundles are held, not this one alone: flotilla-agent release',
    });
    assert.equal(release(it.journal, wish(null)).released.length, 1);
    assert.deepEqual(release(it.journal, wish(null)).released, []);
  });
});

describe('activated now', () => {
  const told = () =>
    readJournal(it.dataDir).history.flatMap(({ entry }) =>
      entry.kind === 'site' ? [`${entry.word} ${entry.by} ${entry.reason}`] : [],
    );
  const events = () =>
    it.journal.events(0, 20).map(({ reason, message }) => `${reason}: ${message}`);

  test('by the hub, in the assignment: who and why stand in journal, event and status', () => {
    running();
    it.assign(night(2));
    it.assign({ made: night(2), now: { by: 'admin', reason: 'the till is down' } });
    assert.deepEqual(it.images(), ['shop:2']);
    const row = readJournal(it.dataDir).history.at(-2)?.entry;
    assert.equal(
      row?.kind === 'bundle' ? row.message : '',
      '1 manifest in the static pod directory; outside its maintenance window, asked for by admin (the till is down)',
    );
    assert.ok(
      events().includes(
        'WindowOverridden: revision 2: activated outside its maintenance window, asked for by admin (the till is down)',
      ),
      events().join('\n'),
    );
    it.wait(11);
    assert.match(it.status('shop').message, /; activated outside .* asked for by admin \(the till/);
  });

  test('by the hub while the window is open anyway: nothing is told of it', () => {
    running();
    it.clockMs = Date.parse('2026-06-01T03:10:00Z');
    it.assign({ made: night(2), now: { by: 'admin', reason: '' } });
    assert.deepEqual(it.images(), ['shop:2']);
    assert.deepEqual(
      events().filter(text => text.startsWith('Window')),
      [],
    );
  });

  test('at the device: kept over a restart, used once', () => {
    running();
    it.assign(night(2));
    const { digest } = it.status('shop');
    const shop = { namespace: 'default', name: 'shop', digest, attempt: 0 };
    it.journal.site().activateNow(shop, { by: 'root', reason: 'opening day' });
    assert.deepEqual(told(), ['activateNow root opening day']);
    it.restart();
    assert.deepEqual(it.images(), ['shop:2']);
    assert.deepEqual(
      it.journal
        .site()
        .overrides()
        .map(({ usedAt }) => usedAt === null),
      [false],
    );
    it.assign(night(3));
    assert.equal(it.state('shop'), 'waiting Window', 'the next one waits again');
  });

  test('of another revision: nothing for this one', () => {
    running();
    it.assign(night(2));
    const digest = 'f'.repeat(64);
    const other = { namespace: 'default', name: 'shop', digest, attempt: 0 };
    it.journal.site().activateNow(other, { by: 'root', reason: '' });
    it.pass();
    assert.equal(it.state('shop'), 'waiting Window');
  });
});
