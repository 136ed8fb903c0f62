/** Whatever is changed in a journal by hand, `journal verify` names it; an export proves the same elsewhere. */
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { once } from 'node:events';
import { NOTHING, rowHash, type ChainedRow } from '../../../agent/journal/chain.js';
import type { Journal } from '../../../agent/journal/journal.js';
import { openJournal } from '../../../agent/journal/open.js';
import { summaryLines } from '../../../agent/cli/journal-proof.js';
import { pruneHistory } from '../../../agent/journal/history.js';
import { parseProof, readProof } from '../../../agent/journal/proof.js';
import { DEFAULT_RETENTION } from '../../../agent/journal/retention.js';
import { verifyProof } from '../../../agent/journal/verify-proof.js';
import { seal } from '../../../protocol/envelope.js';
import { openAssignment } from '../../../protocol/verify-assignment.js';
import { openBundle } from '../../../protocol/verify-bundle.js';
import { openNextRoot, openPinnedRoot } from '../../../protocol/verify-root.js';
import { sha256Hex, canonicalJson } from '../../../protocol/canonical.js';
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
  signer,
} from '../../support/fleet.js';
import { chainedDocument, chainedRoot } from '../../support/root-chain.js';
import { eventually } from '../../support/wait.js';

const AGENT = join(import.meta.dirname, '../../../agent/main.js');
const STRANGER = signer('stranger');

let dir = '';
let whole = '';

function must<T>(result: { ok: true; value: T } | { ok: false; refusal: { detail: string } }): T {
  if (!result.ok) throw new Error(result.refusal.detail);
  return result.value;
}

function accept(journal: Journal, generation: number): void {
  const document = bundleDocument([podManifest('web', `web:${generation}`)], {
    revision: generation,
  });
  const root = journal.root();
  assert.ok(root);
  const assignment = assignmentDocument({
    generation,
    bundles: [assigned(document)],
    nonce: journal.freshNonce(),
    rootVersion: root.document.version,
  });
  journal.acceptAssignment(
    must(
      openAssignment(seal('assignment', assignment, [HUB]), {
        ...{ root, node: NODE_NAME, nodeKey: idOf(NODE), accepted: journal.accepted() },
        ...{ nonce: journal.freshNonce(), freshOnly: journal.freshNonce() !== null, now: NOW },
      }),
    ),
  );
  const bundle = must(
    openBundle(seal('bundle', document, [RELEASE]), {
      ...{ root, assigned: assigned(document), arch: 'amd64', agentVersion: '0.1.0' },
    }),
  );
  journal.content.storeBundle(bundle);
  const { namespace, name, revision } = document;
  const step = { namespace, name, revision, digest: bundle.digest, attempt: 0, message: '' };
  journal.recordTransition({ ...step, state: 'healthy', reason: 'Ready' });
}

before(() => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-proof-'));
  whole = join(dir, 'whole');
  cpSync(mkdtempSync(join(dir, 'empty-')), whole, { recursive: true });
  let ids = 0;
  const journal = openJournal({
    dataDir: whole,
    clock: fastClock(NOW),
    randomId: () => String(++ids).padStart(32, '0'),
  });
  const first = must(openPinnedRoot(chainedRoot(1), sha256Hex(canonicalJson(chainedDocument(1)))));
  journal.acceptRoot(first);
  accept(journal, 1);
  journal.acceptRoot(must(openNextRoot(chainedRoot(2), first)));
  accept(journal, 2);
  journal.close();
});
after(() => rmSync(dir, { recursive: true }));

let copies = 0;

/** A copy of the whole one, after `change`. */
function changed(change: (db: Database.Database) => void): string {
  const copy = join(dir, `copy-${++copies}`);
  cpSync(whole, copy, { recursive: true });
  const db = new Database(join(copy, 'journal.db'));
  change(db);
  db.close();
  return copy;
}

const findings = (dataDir: string, head: string | null = null) =>
  verifyProof(readProof(dataDir), head).findings;

