/** The files that the agent owns: written whole or not at all, nobody else's touched. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DirectoryError, openOwnedDirectory } from '../../../agent/intake/owned-files.js';

const A = 'flotilla_shop_00000000000000aa.json';
const B = 'flotilla_shop_00000000000000bb.json';
let base = '';
let path = '';

beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'flotilla-owned-'));
  path = join(base, 'manifests');
  fs.mkdirSync(path, { mode: 0o755 });
});
afterEach(() => fs.rmSync(base, { recursive: true }));

const read = (file: string) => fs.readFileSync(join(path, file), 'utf8');
const write = (file: string, text: string) => ({ file, bytes: Buffer.from(text) });
const faultOf = (work: () => void): string => {
  try {
    work();
    return 'none';
  } catch (error) {
    return error instanceof DirectoryError ? error.fault : String(error);
  }
};

describe('a change', () => {
  test('writes, replaces and removes, and leaves no temporary file', () => {
    const directory = openOwnedDirectory(path);
    directory.apply({ write: [write(A, '1'), write(B, '2')], remove: [] });
    directory.apply({ write: [write(A, '3')], remove: [B] });
    assert.deepEqual(fs.readdirSync(path), [A]);
    assert.equal(read(A), '3');
    assert.equal(fs.statSync(join(path, A)).mode & 0o777, 0o600);
  });

  test('never rewrites an unchanged file', () => {
    const directory = openOwnedDirectory(path);
    directory.apply({ write: [write(A, '1')], remove: [] });
    const before = fs.statSync(join(path, A));
    directory.apply({ write: [write(A, '1'), write(B, '2')], remove: [] });
    const after = fs.statSync(join(path, A));
    assert.deepEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs]);
  });

  test('whose promise fails leaves the old set intact', () => {
    const directory = openOwnedDirectory(path);
    directory.apply({ write: [write(A, 'old')], remove: [] });
    const commit = () => {
      throw new Error('disk full');
    };
    assert.throws(
      () => directory.apply({ write: [write(A, 'new'), write(B, 'new')], remove: [], commit }),
      /disk full/,
    );
    assert.deepEqual(fs.readdirSync(path), [A]);
    assert.equal(read(A), 'old');
  });

  test('promises before any file of it is in place, and after all are written', () => {
    const directory = openOwnedDirectory(path);
    let seen: string[] = [];
    const commit = () => {
      seen = fs.readdirSync(path).sort();
    };
    directory.apply({ write: [write(A, '1'), write(B, '2')], remove: [], commit });
    assert.deepEqual(seen, [`.${A}`, `.${B}`]);
  });

  test('replaces a symbolic link and leaves its target alone (S54)', () => {
    const target = join(base, 'target');
    fs.writeFileSync(target, 'precious');
    fs.symlinkSync(target, join(path, A));
    openOwnedDirectory(path).apply({ write: [write(A, 'precious')], remove: [] });
    assert.equal(fs.readFileSync(target, 'utf8'), 'precious');
    assert.equal(fs.lstatSync(join(path, A)).isSymbolicLink(), false);
  });

  test('replaces a planted hard link and a directory (S54)', () => {
    const target = join(base, 'target');
    fs.writeFileSync(target, 'precious');
    fs.linkSync(target, join(path, A));
    fs.mkdirSync(join(path, B));
    openOwnedDirectory(path).apply({ write: [write(A, 'new'), write(B, 'new')], remove: [] });
    assert.equal(fs.readFileSync(target, 'utf8'), 'precious');
    assert.deepEqual([read(A), read(B)], ['new', 'new']);
  });

  test('refuses a name that is not one of an owned file', () => {
    const directory = openOwnedDirectory(path);
    for (const name of ['../x', 'x.yaml', 'flotilla_x.json', `${A}\n`, '']) {
      assert.throws(() => directory.apply({ write: [write(name, '')], remove: [] }), /not a name/);
      assert.throws(() => directory.apply({ write: [], remove: [name] }), /not a name/);
    }
  });
});

describe('nothing is written', () => {
  const rows: [string, () => void, string][] = [
    [
      'into a directory that others may write to (S55)',
      () => fs.chmodSync(path, 0o777),
      'UnsafeDirectory',
    ],
    [
      'into a directory that the group may write to',
      () => fs.chmodSync(path, 0o775),
      'UnsafeDirectory',
    ],
    ['below a parent that others may write to', () => fs.chmodSync(base, 0o777), 'UnsafeDirectory'],
    ['into a directory of another user', () => fs.chownSync(path, 12345, 0), 'UnsafeDirectory'],
    [
      'through a symbolic link',
      () => {
        fs.renameSync(path, `${path}-real`);
        fs.symlinkSync(`${path}-real`, path);
      },
      'UnsafeDirectory',
    ],
    ['where there is no directory', () => fs.rmdirSync(path), 'DirectoryUnavailable'],
  ];
  for (const [sentence, make, fault] of rows) {
    test(`${sentence}: ${fault}`, () => {
      make();
      const directory = openOwnedDirectory(path);
      let promised = false;
      const commit = () => {
        promised = true;
      };
      assert.equal(
        faultOf(() => directory.apply({ write: [write(A, '1')], remove: [], commit })),
        fault,
      );
      assert.equal(promised, false);
    });
  }
});

test('a sticky parent is safe', () => {
  fs.chmodSync(base, 0o1777);
  assert.equal(
    faultOf(() => openOwnedDirectory(path).apply({ write: [write(A, '1')], remove: [] })),
    'none',
  );
});

test('leftovers under dot names go, other dot files stay', () => {
  fs.writeFileSync(join(path, `.${A}`), 'half');
  fs.writeFileSync(join(path, '.mine'), 'x');
  openOwnedDirectory(path).removeLeftovers();
  assert.deepEqual(fs.readdirSync(path), ['.mine']);
});

test('the list holds what bears the prefix; links and pipes without content', () => {
  fs.writeFileSync(join(path, A), 'a');
  fs.writeFileSync(join(path, 'mine.yaml'), 'x');
  fs.symlinkSync('/etc/passwd', join(path, B));
  const list = openOwnedDirectory(path).list();
  assert.deepEqual(
    list.map(({ file, bytes }) => [file, bytes?.toString() ?? null]),
    [
      [A, 'a'],
      [B, null],
    ],
  );
});
