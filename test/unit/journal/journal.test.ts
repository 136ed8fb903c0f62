/** The journal keeps its promises over restarts and notices what was done to its file. */
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { JournalError, type Journal } from '../../../agent/journal/journal.js';
import { tellReset } from '../../../agent/journal/tell-reset.js';
import { rootDocument, trustedRoot } from '../../support/fleet.js';
import { accept, EVENT, JournalWorld } from '../../support/journal-world.js';

let world: JournalWorld;
beforeEach(() => (world = new JournalWorld()));
afterEach(() => world.close());
const start = () => world.start();
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe('the file', () => {
  test('is readable by its owner alone, log included', () => {
    start().record(EVENT);
    for (const name of readdirSync(world.dataDir)) {
      assert.equal(statSync(join(world.dataDir, name)).mode & 0o077, 0, name);
    }
  });

  test('of a newer version is refused and left alone', () => {
    world.stop(start());
    const db = new Database(world.file);
    db.pragma('user_version = 99');
    db.close();
    assert.throws(start, (error: unknown) => {
      return (
        error instanceof JournalError &&
        error.code === 'NewerSchema' &&
        /schema 99/.test(error.message)
      );
    });
    assert.ok(existsSync(world.file));
  });

  test('of the version before is read on, and nobody knows by which uptime a state began in it', () => {
    const first = start();
    accept(first, 7);
    const { id } = first;
    world.stop(first);
    const db = new Database(world.file);
    const version = db.pragma('user_version', { simple: true }) as number;
    for (const column of ['since_machine', 'since_uptime', 'since_floor', 'going'])
      db.exec(`ALTER TABLE bundles DROP COLUMN ${column}`);
    db.pragma(`user_version = ${version - 1}`);
    db.close();
    const journal = start();
    assert.equal(journal.id, id);
    assert.ok(journal.bundles().every(one => one.sinceBy === undefined));
    const again = new Database(world.file, { readonly: true });
    assert.equal(again.pragma('user_version', { simple: true }), version);
    again.close();
  });

  test('that is no database is set aside, and a new journal wants a fresh assignment', () => {
    const first = start();
    accept(first, 7);
    const { id } = first;
    world.stop(first);
    writeFileSync(world.file, Buffer.alloc(8192, 0x61));
    const journal = start();
    const kept = journal.setAside ?? '';
    assert.match(kept, /journal\.db\.damaged-/);
    assert.deepEqual(readFileSync(kept), Buffer.alloc(8192, 0x61));
    assert.notEqual(journal.id, id);
    assert.equal(journal.accepted(), null);
    const [reset] = journal.conditions();
    assert.equal(reset?.reason, 'Damaged');
    const said = `the journal did not read back as written: counters are not trusted; it is kept as ${kept}`;
    assert.equal(reset.message, said);
    tellReset(journal, { node: 'edge-1', log: SILENT });
    assert.equal(journal.recentEvents()[0]?.message, `Damaged: ${said}`);
    // Until the fresh assignment, over restarts too.
    world.stop(journal);
    assert.equal(start().conditions()[0]?.message, said);
  });

  test('whose twin cannot be written keeps its promises, says so, and catches up', () => {
    const journal = start();
    const inTheWay = join(world.dataDir, 'journal.floors.json.new');
    mkdirSync(inTheWay);
    accept(journal, 7);
    assert.equal(journal.accepted()?.generation, 7);
    journal.settle();
    const condition = journal.conditions().find(({ type }) => type === 'JournalWritable');
    assert.equal(condition?.status, 'False');
    assert.match(condition?.message ?? '', /journal\.floors\.json is behind the journal: EISDIR/);
    rmdirSync(inTheWay);
    journal.flush();
    assert.equal(
      journal.conditions().find(({ type }) => type === 'JournalWritable'),
      undefined,
    );
    const twin = JSON.parse(readFileSync(join(world.dataDir, 'journal.floors.json'), 'utf8')) as {
      generation: number;
    };
    assert.equal(twin.generation, 7);
  });

  test('that was put back from an older copy gets a new id and wants a fresh assignment', () => {
    const first = start();
    accept(first, 7);
    first.record(EVENT);
    world.stop(first);
    copyFileSync(world.file, join(world.dataDir, 'copy'));
    const second = start();
    accept(second, 8);
    world.stop(second);
    copyFileSync(join(world.dataDir, 'copy'), world.file);
    const journal = start();
    assert.notEqual(journal.id, first.id);
    assert.equal(journal.boot, 1);
    assert.equal(journal.conditions()[0]?.reason, 'PutBack');
    assert.equal(journal.accepted()?.generation, 7);
    assert.deepEqual(
      journal.events(0, 10).map(({ n }) => n),
      [1],
    );
    accept(journal, 9);
    assert.deepEqual(journal.conditions(), []);
  });

  test('with an edited history row is damaged: counters stay, freshness is wanted', () => {
    const first = start();
    accept(first, 7);
    accept(first, 8);
    world.stop(first);
    const db = new Database(world.file);
    db.exec("UPDATE history SET entry = replace(entry, '8', '9') WHERE n = 3");
    db.close();
    const journal = start();
    assert.equal(journal.conditions()[0]?.reason, 'Damaged');
    assert.equal(journal.accepted()?.generation, 8);
    const told = (of: Journal) => {
      tellReset(of, { node: 'edge-1', log: SILENT });
      return of.recentEvents().filter(({ reason }) => reason === 'JournalReset');
    };
    const [event] = told(journal);
    assert.match(event?.message ?? '', /^Damaged: the journal did not read back/);
    // What was found is kept as it was, for its owner alone.
    const evidence = journal.setAside ?? '';
    assert.match(evidence, /journal\.db\.damaged-/);
    assert.ok(event?.message.endsWith(`; it is kept as ${evidence}`));
    assert.equal(statSync(evidence).mode & 0o777, 0o600);
    const kept = new Database(evidence, { readonly: true });
    assert.match(JSON.stringify(kept.prepare('SELECT entry FROM history WHERE n = 3').get()), /:9/);
    kept.close();
    world.stop(journal);
    // It is damaged once, not at each start, and told once.
    const next = start();
    assert.equal(told(next).length, 1);
    assert.equal(next.setAside, null);
    assert.equal(next.id, journal.id);
    assert.equal(next.boot, 2);
  });

  test('whose newest rows of history were cut off is damaged, once', () => {
    const first = start();
    accept(first, 7);
    accept(first, 8);
    world.stop(first);
    const db = new Database(world.file);
    db.exec('DELETE FROM history WHERE n > 1');
    db.close();
    const journal = start();
    assert.equal(journal.conditions()[0]?.reason, 'Damaged');
    assert.equal(journal.accepted()?.generation, 8);
    world.stop(journal);
    const next = start();
    assert.equal(next.id, journal.id);
    assert.equal(next.boot, 2);
  });

  test('with swapped bytes in the accepted assignment falls back to the one before', () => {
    const first = start();
    accept(first, 7);
    accept(first, 8);
    world.stop(first);
    const db = new Database(world.file);
    db.exec('UPDATE assignments SET envelope = (SELECT envelope FROM assignments WHERE id = 1)');
    db.close();
    const journal = start();
    assert.equal(journal.accepted()?.generation, 7);
    assert.equal(journal.conditions()[0]?.reason, 'Damaged');
  });
});

