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
import { openJournal } from '../../agent/journal/journal.js';
import { DirectoryError, openOwnedDirectory } from '../../agent/intake/owned-files.js';
import { fastClock } from '../support/fast-clock.js';
import { NOW } from '../support/fleet.js';
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

  test('what was gathered goes as a whole, is said to be lost, and can be gathered again', t => {
    const mounted = onSmallDisk(1024, path => {
      const journal = open(path);
      let lost = 0;
      journal.onLost = () => lost++;
      const filler = join(path, 'filler');
      assert.throws(() => writeFileSync(filler, Buffer.alloc(2 * 1024 * 1024)), /ENOSPC/);
      const bytes = Buffer.alloc(256 * 1024, 0x61);
      journal.storeBlob('small', Buffer.from('s'));
      const refused = () => {
        journal.storeBlob('large', bytes);
        journal.settle();
      };
      assert.throws(refused, (error: unknown) => isDiskError(error));
      assert.deepEqual(
        [journal.hasBlob('small'), journal.hasBlob('large'), lost],
        [false, false, 1],
      );
      rmSync(filler);
      journal.storeBlob('large', bytes);
      journal.settle();
      assert.equal(journal.blob('large')?.byteLength, bytes.byteLength);
      journal.close();
      const again = open(path);
      assert.equal(again.hasBlob('large'), true);
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
