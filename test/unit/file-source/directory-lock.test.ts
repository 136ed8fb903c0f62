/** One agent per static pod directory: who has the lock, and what it leaves. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { lockDirectory, type DirectoryLock } from '../../../agent/sources/directory-lock.js';

function taken(lock: DirectoryLock): () => void {
  assert.equal(lock.is, 'locked', JSON.stringify(lock));
  return lock.release;
}

describe('the lock of a static pod directory', () => {
  const root = mkdtempSync(join(tmpdir(), 'fl-lock-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  const folder = (name: string) => {
    mkdirSync(join(root, name));
    return join(root, name);
  };

  test('is given once, and again when it was given back', () => {
    const path = folder('once');
    const release = taken(lockDirectory(path));
    assert.equal(lockDirectory(path).is, 'held');
    release();
    taken(lockDirectory(path))();
    assert.deepEqual(readdirSync(path), ['.flotilla-agent.lock']);
  });

  test('holds whatever the path is called', () => {
    const path = folder('real');
    symlinkSync(path, join(root, 'link'));
    const release = taken(lockDirectory(path));
    assert.equal(lockDirectory(join(root, 'link')).is, 'held');
    release();
  });

  test('of one file lies beside it and leaves its neighbours alone', () => {
    const path = folder('files');
    for (const name of ['a.yaml', 'b.yaml']) writeFileSync(join(path, name), '');
    const release = taken(lockDirectory(join(path, 'a.yaml')));
    taken(lockDirectory(join(path, 'b.yaml')))();
    assert.equal(lockDirectory(join(path, 'a.yaml')).is, 'held');
    release();
  });

  test('cannot be had where there is no directory', () => {
    const lock = lockDirectory(join(root, 'missing'));
    assert.equal(lock.is, 'unlockable');
    assert.match(lock.is === 'unlockable' ? lock.detail : '', /ENOENT.*missing/);
  });
});
