/** Files of volumes on a real file system: the atomic writer, paths that must stay inside, owners. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { writeAtomically } from '../../../agent/volumes/atomic-writer.js';
import type { VolumeFiles } from '../../../agent/volumes/content.js';
import { parseMountInfo } from '../../../agent/volumes/host-mounts.js';
import { makeInside, openInside, OutsideError, readInside } from '../../../agent/volumes/inside.js';
import { giveToGroup } from '../../../agent/volumes/ownership.js';

const root = mkdtempSync(join(tmpdir(), 'fl-volumes-'));
after(() => {
  rmSync(root, { recursive: true, force: true });
});
let count = 0;
function place(): string {
  const path = join(root, String(count++));
  mkdirSync(path);
  return path;
}

const modeOf = (path: string) => statSync(path).mode & 0o7777;
const NOW = Date.parse('2026-01-31T08:15:00Z');

function files(given: Readonly<Record<string, string>>, mode = 0o644): VolumeFiles {
  return new Map(
    Object.entries(given).map(([path, text]) => [path, { bytes: Buffer.from(text), mode }]),
  );
}

describe('row 135: the atomic writer', () => {
  test('files are links through ..data to a dated directory', async () => {
    const at = place();
    assert.equal(
      await writeAtomically(at, files({ a: '1', 'd/b': '2' }, 0o640), { now: NOW }),
      true,
    );
    const dated = readlinkSync(join(at, '..data'));
    assert.match(dated, /^\.\.2026_01_31_08_15_00\.\w{6}$/);
    assert.equal(readlinkSync(join(at, 'a')), '..data/a');
    assert.equal(readlinkSync(join(at, 'd')), '..data/d');
    assert.equal(readFileSync(join(at, 'd/b'), 'utf8'), '2');
    assert.equal(modeOf(join(at, 'a')), 0o640);
    assert.equal(modeOf(join(at, dated)), 0o755);
    assert.deepEqual(readdirSync(at).sort(), ['..data', dated, 'a', 'd'].sort());
  });

  test('the same content again writes nothing', async () => {
    const at = place();
    await writeAtomically(at, files({ a: '1' }), { now: NOW });
    const before = readlinkSync(join(at, '..data'));
    assert.equal(await writeAtomically(at, files({ a: '1' }), { now: NOW }), false);
    assert.equal(readlinkSync(join(at, '..data')), before);
  });

  test('a change replaces all at once; what is gone leaves no link and no directory', async () => {
    const at = place();
    await writeAtomically(at, files({ a: '1', 'old/x': '2', keep: 'k' }), { now: NOW });
    await writeAtomically(at, files({ a: '3', keep: 'k' }), { now: NOW });
    const dated = readlinkSync(join(at, '..data'));
    assert.deepEqual(readdirSync(at).sort(), ['..data', dated, 'a', 'keep'].sort());
    assert.equal(readFileSync(join(at, 'a'), 'utf8'), '3');
  });

  test('a name may become a directory', async () => {
    const at = place();
    await writeAtomically(at, files({ a: '1' }), { now: NOW });
    await writeAtomically(at, files({ 'a/b': '2' }), { now: NOW });
    assert.equal(readFileSync(join(at, 'a/b'), 'utf8'), '2');
  });

  test('nothing at all is a volume too', async () => {
    const at = place();
    await writeAtomically(at, files({}), { now: NOW });
    assert.deepEqual(readdirSync(join(at, '..data')), []);
  });

  test('finds its way in what a killed one left', async () => {
    const at = place();
    await writeAtomically(at, files({ a: '1' }), { now: NOW });
    mkdirSync(join(at, '..2026_01_01_00_00_00.dead00'));
    symlinkSync('..2026_01_01_00_00_00.dead00', join(at, '..data_tmp'));
    rmSync(join(at, 'a'));
    symlinkSync('nowhere', join(at, 'a'));
    assert.equal(await writeAtomically(at, files({ a: '1' }), { now: NOW }), false);
    assert.equal(readFileSync(join(at, 'a'), 'utf8'), '1');
    assert.equal(readdirSync(at).length, 3);
  });

  test('a damaged file is written again', async () => {
    const at = place();
    await writeAtomically(at, files({ a: '1' }), { now: NOW });
    writeFileSync(join(at, 'a'), '');
    assert.equal(await writeAtomically(at, files({ a: '1' }), { now: NOW }), true);
    assert.equal(readFileSync(join(at, 'a'), 'utf8'), '1');
  });

  test('a failure before the swap leaves the old files', async () => {
    const at = place();
    await writeAtomically(at, files({ a: '1' }), { now: NOW });
    const own = () => Promise.reject(new Error('no'));
    await assert.rejects(writeAtomically(at, files({ a: '2' }), { now: NOW, own }), /^Error: no$/);
    assert.equal(readFileSync(join(at, 'a'), 'utf8'), '1');
    assert.equal(readdirSync(at).length, 3);
  });
});

describe('row 138: inside a volume', () => {
  function volume(): string {
    const at = place();
    mkdirSync(join(at, 'real/deep'), { recursive: true });
    writeFileSync(join(at, 'real/file'), 'inside');
    symlinkSync('real', join(at, 'link'));
    symlinkSync('/', join(at, 'root'));
    symlinkSync('../..', join(at, 'real/up'));
    symlinkSync('nowhere', join(at, 'dangling'));
    return at;
  }

  test('links that stay inside are followed', async () => {
    const at = volume();
    const { handle, path } = await openInside(at, 'link/deep');
    await handle.close();
    assert.equal(path, join(at, 'real/deep'));
    assert.equal(await readInside(at, 'link/file', 100), 'inside');
  });

  for (const path of ['root', 'root/etc', 'real/up', 'link/up']) {
    test(`${path} leads out and is refused`, async () => {
      await assert.rejects(openInside(volume(), path), OutsideError);
    });
  }

  test('a directory that was swapped for a link after it was resolved is not entered', async () => {
    const at = volume();
    const opening = openInside(at, 'real/deep').then(
      async ({ handle }) => {
        const name = readlinkSync(`/proc/self/fd/${handle.fd}`);
        await handle.close();
        return name;
      },
      (error: unknown) => error,
    );
    rmSync(join(at, 'real'), { recursive: true });
    symlinkSync('/etc', join(at, 'real'));
    const found = await opening;
    if (typeof found === 'string') assert.ok(found.startsWith(at), found);
    else assert.ok(found instanceof Error);
  });

  test('missing directories are made with the mode that is asked for', async () => {
    const at = volume();
    chmodSync(at, 0o2775);
    await makeInside(at, 'link/new/er', 0o2775);
    assert.equal(modeOf(join(at, 'real/new')), 0o2775);
    assert.equal(modeOf(join(at, 'real/new/er')), 0o2775);
    await makeInside(at, 'link/new/er', 0o2775);
  });

  test('nothing is made outside, and nothing behind a link that leads nowhere', async () => {
    const at = volume();
    await assert.rejects(makeInside(at, 'root/tmp/fl-must-not-be', 0o755), OutsideError);
    await assert.rejects(makeInside(at, 'dangling/x', 0o755), OutsideError);
    assert.equal(existsSync('/tmp/fl-must-not-be'), false);
    assert.equal(existsSync(join(at, 'nowhere')), false);
  });

  test('only a regular file of bearable length is read', async () => {
    const at = volume();
    await assert.rejects(readInside(at, 'real/deep', 100), OutsideError);
    await assert.rejects(readInside(at, 'real/file', 3), OutsideError);
    await assert.rejects(readInside(at, 'none', 100), { code: 'ENOENT' });
  });
});

describe('row 137: fsGroup', () => {
  test('group, g+rwX and setgid all the way down; links keep their targets', async () => {
    const at = place();
    mkdirSync(join(at, 'd'), { mode: 0o700 });
    writeFileSync(join(at, 'd/f'), '', { mode: 0o600 });
    writeFileSync(join(at, 'd/run'), '', { mode: 0o500 });
    symlinkSync('/etc/hostname', join(at, 'link'));
    const outside = lstatSync('/etc/hostname').gid;
    await giveToGroup(at, { fsGroup: 2345, isReadOnly: false });
    assert.equal(statSync(join(at, 'd/f')).gid, 2345);
    assert.equal(modeOf(join(at, 'd')), 0o2770);
    assert.equal(modeOf(join(at, 'd/f')), 0o660);
    assert.equal(modeOf(join(at, 'd/run')), 0o760);
    assert.equal(lstatSync(join(at, 'link')).gid, 2345);
    assert.equal(lstatSync('/etc/hostname').gid, outside);
  });

  test('what can only be read is given for reading', async () => {
    const at = place();
    writeFileSync(join(at, 'f'), '', { mode: 0o400 });
    await giveToGroup(at, { fsGroup: 2345, isReadOnly: true });
    assert.equal(modeOf(join(at, 'f')), 0o440);
  });
});

test('mountinfo: escaped blanks, shared mounts, types', () => {
  const text = [
    '36 35 98:0 /m /a\\040b rw,noatime master:1 shared:7 - ext3 /dev/root rw',
    '37 36 0:5 / /c rw - tmpfs tmpfs rw',
    '',
  ].join('\n');
  assert.deepEqual(parseMountInfo(text), [
    { path: '/a b', type: 'ext3', isShared: true },
    { path: '/c', type: 'tmpfs', isShared: false },
  ]);
});
