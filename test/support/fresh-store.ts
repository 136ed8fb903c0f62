/** A database of its own for each test of a `describe`, in a directory that is gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach } from 'node:test';
import { openSqliteStore } from '../../hub/store/sqlite.js';
import type { Store } from '../../hub/store/store.js';
import { REAL_CLOCK } from './clock.js';

export function eachOnFreshStore(begin: (store: Store) => void): void {
  let directory: string;
  let store: Store;
  let files = 0;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'flotilla-store-'));
  });
  after(() => rmSync(directory, { recursive: true }));
  beforeEach(async () => {
    store = await openSqliteStore({ path: join(directory, `${files++}.db`), clock: REAL_CLOCK });
    begin(store);
  });
  afterEach(() => store.close());
}
