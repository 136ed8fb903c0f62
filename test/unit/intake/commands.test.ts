/** Questions of the hub: answered with what is durable, or not at all. */
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Commands } from '../../../agent/intake/commands.js';
import type { Journal } from '../../../agent/journal/journal.js';
import { openJournal } from '../../../agent/journal/open.js';
import { seal } from '../../../protocol/envelope.js';
import { fastClock } from '../../support/fast-clock.js';
import * as fleet from '../../support/fleet.js';
import { storeBundle } from '../../support/journal-content.js';

const SESSION = '2'.repeat(32);

let dir = '';
let journal: Journal;
/** Revisions that another process finds in the file, at each message that went out. */
let durable: number[] = [];
let warnings: string[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fl-commands-'));
  journal = openJournal({
    dataDir: dir,
    clock: fastClock(fleet.NOW),
    randomId: () => '1'.repeat(32),
  });
  durable = [];
  warnings = [];
});
afterEach(() => {
  journal.close();
  rmSync(dir, { recursive: true });
});

function revisionsInFile(): number {
  const file = new Database(join(dir, 'journal.db'), { readonly: true });
  const { count } = file.prepare('SELECT count(*) AS count FROM revisions').get() as {
    count: number;
  };
  file.close();
  return count;
}

/** Asks once for each; `settle` of the n-th question. */
async function ask(...settles: (() => void)[]): Promise<void> {
  let asked = 0;
  const commands = new Commands({
    identity: { fleet: fleet.FLEET, node: fleet.NODE_NAME, signer: fleet.NODE },
    journal: new Proxy(journal, {
      get: (target, name) => {
        if (name === 'settle') return () => settles[asked++]?.();
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    }),
    link: {
      publish: async () => {
        durable.push(revisionsInFile());
        return true;
      },
    },
    log: { warn: text => void warnings.push(text) },
    root: () => fleet.trustedRoot(),
    streams: { open: () => undefined },
  });
  commands.begin(SESSION);
  const kept = { kind: 'kept', want: 'standing', digest: null, rootVersion: 0 } as const;
  const command = {
    ...{ fleet: fleet.FLEET, node: fleet.NODE_NAME, epoch: 1, session: SESSION },
    ...{ request: '3'.repeat(32), ask: kept },
  };
  for (const n of settles.keys()) {
    const envelope = seal('command', { ...command, n: n + 1 }, [fleet.HUB]);
    assert.equal(commands.receive(envelope), null);
  }
  await new Promise(resolve => setImmediate(resolve));
}

function fetched(): void {
  const pod = fleet.podManifest('web');
  storeBundle(journal, { document: fleet.bundleDocument([pod]), pods: [pod] });
  assert.equal(revisionsInFile(), 0, 'gathered');
}

test('how far this node is, is told once it is durable', async () => {
  fetched();
  await ask(() => journal.settle());
  assert.deepEqual(durable, [1]);
});

test('a disk that refuses is no answer, and no end of the agent', async () => {
  fetched();
  await ask(() => {
    throw new Database.SqliteError('disk full', 'SQLITE_FULL');
  });
  assert.deepEqual(durable, []);
});

test('a question that failed does not keep the next from its answer, and is told', async () => {
  fetched();
  await ask(
    () => {
      throw new Error('a row that does not read back');
    },
    () => journal.settle(),
  );
  assert.deepEqual(durable, [1]);
  assert.deepEqual(warnings, ['a question of the hub was not answered']);
});
