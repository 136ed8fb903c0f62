/** A hub's directory with members in its store, to be backed up and put back. Call `backupWorld` once in a file of tests. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach } from 'node:test';
import { makeBackup, type BackupOptions } from '../../hub/backup/backup.js';
import { restoreBackup, type RestoreOptions } from '../../hub/backup/restore.js';
import { initHub } from '../../hub/setup/init.js';
import { SetupError, type SetupErrorCode } from '../../hub/setup/setup-error.js';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import type { IdentityRecord, Mutation, Store } from '../../hub/store/store.js';
import { MovableClock, QUIET_HOST } from './hub-fixture.js';
import { enrolled, memberRecord } from './member.js';

export const clock = new MovableClock();
export const HUB = { kind: 'hub', name: 'test' } as const;
/** Of the test that runs. */
export let directory: string;
export let dataDir: string;
export let file: string;

export const at = (...parts: string[]) => join(directory, ...parts);
export const backup = (more: Partial<BackupOptions> = {}) =>
  makeBackup({ dataDir, out: file, kind: 'full', protection: { kind: 'none' }, clock, ...more });
export const restore = (more: Partial<RestoreOptions> = {}) =>
  restoreBackup({ file, dataDir: at('restored'), opening: {}, clock, ...more });

export function withCode(code: SetupErrorCode, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof SetupError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  };
}

export async function inStore<T>(folder: string, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openSqliteStore({ path: join(folder, 'hub.db'), clock, create: false });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function member(node: string, state: IdentityRecord['state'] = 'active'): Mutation[] {
  const keys = { tlsKey: 'tls', sealingKey: 'seal', certificate: 'PEM' };
  return enrolled(memberRecord(node, { ...keys, state, labels: { site: 'harbour' } }));
}

/** What a stolen device could open of a Secret that was deleted since. */
const trace: Mutation = {
  type: 'put',
  expect: 'absent',
  object: {
    kind: 'SecretTrace',
    metadata: { namespace: 'default', name: 'shop.db.edge-2.0' },
    spec: {
      ...{ bundle: 'shop', secret: 'db', node: 'edge-2', device: '2026-01-01T00:00:00.000Z' },
      versions: [{ from: 1, to: 3 }],
    },
    status: null,
  },
};

const openToken: Mutation = {
  type: 'put',
  expect: 'absent',
  object: {
    kind: 'Token',
    metadata: { namespace: '', name: 'abc' },
    spec: { secretHash: 'ff', labels: {}, expiresAt: '2099-01-01T00:00:00Z' },
    status: { usedBy: [] },
  },
};

export function backupWorld(): void {
  let made: string;
  // Keys and certificates take most of the time: each test begins with a copy of one hub.
  before(async () => {
    made = mkdtempSync(join(tmpdir(), 'flotilla-hub-'));
    const dataDir = join(made, 'hub');
    await initHub({ dataDir, host: QUIET_HOST, clock, random: randomBytes });
    await inStore(dataDir, store =>
      store.commit(HUB, [
        ...member('edge-1'),
        ...member('edge-2', 'revoked'),
        openToken,
        trace,
        { type: 'blob', record: { digest: 'd', content: Buffer.from('content of a blob') } },
      ]),
    );
  });
  after(() => rmSync(made, { recursive: true }));
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'flotilla-backup-'));
    dataDir = at('hub');
    file = at('hub.flotilla-backup');
    cpSync(join(made, 'hub'), dataDir, { recursive: true });
  });
  afterEach(() => rmSync(directory, { recursive: true }));
}
