/** A full disk: what the journal says of it, and what a person at the device is told who wants something. On a real file that may not grow. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { apiSources, type ApiOptions, type Held } from '../../../agent/api-sources.js';
import { openDatabase, type Connection } from '../../../agent/journal/database.js';
import { Journal } from '../../../agent/journal/journal.js';
import { readTwin, TWIN_FILE } from '../../../agent/journal/twin.js';
import { onDisk } from '../../../agent/site-on-disk.js';
import { seal } from '../../../protocol/envelope.js';
import { openAssignment } from '../../../protocol/verify-assignment.js';
import { fastClock } from '../../support/fast-clock.js';
import {
  assignmentDocument,
  HUB,
  idOf,
  NODE,
  NODE_NAME,
  NOW,
  trustedRoot,
} from '../../support/fleet.js';

let dataDir = '';
let connection: Connection;
let journal: Journal;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'flotilla-full-'));
  ({ connection } = openDatabase(join(dataDir, 'journal.db'), NOW));
  const randomId = () => '0'.repeat(32);
  journal = new Journal(connection, { dataDir, clock: fastClock(NOW), randomId }, null);
});
afterEach(() => {
  journal.close();
  rmSync(dataDir, { recursive: true });
});

function mayGrow(may: boolean): void {
  const pages = may ? 1_000_000 : (connection.pragma('page_count', { simple: true }) as number);
  connection.pragma(`max_page_count = ${pages}`);
}

/** What the agent of this journal answers to `hold` on its socket. */
function hold(reason: string) {
  const session = { intake: { look: () => undefined }, changed: () => undefined };
  const options = { config: { dataDir, nodeName: NODE_NAME }, identity: {} };
  const parts = { held: { journal, session } as unknown as Held, runtime: {} as never };
  const { site } = apiSources(options as unknown as ApiOptions, parts);
  return site('hold', { bundle: null, by: 'mo', reason, isTrial: false, from: null });
}

/** Until no page is left. */
function holdUntilFull(): unknown {
  mayGrow(false);
  for (let round = 0; round < 1_000; round++) {
    try {
      hold('x'.repeat(250));
    } catch (error) {
      return error;
    }
  }
  return null;
}

describe('a hold on a full disk', () => {
  test('is refused with what was not done, where, and what to do; it is done when there is room', () => {
    const refusal = holdUntilFull() as Error;
    assert.equal(
      refusal.message,
      `hold: nothing was done: the journal in ${dataDir} is not written: the disk is full: free some space, then say it again`,
    );
    mayGrow(true);
    hold('again');
    assert.deepEqual(
      journal
        .site()
        .holds()
        .map(one => one.reason),
      ['again'],
    );
  });

  test('is why the node says, once, that the disk is full', () => {
    holdUntilFull();
    const [condition] = journal.conditions().filter(({ type }) => type === 'JournalWritable');
    assert.equal(
      condition?.message,
      'the journal is not written: the disk is full: free some space',
    );
  });
});

describe('what was gathered when the disk filled', () => {
  /** As a status does it, just before it is told. */
  function settleRefused(): void {
    journal.alongside('usage').alongside(() => 'x'.repeat(100_000));
    mayGrow(false);
    assert.throws(() => journal.settle(), { code: 'SQLITE_FULL' });
  }

  function acceptThenGather(): void {
    const document = assignmentDocument({ generation: 7 });
    const opened = openAssignment(seal('assignment', document, [HUB]), {
      ...{ root: trustedRoot(), node: NODE_NAME, nodeKey: idOf(NODE), accepted: null },
      ...{ nonce: null, freshOnly: false, now: NOW },
    });
    assert.ok(opened.ok);
    journal.acceptAssignment(opened.value);
    const shop = { namespace: 'default', name: 'shop', revision: 1, digest: 'd1', attempt: 0 };
    journal.recordTransition({ ...shop, state: 'staged', reason: 'Fetching', message: '' });
  }

  const twin = () => readTwin(join(dataDir, TWIN_FILE))?.generation;

  test('is gone, and the assignment that was accepted before is in the twin all the same', () => {
    acceptThenGather();
    settleRefused();
    assert.deepEqual(journal.bundles(), []);
    assert.equal(journal.accepted()?.generation, 7);
    assert.equal(twin(), 7);
  });

  test('is gone, and a twin that the same disk refuses is said to be behind', () => {
    acceptThenGather();
    mkdirSync(join(dataDir, `${TWIN_FILE}.new`));
    settleRefused();
    const [condition] = journal.conditions().filter(({ type }) => type === 'JournalWritable');
    assert.match(condition?.message ?? '', /the disk is full.*; .*is behind the journal/);
    assert.notEqual(twin(), 7);
  });
});

describe('a word that the disk does not take', () => {
  const refused = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  const rows: readonly (readonly [word: string, bundle: string | null, said: RegExp])[] = [
    ['undo', 'shop', /^undo shop: nothing was done: /],
    ['release', 'default/shop', /^release default\/shop: nothing was done: /],
    ['release', null, /^release: not done for all: /],
    ['activate', null, /^activate: not done for all: /],
  ];
  for (const [word, bundle, said] of rows) {
    test(`${word} ${bundle ?? 'of all'} says ${String(said)}`, () => {
      const say = () => {
        throw refused;
      };
      assert.throws(() => onDisk({ word, bundle, dataDir: '/data' }, say), { message: said });
    });
  }

  test('for another reason keeps that reason', () => {
    const bug = new TypeError('a bug');
    const say = () => {
      throw bug;
    };
    assert.throws(() => onDisk({ word: 'hold', bundle: null, dataDir: '/data' }, say), bug);
  });
});
