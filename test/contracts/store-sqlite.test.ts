/**
 * The SQLite store: the contract, and what is promised of its file: lock, mode, durability, damage,
 * schema.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import Database from 'better-sqlite3';
import { SCHEMA_VERSION } from '../../hub/store/migrations.js';
import { openStoreFile } from '../../hub/store/sqlite-file.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import { ANN, bytes, draft, HUB, put, putOne, stoppedClock } from './store-case.js';
import { storeContract } from './store.contract.js';

const folder = mkdtempSync(join(tmpdir(), 'flotilla-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const freshPath = () => join(folder, `hub-${++files}.db`);

storeContract('SQLite', async clock => {
  const path = freshPath();
  let open = await openSqliteStore({ path, clock });
  return {
    store: open,
    async reopen() {
      await open.close();
      open = await openSqliteStore({ path, clock, create: false });
      return open;
    },
    async remove() {
      await open.close();
      for (const end of ['', '-wal', '-shm', '-lock']) rmSync(path + end, { force: true });
    },
  };
});

const clock = stoppedClock();
const MODULE = new URL('../../hub/store/sqlite.js', import.meta.url).href;

/** Another process that opens the store, runs `code` with it, says a line per `say`, and stays. */
async function otherProcess(path: string, code: string) {
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { openSqliteStore } = await import(${JSON.stringify(MODULE)});
       const say = line => process.stdout.write(line + '\\n');
       const clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };
       setInterval(() => {}, 1000);
       const hub = { kind: 'hub', name: 'other' };
       try {
         const store = await openSqliteStore({ path: ${JSON.stringify(path)}, clock });
         ${code}
       } catch (error) { say(error.code); }`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const result = await lines.next();
    return result.done ? 'the process ended' : result.value;
  };
  return { child, line };
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** To a file of before version 12, and before version 11. */
const NO_INDEXES = ['identity_key', 'tls_key', 'sealing_key']
  .map(key => `DROP INDEX identities_${key}`)
  .join('; ');
const NO_EXPERIENCE = `DROP TABLE connections; DROP TABLE passages; ${NO_INDEXES}`;

test('a Secret that an older hub sealed is known to be of the device that has the name', async () => {
  const path = freshPath();
  const spec = { bundle: 'shop', secret: 'db', version: 1, recipient: 'r', digest: 'd' };
  const sealed = (node: string) => ({
    type: 'put' as const,
    object: {
      kind: 'SealedSecret' as const,
      metadata: { namespace: 'default', name: `shop.db.${node}` },
      spec: { ...spec, node },
      status: null,
    },
    expect: 'absent' as const,
  });
  const identity = {
    ...{ node: 'edge-1', identityKey: 'i', tlsKey: 't', sealingKey: 's', certificate: '' },
    ...{ joinedAt: '2026-01-02T03:04:05Z', token: 't', labels: {}, suspectedAt: null },
    state: 'active' as const,
  };
  const before = await openSqliteStore({ path, clock });
  await before.commit(HUB, [
    { type: 'identity', record: identity, expect: 'absent' },
    ...[sealed('edge-1'), sealed('gone')],
  ]);
  await before.close();
  const db = new Database(path);
  db.exec(
    'DROP TABLE unneeded; DROP TABLE rollout_nodes; DROP TABLE past_rollouts; ' + NO_EXPERIENCE,
  );
  db.pragma('user_version = 4');
  db.close();
  const after = await openSqliteStore({ path, clock });
  const { items } = await after.list('SealedSecret');
  assert.deepEqual(
    items.map(({ spec: of }) => of),
    [
      { ...spec, node: 'edge-1', device: '2026-01-02T03:04:05Z' },
      { ...spec, node: 'gone', device: '' },
    ],
  );
  await after.close();
});

test('the store of an older hub opens, and knows of nothing that is not needed', async () => {
  const path = freshPath();
  const before = await openSqliteStore({ path, clock });
  await before.commit(HUB, [{ type: 'publish', topic: 'a', payload: bytes('1') }]);
  await before.close();
  const db = new Database(path);
  db.exec(
    'DROP TABLE unneeded; DROP TABLE rollout_nodes; DROP TABLE past_rollouts; ' + NO_EXPERIENCE,
  );
  db.pragma('user_version = 5');
  db.close();
  const after = await openSqliteStore({ path, clock });
  assert.equal((await after.unneeded()).size, 0);
  assert.deepEqual((await after.publication('a'))?.payload, bytes('1'));
  await after.close();
});

test('the store of a hub that rehearsed nothing opens, and knows of nothing that was lived through', async () => {
  const path = freshPath();
  const before = await openSqliteStore({ path, clock });
  await before.commit(HUB, [{ type: 'publish', topic: 'a', payload: bytes('1') }]);
  await before.close();
  const db = new Database(path);
  db.exec(NO_EXPERIENCE);
  db.pragma('user_version = 10');
  db.close();
  const after = await openSqliteStore({ path, clock });
  assert.equal((await after.connections()).size, 0);
  assert.deepEqual(await after.passages(), []);
  assert.deepEqual((await after.publication('a'))?.payload, bytes('1'));
  await after.close();
});

describe('SQLite store: one process at a time', () => {
  test('a second open in the same process is Locked, and the first goes on', async () => {
    const path = freshPath();
    const store = await openSqliteStore({ path, clock });
    await assert.rejects(openSqliteStore({ path, clock }), (error: Error) => {
      assert.match(error.message, /in use by another process.*stop that one first/);
      return 'code' in error && error.code === 'Locked';
    });
    await assert.rejects(openSqliteStore({ path, clock }), { code: 'Locked' });
    const intruder = await otherProcess(path, `say('opened');`);
    assert.equal(await intruder.line(), 'Locked');
    await kill(intruder.child);
    await putOne(store, draft('Pod', 'a'));
    await store.close();
    await (await openSqliteStore({ path, clock })).close();
  });

  test('a hub that was killed -9 leaves no lock behind', { timeout: 60_000 }, async () => {
    const path = freshPath();
    const { child, line } = await otherProcess(path, `say('opened');`);
    try {
      assert.equal(await line(), 'opened');
      await assert.rejects(openSqliteStore({ path, clock }), { code: 'Locked' });
    } finally {
      await kill(child);
    }
    const store = await openSqliteStore({ path, clock });
    await store.close();
  });

  test('every commit that was confirmed before kill -9 is there', { timeout: 60_000 }, async () => {
    const path = freshPath();
    const writer = await otherProcess(
      path,
      `for (let i = 1; ; i++) {
         const metadata = { namespace: '', name: 'n' };
         const object = { kind: 'Node', metadata, spec: { i }, status: null };
         await store.commit(hub, [{ type: 'put', object, expect: 'any' }]);
         say(String(i));
       }`,
    );
    let confirmed = 0;
    try {
      while (confirmed < 100) confirmed = Number(await writer.line());
    } finally {
      await kill(writer.child);
    }
    for (let line = await writer.line(); /^\d+$/.test(line); line = await writer.line()) {
      confirmed = Number(line);
    }
    const store = await openSqliteStore({ path, clock });
    const { resourceVersion, items } = await store.list('Node');
    assert.ok(Number(resourceVersion) >= confirmed, `${resourceVersion} of ${confirmed}`);
    assert.deepEqual(items[0]?.spec, { i: Number(resourceVersion) });
    await store.close();
  });

  test('the file can be read by others while the store is open', async () => {
    const path = freshPath();
    const store = await openSqliteStore({ path, clock });
    await putOne(store, draft('Pod', 'a'));
    const reader = new Database(path, { readonly: true });
    assert.equal(reader.prepare('SELECT count(*) FROM objects').pluck().get(), 1);
    reader.close();
    await store.close();
  });
});

describe('SQLite store: its file', () => {
  test('all its files are readable by their owner only', async () => {
    const path = freshPath();
    const before = process.umask(0);
    try {
      const store = await openSqliteStore({ path, clock });
      await putOne(store, draft('Pod', 'a'));
      for (const end of ['', '-wal', '-shm', '-lock']) {
        assert.equal(statSync(path + end).mode & 0o777, 0o600, `mode of hub.db${end}`);
      }
      await store.close();
    } finally {
      process.umask(before);
    }
  });

  test('commits are durable: WAL with synchronous FULL', () => {
    const file = openStoreFile({ path: freshPath(), create: true });
    assert.equal(file.db.pragma('journal_mode', { simple: true }), 'wal');
    assert.equal(file.db.pragma('synchronous', { simple: true }), 2);
    assert.equal(file.db.pragma('foreign_keys', { simple: true }), 1);
    file.close();
  });

  test('a commit larger than the memory of SQLite for pages is still whole', async () => {
    const path = freshPath();
    const store = await openSqliteStore({ path, clock });
    const content = new Uint8Array(40 * 1024 * 1024).fill(7);
    await store.commit(HUB, [{ type: 'blob', record: { digest: 'd', content } }]);
    assert.equal(Buffer.compare((await store.blob('d'))?.content ?? bytes(''), content), 0);
    await store.close();
  });

  test('create false: a missing store is NotFound and nothing is made', async () => {
    const path = freshPath();
    await assert.rejects(openSqliteStore({ path, clock, create: false }), (error: Error) => {
      assert.match(error.message, /hub-\d+\.db: there is no store here.*flotilla hub init/);
      return 'code' in error && error.code === 'NotFound';
    });
    assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
    assert.equal(statSync(`${path}-lock`, { throwIfNoEntry: false }), undefined);
  });

  test('a folder that does not exist is Unavailable and named', async () => {
    const path = join(folder, 'none', 'hub.db');
    await assert.rejects(openSqliteStore({ path, clock }), (error: Error) => {
      assert.ok(error.message.includes(path), error.message);
      return 'code' in error && error.code === 'Unavailable';
    });
  });

  test('audit lines can be neither changed nor removed', async () => {
    const path = freshPath();
    const store = await openSqliteStore({ path, clock });
    await store.commit(ANN, [put(draft('Bundle', 'web'))]);
    await store.close();
    const db = new Database(path);
    assert.throws(() => db.exec("UPDATE audit SET verb = 'delete'"), /append-only/);
    assert.throws(() => db.exec('DELETE FROM audit'), /append-only/);
    db.close();
  });
});

describe('SQLite store: damage and schema', () => {
  const refusedAs = async (path: string, code: string, message: RegExp) => {
    await assert.rejects(openSqliteStore({ path, clock }), (error: Error) => {
      assert.ok(error.message.includes(path), error.message);
      assert.match(error.message, message);
      return 'code' in error && error.code === code;
    });
  };

  async function filled(): Promise<string> {
    const path = freshPath();
    const store = await openSqliteStore({ path, clock });
    await store.commit(
      HUB,
      Array.from({ length: 300 }, (_, i) => put(draft('Pod', `p${i}`, { spec: { i } }))),
    );
    await store.close();
    return path;
  }

  test('a file that is no database is Corrupt and stays as it is', async () => {
    const path = freshPath();
    writeFileSync(path, 'these are not the bytes you are looking for'.repeat(100));
    await refusedAs(path, 'Corrupt', /flotilla hub restore/);
    assert.match(readFileSync(path, 'utf8'), /^these are not/);
  });
  test('a store that was cut short is Corrupt', async () => {
    const path = await filled();
    truncateSync(path, Math.floor(statSync(path).size / 2 / 4096) * 4096);
    await refusedAs(path, 'Corrupt', /damaged/);
  });
  test('a store with overwritten pages is Corrupt', async () => {
    const path = await filled();
    const content = readFileSync(path);
    content.fill(0xa5, 4096 * 3);
    writeFileSync(path, content);
    await refusedAs(path, 'Corrupt', /damaged/);
  });
  test('a database of another program is refused and stays as it is', async () => {
    const path = freshPath();
    const db = new Database(path);
    db.exec('CREATE TABLE journal (n INTEGER)');
    db.close();
    const before = readFileSync(path);
    await refusedAs(path, 'Corrupt', /not a store of a hub/);
    assert.deepEqual(readFileSync(path), before);
  });
  test('a newer schema is refused with what to do, and stays as it is', async () => {
    const path = await filled();
    const db = new Database(path);
    db.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
    db.close();
    const said = new RegExp(`schema ${SCHEMA_VERSION + 1}.*run the newer flotilla`);
    await refusedAs(path, 'NewerSchema', said);
    const again = new Database(path, { readonly: true });
    assert.equal(again.pragma('user_version', { simple: true }), SCHEMA_VERSION + 1);
    again.close();
  });
  test('a refused store is not left locked', async () => {
    const path = freshPath();
    writeFileSync(path, 'nonsense'.repeat(1000));
    await refusedAs(path, 'Corrupt', /damaged/);
    await refusedAs(path, 'Corrupt', /damaged/);
  });
});
