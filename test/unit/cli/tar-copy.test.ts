/** What `flotilla cp` makes of a tar stream: trees there and back, and what a hostile container may try. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { pack } from 'tar-stream';
import { localTarget, packTree, unpackTree } from '../../../hub/cli/tar-copy.js';

let folder: string;
let target: string;
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-cp-'));
  target = join(folder, 'target');
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Entry {
  readonly name: string;
  readonly type?: 'file' | 'directory' | 'symlink' | 'link' | 'fifo';
  readonly linkname?: string;
  readonly mode?: number;
  readonly content?: string;
}

async function archiveOf(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content = '', ...head } of entries) archive.entry(head, content);
  archive.finalize();
  return buffer(Readable.from(archive as AsyncIterable<Buffer>, { objectMode: false }));
}

async function unpack(source: string, entries: readonly Entry[] | Buffer): Promise<number> {
  const bytes = Buffer.isBuffer(entries) ? entries : await archiveOf(entries);
  const warn = (line: string) => void warnings.push(line);
  return unpackTree(Readable.from([bytes]), { source, target }, warn);
}

function tree(): string[] {
  return existsSync(target) && statSync(target).isDirectory()
    ? readdirSync(target, { recursive: true }).map(String).sort()
    : [];
}

describe('there and back', () => {
  test('a tree with an empty file, modes and a file larger than a buffer', async () => {
    const source = join(folder, 'source');
    mkdirSync(join(source, 'sub/empty-folder'), { recursive: true });
    writeFileSync(join(source, 'a-empty'), '');
    writeFileSync(join(source, 'run'), '#!/bin/sh\n');
    chmodSync(join(source, 'run'), 0o750);
    const large = Buffer.alloc(300_000, 'large');
    writeFileSync(join(source, 'sub/large'), large);
    assert.equal(await unpack('/srv/x', await buffer(packTree(source, 'srv/x'))), 6);
    assert.deepEqual(tree(), ['a-empty', 'run', 'sub', 'sub/empty-folder', 'sub/large']);
    assert.ok(readFileSync(join(target, 'sub/large')).equals(large));
    assert.equal(statSync(join(target, 'run')).mode & 0o777, 0o750 & ~process.umask());
  });

  test('what cannot be read ends the stream with the reason', async () => {
    const missing = join(folder, 'missing');
    await assert.rejects(buffer(packTree(missing, 'x')), /cannot read .*missing: ENOENT/);
  });

  test('a link goes there as a link, and is left out on the way back', async () => {
    const source = join(folder, 'source');
    mkdirSync(source);
    symlinkSync('elsewhere', join(source, 'link'));
    assert.equal(await unpack('x', await buffer(packTree(source, 'x'))), 1);
    assert.deepEqual(tree(), []);
    assert.match(warnings[0] ?? '', /skipped x\/link: a symlink/);
  });
});

const NAMES: readonly (readonly [string, string, string])[] = [
  ['/srv/app', 'srv/app/f', 'f'],
  ['/srv/app/', '/srv/app/f', 'f'],
  ['srv/app', './srv/app/f', 'f'],
  ['.', './f', 'f'],
  ['/', 'etc/f', 'etc/f'],
];
for (const [source, name, written] of NAMES) {
  test(`${name} of ${source} is ${written}`, async () => {
    await unpack(source, [{ name, content: 'x' }]);
    assert.equal(readFileSync(join(target, written), 'utf8'), 'x');
  });
}

describe('a hostile container', () => {
  const REFUSED: readonly (readonly [string, Entry])[] = [
    ['a name that climbs', { name: 'srv/app/../../../escaped', content: 'x' }],
    ['a name that begins with dots', { name: '../escaped', content: 'x' }],
    ['another file than was asked', { name: 'etc/passwd', content: 'x' }],
    ['a neighbour that begins alike', { name: 'srv/application', content: 'x' }],
  ];
  for (const [name, entry] of REFUSED) {
    test(`${name}: refused, and nothing is written`, async () => {
      await assert.rejects(unpack('/srv/app', [entry]), /not what was asked/);
      assert.deepEqual(readdirSync(folder), []);
    });
  }

  test('links, pipes and the like are left out, and what pretends to lie behind them stays inside', async () => {
    const count = await unpack('/srv/app', [
      { name: 'srv/app/', type: 'directory' },
      { name: 'srv/app/out', type: 'symlink', linkname: '/' },
      { name: 'srv/app/out/f', content: 'x' },
      { name: 'srv/app/hard', type: 'link', linkname: '/etc/passwd' },
      { name: 'srv/app/pipe', type: 'fifo' },
    ]);
    assert.equal(count, 2);
    assert.deepEqual(tree(), ['out', 'out/f']);
    assert.equal(warnings.length, 3);
  });

  test('a link that lies in the target already is not followed out of it', async () => {
    mkdirSync(target);
    const outside = join(folder, '../');
    symlinkSync(outside, join(target, 'out'));
    symlinkSync(join(folder, 'escaped'), join(target, 'file'));
    const below = [{ name: 'a/out/flotilla-cp-escaped/f', content: 'x' }];
    await assert.rejects(unpack('a', below), /target\/out is a link/);
    await assert.rejects(unpack('a', [{ name: 'a/file', content: 'x' }]), /ELOOP/);
    assert.ok(!existsSync(join(folder, 'escaped')));
    assert.ok(!existsSync(join(outside, 'flotilla-cp-escaped')));
  });

  test('the bits of another user are not taken over', async () => {
    await unpack('a', [{ name: 'a/f', mode: 0o6755, content: 'x' }]);
    assert.equal(statSync(join(target, 'f')).mode & 0o7000, 0);
  });

  test('an archive that breaks off, and bytes that are none', async () => {
    const whole = await archiveOf([{ name: 'a/f', content: 'x'.repeat(5000) }]);
    await assert.rejects(unpack('a', whole.subarray(0, 2000)));
    await assert.rejects(unpack('a', Buffer.alloc(2000, 'x')));
  });
});

test('a folder that is there takes the copy under its own name', async () => {
  mkdirSync(target);
  assert.equal(await localTarget(target, '/srv/app'), join(target, 'app'));
  assert.equal(await localTarget(join(folder, 'new'), '/srv/app'), join(folder, 'new'));
  await assert.rejects(localTarget(join(folder, 'new/'), '/srv/app'), /there is no folder/);
});
