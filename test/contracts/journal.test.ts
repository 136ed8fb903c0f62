/**
 * Every promise of the journal holds after a kill -9 in the moment after it was made, and on a full
 * disk none is lost.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDiskError } from '../../agent/journal/database.js';
import { openJournal } from '../../agent/journal/open.js';
import { DirectoryError, openOwnedDirectory } from '../../agent/intake/owned-files.js';
import { fastClock } from '../support/fast-clock.js';
import { NOW } from '../support/fleet.js';
import { eventually } from '../support/wait.js';
import { PROMISES } from '../support/journal-promises.js';

const CHILD = fileURLToPath(new URL('../support/journal-child.js', import.meta.url));
let ids = 0;
const open = (dataDir: string) =>
  openJournal({ dataDir, clock: fastClock(NOW), randomId: () => String(++ids).padStart(32, '0') });

describe('after a kill -9', () => {
  for (const { sentence, holds } of PROMISES) {
    test(sentence, () => {
      const dataDir = mkdtempSync(join(tmpdir(), 'flotilla-promise-'));
      try {
        const { signal, stderr } = spawnSync(process.execPath, [CHILD, dataDir, sentence]);
        assert.equal(signal, 'SIGKILL', stderr.toString());
        const journal = open(dataDir);
        assert.equal(journal.boot, 2);
        holds(journal);
        journal.close();
      } finally {
        rmSync(dataDir, { recursive: true });
      }
    });
  }
});

/** A small file system of its own, where the tests may mount one. */
function onSmallDisk(kib: number, work: (path: string) => void): boolean {
  const path = mkdtempSync(join(tmpdir(), 'flotilla-small-'));
  const size = `size=${kib}k,mode=0755`;
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', path]).status === 0;
  try {
    if (mounted) work(path);
  } finally {
    if (mounted) spawnSync('umount', [path]);
    rmSync(path, { recursive: true });
  }
  return mounted;
}

describe('on a full disk', () => {
  test('events wait in memory, a condition says so, and they are written later (S58)', t => {
    const mounted = onSmallDisk(1024, path => {
      const journal = open(path);
      const filler = join(path, 'filler');
      const involved = { kind: 'Node' as const, namespace: '', name: 'n', uid: '', fieldPath: '' };
      const record = (message: string) =>
        journal.record({ type: 'Normal', reason: 'Test', message, involved });
      assert.throws(() => writeFileSync(filler, Buffer.alloc(2 * 1024 * 1024)), /ENOSPC/);
      const writable = () => journal.conditions().every(({ type }) => type !== 'JournalWritable');
      let count = 0;
      while (writable() && count < 100) record(`${++count} ${'x'.repeat(1000)}`);
      assert.equal(writable(), false);
      record('last');
      rmSync(filler);
      journal.flush();
      assert.equal(writable(), true);
      assert.equal(journal.newestEvent(), count + 1);
      assert.equal(journal.events(count, 1)[0]?.message, 'last');
      journal.close();
    });
    if (!mounted) t.skip('needs the right to mount');
  });

  test('it is said when that begins and when it is over, and those who were refused are asked to try again', async t => {
    const told: string[] = [];
    let journal: ReturnType<typeof open> | null = null;
    const path = mkdtempSync(join(tmpdir(), 'flotilla-small-'));
    const options = ['-t', 'tmpfs', '-o', 'size=1m,mode=0755', 'tmpfs', path];
    if (spawnSync('mount', options).status !== 0) return t.skip('needs the right to mount');
    try {
      journal = openJournal({
        ...{ dataDir: path, clock: fastClock(NOW, 20) },
        randomId: () => String(++ids).padStart(32, '0'),
      });
      journal.onFault = fault => told.push(fault === null ? 'well' : fault.message);
      const filler = join(path, 'filler');
      assert.throws(() => writeFileSync(filler, Buffer.alloc(2 * 1024 * 1024)), /ENOSPC/);
      const bytes = Buffer.alloc(256 * 1024, 0x61);
      const store = () => {
        journal?.content.storeBlob('large', bytes);
        journal?.settle();
      };
      assert.throws(store, (error: unknown) => isDiskError(error));
      assert.equal(journal.refused(), 1);
      assert.match(told.join(), /^(database or disk is full|disk I\/O error)$/);
      const [condition] = journal.conditions().filter(({ type }) => type === 'JournalWritable');
      const said =
        /^the journal is not written: the disk (is full: free some space|fails to [^:]+: look at the kernel log)$/;
      assert.match(condition?.message ?? '', said);
      // While the disk refuses, nothing is gathered: whoever writes knows at once.
      assert.throws(
        () => journal?.content.storeBlob('large', bytes),
        (error: unknown) => isDiskError(error),
      );
      let retries = 0;
      journal.onRetry = () => retries++;
      await eventually('it was tried again', () => retries >= 2);
      rmSync(filler);
      await eventually('it is well', () => told.at(-1) === 'well');
      assert.deepEqual(
        journal.conditions().filter(({ type }) => type === 'JournalWritable'),
        [],
      );
      store();
      assert.equal(told.length, 2);
    } finally {
      journal?.close();
      spawnSync('umount', [path]);
      rmSync(path, { recursive: true });
    }
  });

  test('what was gathered goes as a whole, is said to be lost, and can be gathered again', t => {
    const mounted = onSmallDisk(1024, path => {
      const journal = open(path);
      let lost = 0;
      journal.onLost = () => lost++;
      const filler = join(path, 'filler');
      assert.throws(() => writeFileSync(filler, Buffer.alloc(2 * 1024 * 1024)), /ENOSPC/);
      const bytes = Buffer.alloc(256 * 1024, 0x61);
      journal.content.storeBlob('small', Buffer.from('s'));
      const refused = () => {
        journal.content.storeBlob('large', bytes);
        journal.settle();
      };
      assert.throws(refused, (error: unknown) => isDiskError(error));
      assert.deepEqual(
        [journal.content.hasBlob('small'), journal.content.hasBlob('large'), lost],
        [false, false, 1],
      );
      rmSync(filler);
      journal.content.storeBlob('large', bytes);
      journal.settle();
      assert.equal(journal.content.blob('large')?.byteLength, bytes.byteLength);
      journal.close();
      const again = open(path);
      assert.equal(again.content.hasBlob('large'), true);
      again.close();
    });
    if (!mounted) t.skip('needs the right to mount');
  });

  test('the old set of owned files stays intact (S58)', t => {
    const mounted = onSmallDisk(64, path => {
      const manifests = join(path, 'manifests');
      mkdirSync(manifests, { mode: 0o755 });
      const directory = openOwnedDirectory(manifests);
      const file = 'flotilla_shop_00000000000000aa.json';
      directory.apply({ write: [{ file, bytes: Buffer.from('old') }], remove: [] });
      const bytes = Buffer.alloc(128 * 1024, 0x61);
      assert.throws(
        () => directory.apply({ write: [{ file, bytes }], remove: [] }),
        (error: unknown) => error instanceof DirectoryError && error.fault === 'WriteFailed',
      );
      assert.deepEqual(
        directory.list().map(found => [found.file, found.bytes?.toString()]),
        [[file, 'old']],
      );
      spawnSync('mount', ['-o', 'remount,ro', path]);
      assert.throws(
        () => directory.apply({ write: [{ file, bytes: Buffer.from('new') }], remove: [] }),
        (error: unknown) => error instanceof DirectoryError && error.fault === 'WriteFailed',
      );
    });
    if (!mounted) t.skip('needs the right to mount');
  });
});
