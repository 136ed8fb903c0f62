/** Sealed Secrets in the journal's file: what was deleted or replaced is not left behind in freed pages or the log. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { openDatabase, openForReading, type Connection } from '../../../agent/journal/database.js';
import { secretStore, type KeptSecret } from '../../../agent/journal/secrets.js';

describe('an envelope that goes', () => {
  const dir = mkdtempSync(join(tmpdir(), 'fl-journal-secrets-'));
  const file = join(dir, 'journal.db');
  let db: Connection;
  before(() => (db = openDatabase(file, 0).connection));
  after(() => {
    db.close();
    rmSync(dir, { recursive: true });
  });

  /** Long enough for pages of its own. */
  const envelope = (word: string) => Buffer.from(`${word} `.repeat(2000));
  const kept = (word: string, version: number): KeptSecret => ({
    ...{ namespace: 'default', bundle: 'shop', name: 'db', version, epoch: 1 },
    ...{ digest: String(version).padStart(64, '0'), envelope: envelope(word) },
  });
  const isOnDisk = (word: string) =>
    [file, `${file}-wal`].some(path => existsSync(path) && readFileSync(path).includes(word));
  beforeEach(() => secretStore(db).forgetAllBut([]));

  test('by a later version', () => {
    const store = secretStore(db);
    store.keep(kept('first', 1));
    assert.ok(isOnDisk('first'), 'what is looked for can be found');
    store.keep(kept('second', 2));
    assert.deepEqual([isOnDisk('first'), isOnDisk('second')], [false, true]);
    assert.deepEqual(
      store.all().map(({ version }) => version),
      [2],
    );
  });

  test('because no assignment lists it any more; its version stays', () => {
    const store = secretStore(db);
    store.keep(kept('third', 3));
    store.forgetAllBut([]);
    assert.equal(isOnDisk('third'), false);
    assert.deepEqual(store.floor(kept('', 0)), { epoch: 1, version: 3 });
  });

  test('while somebody reads the file: it goes from the log with the next', () => {
    const store = secretStore(db);
    store.keep(kept('fourth', 4));
    const reader = openForReading(file);
    reader.exec('BEGIN');
    reader.prepare('SELECT count(*) FROM secrets').get();
    store.forgetAllBut([]);
    assert.deepEqual(store.all(), [], 'nobody is waited for long');
    reader.close();
    store.keep(kept('fifth', 5));
    store.keep(kept('sixth', 6));
    assert.equal(isOnDisk('fourth'), false);
  });
});
