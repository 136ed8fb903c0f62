/**
 * The journal keeps its promises over restarts, notices what was done to its file, and stays
 * bounded.
 */
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { JournalError, type Journal, type Transition } from '../../../agent/journal/journal.js';
import { openJournal } from '../../../agent/journal/open.js';
import { readJournal } from '../../../agent/journal/reader.js';
import { tellReset } from '../../../agent/journal/tell-reset.js';
import { seal } from '../../../protocol/envelope.js';
import { openAssignment } from '../../../protocol/verify-assignment.js';
import { openBundle } from '../../../protocol/verify-bundle.js';
import { fastClock } from '../../support/fast-clock.js';
import {
  assigned,
  assignmentDocument,
  bundleDocument,
  HUB,
  idOf,
  NODE,
  NODE_NAME,
  NOW,
  podManifest,
  RELEASE,
  rootDocument,
  trustedRoot,
} from '../../support/fleet.js';

let dataDir = '';
let ids = 0;
let open: Journal[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'flotilla-journal-'));
});
afterEach(() => {
  for (const journal of open) journal.close();
  open = [];
  rmSync(dataDir, { recursive: true });
});

function start(): Journal {
  const randomId = () => String(++ids).padStart(32, '0');
  const journal = openJournal({ dataDir, clock: fastClock(NOW), randomId });
  open.push(journal);
  return journal;
}

function stop(journal: Journal): void {
  journal.close();
  open = open.filter(other => other !== journal);
}

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };
const FILE = () => join(dataDir, 'journal.db');
const EVENT = {
  type: 'Normal' as const,
  reason: 'Started',
  message: 'a container started',
  involved: { kind: 'Pod' as const, namespace: 'default', name: 'web', uid: '1', fieldPath: '' },
};

function accept(journal: Journal, generation: number, revisions: number[] = [1]): void {
  const bundles = revisions.slice(-1).map(revision => assigned(bundle(revision)));
  const document = assignmentDocument({ generation, bundles, nonce: journal.freshNonce() });
  const opened = openAssignment(seal('assignment', document, [HUB]), {
    root: trustedRoot(),
    node: NODE_NAME,
    nodeKey: idOf(NODE),
    accepted: journal.accepted(),
    nonce: journal.freshNonce(),
    freshOnly: journal.freshNonce() !== null,
    now: NOW,
  });
  if (!opened.ok) throw new Error(opened.refusal.detail);
  journal.acceptAssignment(opened.value);
}

function bundle(revision: number) {
  return bundleDocument([podManifest('web', `web:${revision}`)], {
    revision,
    rollbackFloor: revision,
  });
}

function store(journal: Journal, revision: number): string {
  const document = bundle(revision);
  const opened = openBundle(seal('bundle', document, [RELEASE]), {
    root: trustedRoot(),
    assigned: assigned(document),
    arch: 'amd64',
    agentVersion: '0.1.0',
  });
  if (!opened.ok) throw new Error(opened.refusal.detail);
  journal.content.storeBundle(opened.value);
  journal.content.storeBlob(document.manifests[0]?.digest ?? '', Buffer.from(`blob ${revision}`));
  return opened.value.digest;
}

function step<S extends Transition['state']>(revision: number, digest: string, state: S) {
  const base = { namespace: 'default', name: 'shop', attempt: 0, reason: 'Test', message: '' };
  return { ...base, revision, digest, state };
}

