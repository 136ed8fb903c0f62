/** A disk that refuses while a backup is made or put back. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import {
  directory,
  at,
  backup,
  restore,
  withCode,
  backupWorld,
} from '../../support/backup-world.js';

backupWorld();

describe('a disk that refuses', () => {
  const small = (size: string, options = ''): string | null => {
    const place = at('small');
    mkdirSync(place, { recursive: true });
    const mount = ['-t', 'tmpfs', '-o', `size=${size}${options}`, 'tmpfs', place];
    return spawnSync('mount', mount).status === 0 ? place : null;
  };
  afterEach(() => {
    spawnSync('umount', [join(directory, 'small')]);
  });

  test('is named where a backup is written, and nothing is left there', async t => {
    const place = small('24k');
    if (place === null) return t.skip('not permitted to mount here');
    await assert.rejects(
      backup({ out: join(place, 'b') }),
      /small\/\.backup-.*full|small.*no space/,
    );
    assert.deepEqual(readdirSync(place), []);
    spawnSync('mount', ['-o', 'remount,ro', place]);
    await assert.rejects(
      backup({ out: join(place, 'b') }),
      withCode('Disk', /cannot write \S+\/small: that file system is read-only/),
    );
  });

  test('is no damaged backup: a restore says that it is full, and leaves nothing there', async t => {
    await backup();
    const place = small('64k');
    if (place === null) return t.skip('not permitted to mount here');
    const into = { dataDir: join(place, 'hub') };
    await assert.rejects(
      restore(into),
      withCode('Disk', /cannot write \S+small\S*: no space is left/),
    );
    assert.deepEqual(readdirSync(place), []);
    spawnSync('mount', ['-o', 'remount,ro', place]);
    await assert.rejects(restore(into), withCode('Disk', /cannot write \S+small/));
  });

  test('or a file that is not there is named before the directory is touched', async () => {
    const missing = { file: at('nowhere') };
    await assert.rejects(
      restore(missing),
      withCode('Disk', /cannot read \S+nowhere: there is no such/),
    );
    await assert.rejects(restore({ file: directory }), withCode('Disk', /it is a directory/));
    assert.ok(!existsSync(at('restored')));
  });
});