/** Every row anew from `n`, so that the chain fits again. */
function rechain(db: Database.Database): void {
  const rows = db.prepare('SELECT * FROM history ORDER BY n').all() as ChainedRow[];
  let prev = NOTHING;
  for (const row of rows) {
    const hash = rowHash({ ...row, prev });
    db.prepare('UPDATE history SET prev = ?, hash = ? WHERE n = ?').run(prev, hash, row.n);
    prev = hash;
  }
}

describe('a journal that was changed by hand', () => {
  test('as it was written it verifies, with any head that it ever had', () => {
    assert.deepEqual(findings(whole), []);
    for (const { hash } of readProof(whole).history) assert.deepEqual(findings(whole, hash), []);
  });

  const rows: [string, (db: Database.Database) => void, RegExp][] = [
    [
      'an entry was changed',
      db => db.exec(`UPDATE history SET entry = replace(entry, 'healthy', 'failed') WHERE n = 4`),
      /^history, row 4: it was changed after it was written$/,
    ],
    [
      'a time was changed',
      db => db.exec('UPDATE history SET at = at + 1 WHERE n = 2'),
      /^history, row 2: it was changed/,
    ],
    [
      'a row was taken out',
      db => db.exec('DELETE FROM history WHERE n = 3'),
      /^history, row 4: the row before it is 2: rows were taken out$/,
    ],
    [
      'a row was taken out and its hash put into the next',
      db => {
        db.exec('DELETE FROM history WHERE n = 3; UPDATE history SET n = n - 1 WHERE n > 3');
        db.exec('UPDATE history SET prev = (SELECT hash FROM history WHERE n = 2) WHERE n = 3');
      },
      /^history, row 3: it was changed/,
    ],
    [
      'the newest rows were cut off, and nothing was written since',
      db => db.exec('DELETE FROM history WHERE n > 5'),
      /^history, row 7: it was written, and the newest is 5: the end was cut off$/,
    ],
    [
      'all rows were cut off',
      db => db.exec('DELETE FROM history'),
      /^history, row 7: it was written, and the newest is 0: the end was cut off$/,
    ],
    [
      'the first rows were taken out',
      db => db.exec('DELETE FROM history WHERE n <= 3'),
      /^history, row 4: the rows before it were taken out$/,
    ],
    [
      'more rows were taken out than retention says',
      db => {
        const limits = { ...DEFAULT_RETENTION, historyRows: 6 };
        pruneHistory(db, limits, { at: NOW, proven: null, countBytes: false });
        db.exec('DELETE FROM history WHERE n <= 4');
      },
      /^history, row 5: the row before it is gone, and history was pruned up to row 2: rows/,
    ],
    [
      'the first row came from elsewhere',
      db => {
        const first = db.prepare('SELECT * FROM history WHERE n = 1').get() as ChainedRow;
        const prev = 'a'.repeat(64);
        const sql = 'UPDATE history SET prev = ?, hash = ? WHERE n = 1';
        db.prepare(sql).run(prev, rowHash({ ...first, prev }));
      },
      /^history, row 1: it does not follow the row before it$/,
    ],
    [
      'a root was put in that the root before it did not sign',
      db => {
        const envelope = seal('root', chainedDocument(2), [STRANGER]);
        db.prepare('UPDATE roots SET envelope = ? WHERE version = 2').run(envelope);
      },
      /^root 2: .*not signed by a threshold of the root keys in force \(BadSignature\)$/,
    ],
    [
      'a root is no envelope any more',
      db => db.exec(`UPDATE roots SET envelope = x'00' WHERE version = 1`),
      /^root 1: .*\(Malformed\)$/,
    ],
    [
      'an assignment was put in that no hub signed',
      db => {
        const document = assignmentDocument({ generation: 2 });
        const envelope = seal('assignment', document, [STRANGER]);
        const sql = 'UPDATE assignments SET envelope = ?, digest = ? WHERE generation = 2';
        db.prepare(sql).run(envelope, sha256Hex(canonicalJson(document)));
      },
      /^assignment 1\/2: not signed by the role responsible for it/,
    ],
    [
      'an accepted assignment counts as a later one',
      db => db.exec('UPDATE assignments SET generation = 9 WHERE generation = 2'),
      /^assignment 1\/9: bears another number$/,
    ],
    [
      'a revision was put in that nobody released',
      db => {
        const document = bundleDocument([podManifest('web', 'evil')], { revision: 2 });
        const envelope = seal('bundle', document, [STRANGER]);
        const sql = 'UPDATE revisions SET envelope = ?, digest = ? WHERE revision = 2';
        db.prepare(sql).run(envelope, sha256Hex(canonicalJson(document)));
      },
      /^bundle default\/shop revision 2: not signed by the role/,
    ],
    [
      'a revision was exchanged for another',
      db =>
        db.exec(
          'UPDATE revisions SET envelope = (SELECT envelope FROM assignments LIMIT 1) WHERE revision = 2',
        ),
      /^bundle default\/shop revision 2: .*\(WrongType\)$/,
    ],
    [
      'the row of an assignment was taken out and all rows chained anew',
      db => {
        db.exec(`DELETE FROM history WHERE entry LIKE '%"generation":2%'`);
        db.exec('UPDATE history SET n = (SELECT count(*) FROM history h WHERE h.n <= history.n)');
        rechain(db);
      },
      /^assignment 1\/2: no row of the history tells of it$/,
    ],
  ];
  for (const [sentence, change, expected] of rows) {
    test(sentence, () => {
      const found = findings(changed(change));
      assert.ok(
        found.some(line => expected.test(line)),
        found.join('\n') || 'nothing found',
      );
    });
  }

  test('a history that was written anew as a whole has another head than the hub heard of', () => {
    const head = readProof(whole).history.at(-1)?.hash ?? '';
    const copy = changed(db => {
      db.exec(`UPDATE history SET at = at + 1 WHERE n = 2`);
      rechain(db);
    });
    assert.deepEqual(findings(copy), []);
    const [found] = findings(copy, head);
    assert.match(found ?? '', /^history: no row has the hash [0-9a-f]{64}: it was written anew/);
    assert.doesNotMatch(found ?? '', /unless/);
  });

  test('an end that was cut off with the count beside it is found by its head alone', () => {
    const head = readProof(whole).history.at(-1)?.hash ?? '';
    const copy = changed(db => {
      db.exec('DELETE FROM history WHERE n > 6');
      db.exec("UPDATE sqlite_sequence SET seq = 6 WHERE name = 'history'");
    });
    assert.deepEqual(findings(copy), []);
    assert.match(findings(copy, head)[0] ?? '', /^history: no row has the hash/);
  });

  test('rows that retention dropped are no finding', () => {
    const copy = changed(db => {
      const limits = { ...DEFAULT_RETENTION, historyRows: 6 };
      pruneHistory(db, limits, { at: NOW, proven: null, countBytes: false });
    });
    assert.deepEqual(findings(copy), []);
    assert.match(findings(copy, NOTHING)[0] ?? '', /unless that was before row 3/);
    const told = /^history: verified from row 3; older rows were pruned on 20\d\d-.*Z$/;
    assert.ok(summaryLines(readProof(copy), null).some(line => told.test(line)));
  });
});

