/** The journal stays within its limits, says what it cut off, and drops nothing that something still needs. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { firstMisfit, prunedOf } from '../../../agent/journal/chain.js';
import { droppedEvent, withDropped } from '../../../agent/journal/dropped-events.js';
import type { Journal } from '../../../agent/journal/journal.js';
import { openJournal } from '../../../agent/journal/open.js';
import { readProof } from '../../../agent/journal/proof.js';
import {
  DEFAULT_RETENTION,
  HISTORY_ROWS_LEAST,
  historyCut,
  outboxCut,
  type HistoryCut,
  type HistoryExtent,
  type Retention,
} from '../../../agent/journal/retention.js';
import { fastClock } from '../../support/fast-clock.js';
import { NODE_NAME, NOW, trustedRoot } from '../../support/fleet.js';

const LIMITS: Retention = {
  ...{ historyRows: 1_000, historyAgeMs: 1_000, historyBytes: 50_000 },
  ...{ outboxEvents: 100, outboxBytes: 10_000 },
};
const EXTENT: HistoryExtent = { oldest: 1, newest: 500, firstYoung: 1, bytes: 10_000 };

const CUTS: [string, Partial<HistoryExtent>, HistoryCut | null][] = [
  ['within all limits stays', {}, null],
  ['of exactly as many rows as are kept stays', { newest: 1_000 }, null],
  ['of one row more is cut by a tenth', { newest: 1_001 }, { through: 101, why: 'rows' }],
  ['is counted from its oldest row', { oldest: 501, newest: 1_500, firstYoung: 501 }, null],
  [
    'of twice the bytes keeps half, less a tenth',
    { bytes: 100_000 },
    { through: 275, why: 'bytes' },
  ],
  ['that was not counted is not cut for bytes', { bytes: null }, null],
  [
    'keeps its newest rows, however large they are',
    { bytes: 5_000_000 },
    { through: 400, why: 'bytes' },
  ],
  ['of few rows is not cut for bytes', { newest: HISTORY_ROWS_LEAST, bytes: 5_000_000 }, null],
  ['loses what is too old', { firstYoung: 201 }, { through: 200, why: 'age' }],
  ['loses old rows in steps', { firstYoung: 32 }, null],
  [
    'keeps its newest rows, however old they are',
    { firstYoung: 501 },
    { through: 400, why: 'age' },
  ],
  ['of which no age is known stays', { firstYoung: null }, null],
];

describe('history', () => {
  for (const [sentence, extent, expected] of CUTS) {
    test(`${sentence}`, () => {
      assert.deepEqual(historyCut({ ...EXTENT, ...extent }, LIMITS), expected);
    });
  }
});

const DROPS: [string, number, number | null, number][] = [
  ['as many events as are kept', 100, 5_000, 0],
  ['one more: a tenth and that one', 101, 5_000, 11],
  ['too many bytes: as many of the oldest as make the rest fit', 50, 20_000, 28],
  ['bytes that were not counted', 50, null, 0],
  ['both: the greater part', 200, 11_000, 110],
];

describe('an outbox of', () => {
  for (const [sentence, count, bytes, expected] of DROPS) {
    test(`${sentence} drops ${expected}`, () => {
      assert.equal(outboxCut({ count, bytes }, LIMITS), expected);
    });
  }
});

test('what was dropped is counted by reason, most first, and the rest of many reasons together', () => {
  let dropped = withDropped(null, { at: NOW, reason: 'Started' });
  for (let i = 0; i < 20; i++) dropped = withDropped(dropped, { at: NOW + 1_000, reason: `R${i}` });
  dropped = withDropped(dropped, { at: NOW + 5_000, reason: 'R3' });
  dropped = withDropped(dropped, { at: NOW + 5_000, reason: 'constructor' });
  const { message, type } = droppedEvent(dropped, { node: 'n', why: 'the outbox was full' });
  assert.equal(type, 'Warning');
  const day = new Date(NOW).toISOString().slice(0, 16);
  assert.match(
    message,
    new RegExp(`^23 events from ${day}:00Z to ${day}:05Z by this node's clock: `),
  );
  assert.match(
    message,
    /given up before the hub had confirmed them, because the outbox was full: 2 R3, 1 Started, /,
  );
  assert.match(message, /, 10 others$/);
});

let dataDir = '';
let open: Journal | null = null;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'flotilla-retention-'));
});
afterEach(() => {
  open?.close();
  open = null;
  rmSync(dataDir, { recursive: true });
});

function start(retention: Partial<Retention> = {}, now = NOW): Journal {
  open?.close();
  open = openJournal({
    ...{ dataDir, clock: fastClock(now), randomId: () => '1'.repeat(32), node: NODE_NAME },
    retention: { ...DEFAULT_RETENTION, ...retention },
  });
  return open;
}

const involved = { kind: 'Node' as const, namespace: '', name: NODE_NAME, uid: '', fieldPath: '' };
function say(journal: Journal, count: number, reason = 'Started', message = 'm'): void {
  for (let i = 0; i < count; i++) journal.record({ type: 'Normal', reason, message, involved });
}
const waiting = (journal: Journal) => journal.events(0, 1_000_000);

function grow(journal: Journal, rows: number, message = ''): void {
  const base = { namespace: 'default', name: 'shop', revision: 1, digest: 'd'.repeat(64) };
  for (let i = 0; i < rows; i++) {
    const state = i % 2 === 0 ? ('waiting' as const) : ('staged' as const);
    journal.recordTransition({ ...base, attempt: 0, state, reason: 'Test', message });
    journal.settle();
  }
}

describe('a journal', () => {
  test('that is full of history is cut, verifies, starts again, and says what it cut off', () => {
    const journal = start({ historyRows: 100 });
    journal.acceptRoot(trustedRoot());
    grow(journal, 250);
    const { history, appended } = readProof(dataDir);
    assert.ok(history.length <= 101 && history.length >= 90, `${history.length} rows`);
    assert.equal(firstMisfit(history, appended), null);
    const pruned = prunedOf(history);
    assert.equal(history[0]?.n, (pruned?.through ?? 0) + 1);
    assert.equal(journal.history().oldest, history[0]?.n);
    const again = start({ historyRows: 100 });
    assert.equal(again.boot, 2);
    assert.equal(again.conditions().length, 0, 'it is not taken for damaged');
    assert.equal(again.root()?.digest, trustedRoot().digest);
  });

  test('that takes too many bytes is cut too', () => {
    const journal = start({ historyBytes: 100_000 });
    grow(journal, 400, 'x'.repeat(1_000));
    const { history, appended } = readProof(dataDir);
    const bytes = history.reduce((sum, { entry }) => sum + entry.length, 0);
    assert.ok(history.length < 200 && bytes < 180_000, `${history.length} rows, ${bytes} bytes`);
    assert.equal(firstMisfit(history, appended), null);
  });

  test('forgets what is too old by proven time alone', () => {
    const year = 365 * 86_400_000;
    grow(start(), 200);
    // The clock stands at 2090; nothing proved it.
    const later = start({}, NOW + 64 * year);
    grow(later, 40);
    assert.equal(later.history().oldest, 1);
    later.time().save({ hubFloor: { epoch: 1, time: NOW + 3 * year } });
    grow(later, 1);
    assert.ok(later.history().oldest > 100, `from row ${later.history().oldest}`);
    assert.ok(readProof(dataDir).history.length >= HISTORY_ROWS_LEAST);
  });

  test('gives space back when a large bundle is gone', () => {
    const journal = start();
    const size = () => statSync(join(dataDir, 'journal.db')).size;
    const digests = Array.from({ length: 8 }, (_, i) => String(i).repeat(64));
    for (const digest of digests)
      journal.content.storeBlob(digest, Buffer.alloc(1024 * 1024, digest));
    start();
    const before = size();
    assert.ok(before > 8 * 1024 * 1024);
    for (const digest of digests) open?.content.dropBlob(digest);
    start();
    assert.ok(size() < before / 8, `${size()} of ${before} bytes`);
  });
});

describe('a full outbox', () => {
  test('tells what it dropped in the place of the last one dropped; nothing else is renumbered', () => {
    const journal = start({ outboxEvents: 100 });
    say(journal, 60, 'Started');
    say(journal, 41, 'BackOff');
    const events = waiting(journal);
    assert.deepEqual([events[0]?.n, events.at(-1)?.n], [11, 101]);
    assert.deepEqual([events[0]?.reason, journal.oldestEvent()], ['EventsDropped', 11]);
    assert.match(events[0]?.message ?? '', /^11 events .*: 11 Started$/);
    assert.deepEqual(
      events.map(({ n }) => n),
      Array.from({ length: 91 }, (_, i) => i + 11),
    );
  });

  test('that overflows again and again, over restarts, keeps one such event with the whole count', () => {
    let journal = start({ outboxEvents: 100 });
    say(journal, 500, 'Started');
    journal = start({ outboxEvents: 100 });
    say(journal, 500, 'BackOff');
    const events = waiting(journal);
    const dropped = events.filter(({ reason }) => reason === 'EventsDropped');
    assert.equal(dropped.length, 1);
    const [, count] = /^(\d+) events/.exec(dropped[0]?.message ?? '') ?? [];
    assert.equal(Number(count) + events.length - 1, 1_000, 'dropped and left are all');
    assert.match(dropped[0]?.message ?? '', /500 Started/);
  });

  test('begins to count anew when the hub has what was told', () => {
    const journal = start({ outboxEvents: 100 });
    say(journal, 101);
    journal.acknowledgeEvents(11);
    say(journal, 11);
    const [first] = waiting(journal);
    assert.match(first?.message ?? '', /^11 events /);
  });

  test('is bounded by bytes too', () => {
    const journal = start({ outboxBytes: 65_536 });
    say(journal, 400, 'Started', 'x'.repeat(1_000));
    const bytes = JSON.stringify(waiting(journal)).length;
    assert.ok(bytes < 140_000, `${bytes} bytes`);
    assert.equal(waiting(journal)[0]?.reason, 'EventsDropped');
  });

  test('drops nothing that the hub has: those stay for a person at the device', () => {
    const journal = start({ outboxEvents: 100 });
    say(journal, 90);
    journal.acknowledgeEvents(90);
    say(journal, 90);
    assert.equal(journal.recentEvents().length, 180);
    assert.ok(waiting(journal).every(({ reason }) => reason === 'Started'));
  });
});
