/**
 * The SQLite store when what lies below a commit fails: a full disk, a transaction that is lost.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import Database from 'better-sqlite3';
import { GroupCommit } from '../../hub/store/group-commit.js';
import { openStoreFile } from '../../hub/store/sqlite-file.js';
import { RecordTables } from '../../hub/store/sqlite-records.js';
import type { Write } from '../../hub/store/write.js';
import { HUB, stoppedClock } from './store-case.js';

const folder = mkdtempSync(join(tmpdir(), 'flotilla-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const clock = stoppedClock();
let files = 0;

describe('SQLite store: failures below a commit', () => {
  const blob = (digest: string, kib: number) => ({
    type: 'blob' as const,
    record: { digest, content: new Uint8Array(kib * 1024) },
  });

  function parts() {
    const file = openStoreFile({ path: join(folder, `hub-${++files}.db`), create: true });
    const written: Write[] = [];
    const commits = new GroupCommit({
      db: file.db,
      clock,
      committed: writes => written.push(...writes),
    });
    return { file, commits, written, records: new RecordTables(file.db) };
  }

  test('a full disk is Unavailable, and when there is room the store goes on', async () => {
    const { file, commits, records } = parts();
    const pages = file.db.pragma('page_count', { simple: true }) as number;
    file.db.pragma(`max_page_count = ${pages + 10}`);
    const add = (digest: string, kib: number) =>
      commits.run(HUB, write => records.apply(write, blob(digest, kib)));
    await assert.rejects(add('large', 1024), { name: 'StoreError', code: 'Unavailable' });
    assert.equal(records.blob('large'), null);
    await add('small', 1);
    file.db.pragma('max_page_count = 1000000');
    await add('large', 1024);
    assert.equal(records.blob('large')?.content.byteLength, 1024 * 1024);
    file.close();
  });

  test('when the transaction of several commits is lost, none was made', async () => {
    const { file, commits, records, written } = parts();
    const publish = (topic: string) => (write: Write) =>
      records.apply(write, { type: 'publish', topic, payload: null });
    await commits.run(HUB, publish('before'));
    const results = await Promise.allSettled([
      commits.run(HUB, publish('a')),
      commits.run(HUB, () => {
        throw new Error('own fault');
      }),
      commits.run(HUB, () => {
        file.db.exec('ROLLBACK');
        throw new Error('disk I/O error');
      }),
      commits.run(HUB, publish('b')),
    ]);
    assert.deepEqual(
      results.map(r => (r.status === 'rejected' ? (r.reason as Error).message : 'made')),
      ['disk I/O error', 'own fault', 'disk I/O error', 'disk I/O error'],
    );
    assert.equal(commits.counters.publication, 1);
    assert.equal(written.length, 1);
    await commits.run(HUB, publish('after'));
    assert.deepEqual(
      records.publications.list(0, 10).map(p => [p.number, p.topic]),
      [
        [1, 'before'],
        [2, 'after'],
      ],
    );
    file.close();
  });

  test('nothing is told before its transaction is on disk', async () => {
    const { file, commits, records } = parts();
    const order: string[] = [];
    const reader = new Database(file.db.name, { readonly: true });
    const seen = () => reader.prepare('SELECT count(*) FROM blobs').pluck().get() as number;
    const all = ['a', 'b', 'c'].map(digest =>
      commits
        .run(HUB, write => records.apply(write, blob(digest, 1)))
        .then(() => order.push(`${digest}: ${seen()} on disk`)),
    );
    await Promise.all(all);
    assert.deepEqual(order, ['a: 3 on disk', 'b: 3 on disk', 'c: 3 on disk']);
    reader.close();
    file.close();
  });
});
