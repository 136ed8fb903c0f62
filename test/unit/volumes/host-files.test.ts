/** P11: what lies in files and folders of the host, and when a change of it counts. On real files. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { HostFileDigester } from '../../../agent/volumes/host-file-digest.js';
import { HostFiles } from '../../../agent/volumes/host-files.js';
import type { Clock } from '../../../protocol/ports.js';
import { eventually } from '../../support/wait.js';

const root = mkdtempSync(join(tmpdir(), 'flotilla-host-files-'));
after(() => rmSync(root, { recursive: true }));
let count = 0;
function newDir(): string {
  const dir = join(root, String((count += 1)));
  mkdirSync(dir);
  return dir;
}

describe('P11: the digest', () => {
  const changes: [string, (dir: string) => void, boolean][] = [
    ['another content', dir => writeFileSync(join(dir, 'a'), 'two'), true],
    ['another content of the same size', dir => writeFileSync(join(dir, 'a'), 'ONE'), true],
    ['a name more', dir => writeFileSync(join(dir, 'b'), ''), true],
    ['a name less', dir => unlinkSync(join(dir, 'a')), true],
    ['a file further down', dir => writeFileSync(join(dir, 'sub', 'c'), 'x'), true],
    ['a link that leads elsewhere', dir => moveLink(dir), true],
    ['a touched file', dir => utimesSync(join(dir, 'a'), 1, 1), false],
    ['another mode', dir => chmodSync(join(dir, 'a'), 0o600), false],
    ['the same content under another inode', dir => rewrite(dir), false],
  ];
  function moveLink(dir: string): void {
    unlinkSync(join(dir, '..data'));
    symlinkSync('..v2', join(dir, '..data'));
  }
  function rewrite(dir: string): void {
    writeFileSync(join(dir, '.new'), 'one');
    renameSync(join(dir, '.new'), join(dir, 'a'));
  }
  for (const [says, change, differs] of changes) {
    test(`${says} is ${differs ? 'a' : 'no'} change`, async () => {
      const dir = newDir();
      writeFileSync(join(dir, 'a'), 'one');
      mkdirSync(join(dir, 'sub'));
      symlinkSync('..v1', join(dir, '..data'));
      const digester = new HostFileDigester();
      const before = await digester.digest(dir);
      change(dir);
      assert.equal((await digester.digest(dir)) !== before, differs);
      assert.equal(await new HostFileDigester().digest(dir), await digester.digest(dir));
    });
  }

  test('what is missing and what is made for a mount are the same: nothing', async () => {
    const dir = newDir();
    writeFileSync(join(dir, 'empty'), '');
    const digester = new HostFileDigester();
    for (const path of [dir + '/none', join(newDir()), join(dir, 'empty')]) {
      assert.equal(await digester.digest(path), '');
    }
  });

  test('a link at the top is followed, a pipe is never opened, a large file counts by size', async () => {
    const dir = newDir();
    writeFileSync(join(dir, 'a'), 'one');
    symlinkSync(dir, `${dir}-link`);
    const digester = new HostFileDigester();
    assert.equal(await digester.digest(`${dir}-link`), await digester.digest(dir));
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const withPipe = await digester.digest(dir);
    writeFileSync(join(dir, 'large'), Buffer.alloc(1_048_577));
    const withLarge = await digester.digest(dir);
    appendFileSync(join(dir, 'large'), 'x');
    assert.equal(new Set([withPipe, withLarge, await digester.digest(dir)]).size, 3);
  });

  test('more than a thousand names are refused', async () => {
    const dir = newDir();
    for (let n = 0; n <= 1_000; n += 1) writeFileSync(join(dir, String(n)), '');
    await assert.rejects(new HostFileDigester().digest(dir), /more than 1000 names/);
  });
});

const LOOK_EVERY_MS = 2_000;

describe('P11: following', () => {
  /** Each look happens when the test says so. */
  function newFiles(reach?: (path: string) => Promise<void>) {
    const waiting = new Set<() => void>();
    const warned: string[] = [];
    const clock: Clock = {
      now: () => 0,
      monotonic: () => 0,
      sleep: (ms, signal) =>
        new Promise(resolve => {
          const wake = () => {
            waiting.delete(wake);
            resolve();
          };
          if (ms === LOOK_EVERY_MS) waiting.add(wake);
          signal?.addEventListener('abort', wake);
          if (signal?.aborted === true) wake();
        }),
    };
    let changes = 0;
    const silent = () => undefined;
    const log = { info: silent, warn: (text: string) => warned.push(text), error: silent };
    const onChange = () => (changes += 1);
    const files = new HostFiles({ clock, log, onChange, ...(reach && { reach }) });
    /** One look, and until the next is waited for. */
    const look = async () => {
      const [pause] = waiting;
      assert.ok(pause !== undefined && waiting.size === 1);
      pause();
      await eventually(
        'the pause before the next',
        () => waiting.size === 1 && !waiting.has(pause),
      );
    };
    return { files, look, warned, changes: () => changes };
  }

  test('a change counts when two looks agree', async () => {
    const path = join(newDir(), 'conf');
    writeFileSync(path, 'one');
    const { files, look, changes } = newFiles();
    await files.follow([path]);
    const before = files.digests.get(path);
    assert.ok(before);
    writeFileSync(path, 'half');
    await look();
    assert.equal(files.digests.get(path), before);
    writeFileSync(path, 'whole');
    await look();
    assert.equal(files.digests.get(path), before);
    assert.equal(changes(), 0);
    await look();
    assert.notEqual(files.digests.get(path), before);
    assert.equal(changes(), 1);
    await files.close();
  });

  test('what cannot be read keeps what was known, and is told once', async () => {
    const dir = newDir();
    writeFileSync(join(dir, 'a'), 'one');
    const { files, look, warned } = newFiles();
    await files.follow([dir]);
    const before = files.digests.get(dir);
    for (let n = 0; n <= 1_000; n += 1) writeFileSync(join(dir, String(n)), '');
    for (let n = 0; n < 3; n += 1) await look();
    assert.equal(files.digests.get(dir), before);
    assert.equal(warned.length, 1);
    await files.close();
  });

  test('a path is not read before it was reached: on a server that hangs that keeps a thread', async () => {
    let arrive: () => void = () => undefined;
    const { files } = newFiles(() => new Promise(done => (arrive = done)));
    const path = newDir();
    const following = files.follow([path]);
    await new Promise(setImmediate);
    assert.equal(files.digests.size, 0);
    arrive();
    await following;
    assert.ok(files.digests.has(path));
    await files.close();
  });

  test('nothing is followed when nobody asks', async () => {
    const { files } = newFiles();
    await files.follow([]);
    assert.equal(files.digests.size, 0);
    await files.close();
  });
});
