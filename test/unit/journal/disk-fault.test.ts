/** What a disk says is told apart from what a program does wrong, and a directory says what the disk said. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { diskFault } from '../../../agent/disk-fault.js';
import { makeDirectory } from '../../../agent/make-directory.js';

const withCode = (code: string) => Object.assign(new Error('it says no'), { code });

describe('a disk', () => {
  const rows: readonly (readonly [code: string, words: RegExp | null])[] = [
    ['ENOSPC', /full: free some space/],
    ['SQLITE_FULL', /full: free some space/],
    ['EDQUOT', /quota .* free some space/],
    ['EIO', /look at the kernel log/],
    ['SQLITE_IOERR_WRITE', /look at the kernel log/],
    ['EROFS', /mount it for writing/],
    ['SQLITE_READONLY_DBMOVED', /mount it for writing/],
    ['ENOENT', null],
    ['SQLITE_CONSTRAINT', null],
  ];
  for (const [code, words] of rows) {
    test(`${code} is ${words === null ? 'no fault of it' : String(words)}`, () => {
      const said = diskFault(withCode(code));
      if (words === null) assert.equal(said, null);
      else assert.match(said ?? '', words);
    });
  }
  test('what is no error is no fault of it', () => assert.equal(diskFault('ENOSPC'), null));
});

describe('a directory', () => {
  test('is made with all above it, and stays when it is there; a file in the way is told', async () => {
    const root = mkdtempSync(join(tmpdir(), 'fl-made-'));
    try {
      const path = join(root, 'a/b/c');
      await makeDirectory(path, 0o750);
      await makeDirectory(path, 0o700);
      assert.equal(statSync(path).mode & 0o777, 0o750);
      writeFileSync(join(root, 'file'), '');
      await assert.rejects(makeDirectory(join(root, 'file')), /EEXIST/);
      await assert.rejects(makeDirectory(join(root, 'file/below')), /ENOTDIR/);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