test("another fleet's root is refused with a sentence that says what to do", () => {
  const journal = start();
  journal.acceptRoot(trustedRoot());
  const other = trustedRoot(rootDocument({ fleet: '00'.repeat(16) }));
  assert.throws(() => journal.acceptRoot(other), /another fleet: use an empty data directory/);
  assert.equal(journal.root()?.digest, trustedRoot().digest);
});

describe('counters', () => {
  test('boot grows with each start, the counter begins anew and needs no disk', () => {
    const first = start();
    assert.deepEqual([first.boot, first.nextCounter(), first.nextCounter()], [1, 1, 2]);
    world.stop(first);
    const second = start();
    assert.deepEqual([second.boot, second.nextCounter()], [2, 1]);
    assert.equal(second.id, first.id);
  });

  test('an idle journal writes nothing: the same again changes no byte', () => {
    const journal = start();
    journal.acceptRoot(trustedRoot());
    accept(journal, 7);
    const before = statSync(`${world.file}-wal`);
    journal.acceptRoot(trustedRoot());
    journal.nextCounter();
    journal.acknowledgeEvents(0);
    journal.flush();
    journal.history();
    journal.bundles();
    const after = statSync(`${world.file}-wal`);
    assert.deepEqual([after.size, after.mtimeMs], [before.size, before.mtimeMs]);
  });
});

describe('events', () => {
  test('are numbered from 1 and a number is never used again', () => {
    const journal = start();
    journal.record(EVENT);
    journal.record(EVENT);
    journal.acknowledgeEvents(2);
    journal.record(EVENT);
    assert.deepEqual(
      journal.events(0, 10).map(({ n }) => n),
      [3],
    );
    assert.equal(journal.oldestEvent(), 3);
  });

  test('leave only by an acknowledgement of a number that was given out', () => {
    const journal = start();
    journal.record(EVENT);
    journal.acknowledgeEvents(2);
    assert.equal(journal.events(0, 10).length, 1);
    journal.acknowledgeEvents(1);
    assert.equal(journal.events(0, 10).length, 0);
    assert.equal(journal.oldestEvent(), 2);
  });

  test('are cut to the limits of the wire, never within a character', () => {
    const journal = start();
    journal.record({ ...EVENT, message: `${'x'.repeat(1022)}😀😀`, reason: 'r'.repeat(500) });
    const [event] = journal.events(0, 1);
    assert.equal(event?.reason.length, 128);
    assert.equal(event?.message, `${'x'.repeat(1022)}…`);
  });
});