describe('an export', () => {
  const bad: [string, (proof: Record<string, unknown>) => unknown, string][] = [
    ['is a list', () => [], 'apiVersion is not flotilla.dev/v1'],
    ['is null', () => null, 'not a JSON object'],
    ['is of another kind', p => ({ ...p, kind: 'Pod' }), 'kind is not JournalExport'],
    ['has no history', p => ({ ...p, history: 1 }), 'history is not a list'],
    ['does not count its rows', p => ({ ...p, appended: '7' }), 'appended is not a number'],
    ['has an empty row', p => ({ ...p, roots: [null] }), 'roots[0].version is not a number'],
  ];
  for (const [sentence, change, expected] of bad) {
    test(`that ${sentence} is refused: ${expected}`, () => {
      const proof = readProof(whole) as unknown as Record<string, unknown>;
      assert.equal(parseProof(JSON.stringify(change(proof))), expected);
    });
  }

  test('that is empty is one whose copy was cut off', () => {
    assert.equal(parseProof(''), 'it is empty; copy it again');
  });

  test('of a history whose entry is no JSON is judged, not thrown at', () => {
    const copy = changed(db => db.exec(`UPDATE history SET entry = '{' WHERE n = 1`));
    assert.match(findings(copy)[0] ?? '', /^history, row 1: it was changed/);
  });
});

