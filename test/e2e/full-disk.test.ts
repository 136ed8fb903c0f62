/** An agent whose data lie on a disk of their own that is full: what runs goes on, and a start is possible all the same. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import Database from 'better-sqlite3';
import { PIECES } from '../../agent/journal/reserve.js';
import type { SourceCondition } from '../../agent/ports.js';
import { AGENT, BlackBox, container, NODE, pod } from '../support/black-box.js';
import { docker, noEngine, runningOf } from '../support/docker.js';
import { askAgent } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const disk = mkdtempSync(join(tmpdir(), 'fl-full-'));
const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk]).status === 0;
const why = noEngine() || (isMounted ? false : 'needs the right to mount');

describe('on a full disk', { skip: why }, () => {
  let box: BlackBox;
  const ids = () => runningOf(box.dir).split('\n');
  const reserve = () => readdirSync(box.dir).filter(name => name.startsWith('journal.reserve-'));

  const writeUntilFull = (file: number, size: number) => {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  };
  /** To the last byte. */
  const fill = () => {
    const file = openSync(join(disk, 'filler'), 'a');
    try {
      // The last byte is smaller than a page.
      for (const size of [64 * 1024, 64]) writeUntilFull(file, size);
    } finally {
      closeSync(file);
    }
  };

  /** Killed, and no room left, in its log neither: whoever closes the file last takes the log away. */
  const killAndFill = async () => {
    await box.stop('SIGKILL');
    rmSync(join(disk, 'filler'), { force: true });
    const journal = new Database(join(box.dir, 'journal.db'));
    journal.pragma('wal_checkpoint(TRUNCATE)');
    journal.close();
    assert.equal(existsSync(join(box.dir, 'journal.db-wal')), false);
    fill();
  };

  before(async () => {
    const usual = process.env['TMPDIR'];
    process.env['TMPDIR'] = disk;
    box = new BlackBox();
    if (usual === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = usual;
    box.put('a.json', pod('a', [container('app')]));
    await box.start();
    await eventually('the pod runs', () => ids().length === 2);
  });
  after(async () => {
    rmSync(join(disk, 'filler'), { force: true });
    await box.close();
    spawnSync('umount', ['--lazy', disk]);
    rmdirSync(disk);
  });

  test('a disk that fills while nobody writes is noticed, and so is its end', async () => {
    const said = async () => {
      const status = await askAgent(join(box.dir, 'agent.sock'), '/status');
      const { conditions } = JSON.parse(status) as { conditions: SourceCondition[] };
      return conditions.find(({ type }) => type === 'DiskPressure')?.message ?? null;
    };
    assert.equal(await said(), null);
    // Short of the last MiB: what the agent writes still finds room.
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize - 1024 * 1024));
    const minute = { withinMs: 90_000, everyMs: 500 };
    const message = await eventually('it is said', said, minute);
    assert.match(
      message,
      /^the journal and the files of pods \(.*less than 1\.3 MiB of 64\.0 MiB is left$/,
    );
    rmSync(join(disk, 'filler'));
    await eventually('it is over', async () => (await said()) === null, minute);
  });

  test('the agent starts again and again, and touches nothing that runs', async () => {
    assert.equal(reserve().length, PIECES);
    const running = ids();
    for (let start = 1; start <= PIECES; start++) {
      await killAndFill();
      await box.start();
      assert.equal(reserve().length, PIECES - start);
    }
    assert.deepEqual(ids(), running);
  });

  test('what dies is started again', async () => {
    fill();
    const running = () => runningOf(box.dir, { container: 'app' });
    const app = running();
    docker('kill', app);
    await eventually('another one runs', () => {
      const now = running();
      return now !== '' && now !== app;
    });
  });

  test('without a reserve it says what to do, and pods go on', async () => {
    const running = ids();
    await killAndFill();
    const args = [AGENT, 'run', '--data-dir', box.dir, '--node-name', NODE];
    const options = { encoding: 'utf8', timeout: 60_000 } as const;
    const { status, stderr } = spawnSync(process.execPath, args, options);
    assert.notEqual(status, 0);
    const what = /journal cannot be opened: the disk is full: free some space and start again/;
    assert.match(stderr, what);
    assert.deepEqual(ids(), running);
  });

  test('with space again it is as before', async () => {
    const running = ids();
    rmSync(join(disk, 'filler'));
    await box.stop();
    await box.start();
    assert.equal(reserve().length, PIECES);
    assert.deepEqual(ids(), running);
  });
});