describe('the file', () => {
  test('is readable by its owner alone, log included', () => {
    start().record(EVENT);
    for (const name of readdirSync(dataDir)) {
      assert.equal(statSync(join(dataDir, name)).mode & 0o077, 0, name);
    }
  });

  test('of a newer version is refused and left alone', () => {
    stop(start());
    const db = new Database(FILE());
    db.pragma('user_version = 99');
    db.close();
    assert.throws(start, (error: unknown) => {
      return (
        error instanceof JournalError &&
        error.code === 'NewerSchema' &&
        /schema 99/.test(error.message)
      );
    });
    assert.ok(existsSync(FILE()));
  });

  test('that is no database is set aside, and a new journal wants a fresh assignment', () => {
    const first = start();
    accept(first, 7);
    const { id } = first;
    stop(first);
    writeFileSync(FILE(), Buffer.alloc(8192, 0x61));
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
    stop(journal);
    assert.equal(start().conditions()[0]?.message, said);
  });

  test('whose twin cannot be written keeps its promises, says so, and catches up', () => {
    const journal = start();
    const inTheWay = join(dataDir, 'journal.floors.json.new');
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
    const twin = JSON.parse(readFileSync(join(dataDir, 'journal.floors.json'), 'utf8')) as {
      generation: number;
    };
    assert.equal(twin.generation, 7);
  });

  test('that was put back from an older copy gets a new id and wants a fresh assignment', () => {
    const first = start();
    accept(first, 7);
    first.record(EVENT);
    stop(first);
    copyFileSync(FILE(), join(dataDir, 'copy'));
    const second = start();
    accept(second, 8);
    stop(second);
    copyFileSync(join(dataDir, 'copy'), FILE());
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
    stop(first);
    const db = new Database(FILE());
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
    stop(journal);
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
    stop(first);
    const db = new Database(FILE());
    db.exec('DELETE FROM history WHERE n > 1');
    db.close();
    const journal = start();
    assert.equal(journal.conditions()[0]?.reason, 'Damaged');
    assert.equal(journal.accepted()?.generation, 8);
    stop(journal);
    const next = start();
    assert.equal(next.id, journal.id);
    assert.equal(next.boot, 2);
  });

  test('with swapped bytes in the accepted assignment falls back to the one before', () => {
    const first = start();
    accept(first, 7);
    accept(first, 8);
    stop(first);
    const db = new Database(FILE());
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
    stop(first);
    const second = start();
    assert.deepEqual([second.boot, second.nextCounter()], [2, 1]);
    assert.equal(second.id, first.id);
  });

  test('an idle journal writes nothing: the same again changes no byte', () => {
    const journal = start();
    journal.acceptRoot(trustedRoot());
    accept(journal, 7);
    const before = statSync(`${FILE()}-wal`);
    journal.acceptRoot(trustedRoot());
    journal.nextCounter();
    journal.acknowledgeEvents(0);
    journal.flush();
    journal.history();
    journal.bundles();
    const after = statSync(`${FILE()}-wal`);
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

describe('content', () => {
  const SHOP = { namespace: 'default', name: 'shop' };

  /** Accepted, activated, and healthy for those that are listed. */
  function run(journal: Journal, revisions: number[], healthy: number[]): string[] {
    const digests: string[] = [];
    for (const revision of revisions) {
      const digest = store(journal, revision);
      digests[revision] = digest;
      accept(journal, 10 + revision, [revision]);
      journal.activate(step(revision, digest, 'activating'), []);
      if (healthy.includes(revision)) journal.recordTransition(step(revision, digest, 'healthy'));
    }
    return digests;
  }

  test('what is assigned, active or of the last two healthy is kept; of the rest the digest', () => {
    const journal = start();
    accept(journal, 7, [1]);
    const digests = run(journal, [1, 2, 3, 4], [1, 2, 3]);
    const kept = (revision: number) => ({
      document: journal.content.bundleDocument(digests[revision] ?? '')?.revision ?? null,
      blob: journal.content.hasBlob(bundle(revision).manifests[0]?.digest ?? ''),
    });
    assert.deepEqual(kept(1), { document: null, blob: false });
    for (const revision of [2, 3, 4])
      assert.deepEqual(kept(revision), { document: revision, blob: true });
    assert.equal(journal.content.knownDigest(SHOP, 1), digests[1]);
  });

  test('what stands of bundles is read anew after each write, gathered or durable, and after one that failed', () => {
    const journal = start();
    const states = () => journal.bundles().map(({ state }) => state);
    assert.deepEqual(states(), []);
    const [, digest = ''] = run(journal, [1], []);
    assert.deepEqual(states(), ['activating']);
    assert.equal(journal.bundles(), journal.bundles());
    for (const state of ['waiting', 'failed', 'staged', 'healthy'] as const) {
      journal.recordTransition(step(1, digest, state));
      assert.deepEqual(states(), [state]);
    }
    journal.settle();
    assert.deepEqual(states(), ['healthy']);
  });

  describe('the previous healthy revision', () => {
    const previous = (journal: Journal) => journal.trials().previousHealthy(SHOP)?.revision ?? null;

    test('of one that is healthy is the one that was healthy before it, kept over restarts', () => {
      const journal = start();
      accept(journal, 7, [1]);
      run(journal, [1], [1]);
      assert.equal(previous(journal), null);
      const digests = run(journal, [2, 3], [2, 3]);
      assert.equal(previous(journal), 2);
      // What is accepted next changes nothing of what can be gone back to.
      accept(journal, 30, [4]);
      stop(journal);
      const again = start();
      assert.equal(previous(again), 2);
      assert.equal(again.content.bundleDocument(digests[2] ?? '')?.revision, 2);
      assert.equal(again.content.hasBlob(bundle(2).manifests[0]?.digest ?? ''), true);
    });

    test('of one on trial is the one that is healthy', () => {
      const journal = start();
      accept(journal, 7, [1]);
      run(journal, [1, 2, 3], [1, 2]);
      assert.equal(previous(journal), 2);
    });

    test('is none that was given up, and the same revision healthy again moves nothing', () => {
      const journal = start();
      accept(journal, 7, [1]);
      const digests = run(journal, [1, 2, 3], [1, 2, 3]);
      journal.recordTransition(step(3, digests[3] ?? '', 'healthy'));
      assert.equal(previous(journal), 2);
      const failed = { ...step(3, digests[3] ?? '', 'failed'), lastWords: null };
      journal.trials().giveUp(failed, EVENT);
      const target = { digest: digests[2] ?? '', files: [], by: null };
      journal.trials().rollBack(step(3, digests[3] ?? '', 'rolledBack'), target, EVENT);
      // Before it is proven anew, and after: the one that was given up is nothing to go back to.
      assert.equal(previous(journal), null);
      journal.trials().prove(step(2, digests[2] ?? '', 'healthy'), EVENT);
      assert.equal(previous(journal), null);
      assert.equal(journal.bundles()[0]?.healthy, digests[2]);
    });

    test('goes with the bundle', () => {
      const journal = start();
      accept(journal, 7, [1]);
      const digests = run(journal, [1, 2], [1, 2]);
      journal.recordTransition(step(2, digests[2] ?? '', 'removed'));
      assert.equal(previous(journal), null);
      accept(journal, 30, []);
      assert.equal(journal.content.bundleDocument(digests[1] ?? ''), null);
    });
  });

  test('a healthy revision sets the rollback floor, for ever', () => {
    const journal = start();
    const name = { namespace: 'default', name: 'shop' };
    const digest = store(journal, 5);
    journal.activate(step(5, digest, 'activating'), []);
    assert.equal(journal.content.rollbackFloor(name), 0);
    journal.recordTransition(step(5, digest, 'healthy'));
    journal.recordTransition(step(5, digest, 'removed'));
    assert.equal(journal.content.rollbackFloor(name), 5);
  });
});

test('the history is a chain of hashes that a reader sees beside the running agent', () => {
  const journal = start();
  journal.acceptRoot(trustedRoot());
  accept(journal, 7);
  const view = readJournal(dataDir);
  assert.deepEqual(
    view.history.map(({ entry }) => entry.kind),
    ['journal', 'root', 'assignment'],
  );
  assert.equal(view.history[2]?.hash, journal.history().head);
  assert.equal(view.journal, journal.id);
});

describe('a journal that somebody reads', () => {
  const read = () => {
    try {
      readJournal(dataDir);
      return '';
    } catch (error) {
      assert.ok(error instanceof JournalError);
      return error.message.replaceAll(dataDir, 'DIR');
    }
  };

  test('where there is none: that, and what to say', () => {
    assert.equal(
      read(),
      'DIR/journal.db: there is no journal: say where the agent of this node keeps its data (--data-dir)',
    );
  });

  const isRoot = process.geteuid?.() === 0;
  test('as another user: whose it is, and as whom to read it', { skip: !isRoot }, () => {
    start();
    assert.equal(read(), '');
    const NOBODY = 65_534;
    for (const [owner, mode, words] of [
      [0, 0o700, 'DIR belongs to root: run this command as root'],
      [
        1234,
        0o755,
        'DIR/journal.db belongs to the user with id 1234: run this command as root or the user with id 1234, who runs the agent',
      ],
    ] as const) {
      chownSync(dataDir, owner, owner);
      chownSync(join(dataDir, 'journal.db'), owner, owner);
      chmodSync(dataDir, mode);
      process.seteuid?.(NOBODY);
      try {
        assert.equal(
          read(),
          `DIR/journal.db: the user with id ${NOBODY} may not read the journal; ${words}`,
        );
      } finally {
        process.seteuid?.(0);
      }
    }
  });
});