describe('at the device', () => {
  const run = (...args: string[]) => {
    const { FLOTILLA_DATA_DIR: _, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, [AGENT, 'journal', ...args], {
      ...{ encoding: 'utf8', env },
    });
    return { status, stdout, stderr };
  };

  test('verify says what it checked, and the head', () => {
    const { status, stdout } = run('verify', '--data-dir', whole);
    assert.equal(status, 0);
    assert.match(stdout, /^journal 0+1, start 1: verified$/m);
    assert.match(stdout, /^history: rows 1 to 7, head [0-9a-f]{64}$/m);
    assert.match(stdout, /^signed: 2 roots, 2 assignments, 2 revisions$/m);
  });

  test('what does not fit is printed, and the command ends with 1', () => {
    const copy = changed(db => db.exec('DELETE FROM history WHERE n = 3'));
    const { status, stdout, stderr } = run('verify', '--data-dir', copy);
    assert.equal(status, 1);
    assert.match(stdout, /^history, row 4: /);
    assert.match(stderr, /^error: the journal does not verify: 2 findings/);
  });

  test('an export is for its owner alone, is not overwritten, and verifies without a data directory', () => {
    const file = join(dir, 'export.json');
    assert.equal(run('export', file, '--data-dir', whole).status, 0);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match(
      run('export', file, '--data-dir', whole).stderr,
      /export\.json: it is there already\nhint: give another name/,
    );
    assert.equal(run('verify', file).status, 0);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"n": 2', '"n": 3'));
    assert.match(run('verify', file).stdout, /^history, row 3: the row before it is 1/);
    assert.match(run('verify').stderr, /required option '--data-dir <dir>' not specified/);
    assert.match(run('verify', AGENT).stderr, /not JSON.*\nhint: .*journal export/);
  });

  test('--tail and --since choose rows; nonsense is refused', () => {
    const rows = (...args: string[]) =>
      run('--data-dir', whole, ...args).stdout.split('\n').length - 2;
    assert.equal(rows(), 7);
    assert.equal(rows('--tail', '2'), 2);
    assert.equal(rows('--tail', '0'), 0);
    assert.equal(rows('--tail', '99'), 7);
    assert.equal(rows('--since', '1m'), 0);
    assert.equal(run('--data-dir', whole, '--tail', 'x').status, 2);
    assert.equal(run('--data-dir', whole, '--since', 'x').status, 2);
    assert.equal(run('--data-dir', whole, '--follow', '--events').status, 2);
  });

  test('--follow prints each row once, as it comes, until Ctrl-C', async () => {
    const copy = changed(() => undefined);
    const child = spawn(process.execPath, [
      AGENT,
      'journal',
      '-f',
      '-o',
      'json',
      '--data-dir',
      copy,
    ]);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    const numbers = () =>
      text
        .split('\n')
        .flatMap(line => (line === '' ? [] : [(JSON.parse(line) as { n: number }).n]));
    try {
      await eventually('what is there', () => numbers().length === 7);
      const randomId = () => 'f'.repeat(32);
      const journal = openJournal({ dataDir: copy, clock: fastClock(NOW), randomId });
      accept(journal, 3);
      journal.close();
      await eventually('what comes', () => numbers().length >= 9);
      assert.deepEqual(numbers(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    } finally {
      child.kill('SIGINT');
    }
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 0);
  });
});
