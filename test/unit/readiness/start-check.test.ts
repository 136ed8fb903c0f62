/** What the agent would find in its data directory if it had to start now: a real journal, a real disk that is full. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Journal } from '../../../agent/journal/journal.js';
import { openJournal } from '../../../agent/journal/open.js';
import { StartCheck } from '../../../agent/journal/start-check.js';
import { ActivationWorld } from '../../support/activation-world.js';

let it: ActivationWorld;
const open: Journal[] = [];

beforeEach(() => {
  it = new ActivationWorld();
});
afterEach(() => it.close());

/** A journal of its own there, and what a start would find. */
function world(dataDir: string): StartCheck {
  const clock = { now: () => 0, monotonic: () => 0, sleep: async () => undefined };
  const journal = openJournal({ dataDir, clock, randomId: () => '1'.repeat(32) });
  open.push(journal);
  return new StartCheck({ dataDir, clock, rewriteTwin: () => journal.rewriteTwin() });
}

/** Until nothing more fits. */
function fill(file: string): void {
  const fd = openSync(file, 'w');
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096));
  } catch {
    closeSync(fd);
  }
}

describe('the journal beside the running agent', () => {
  const check = () =>
    new StartCheck({
      dataDir: it.dataDir,
      clock: { monotonic: () => 0 },
      rewriteTwin: () => it.journal.rewriteTwin(),
    });
  const reasons = (of: StartCheck) =>
    of.faults().map(({ reason, message }) => `${reason}: ${message}`);

  test('is whole', () => assert.deepEqual(reasons(check()), []));

  test('that went, or gave way to another file, is damaged', () => {
    const of = check();
    rmSync(join(it.dataDir, 'journal.db'));
    assert.match(
      reasons(of).join(),
      /^JournalDamaged: .*journal\.db is gone; what is recorded now is lost: restart the agent/,
    );
    writeFileSync(join(it.dataDir, 'journal.db'), '');
    assert.match(
      reasons(of).join(),
      /^JournalDamaged: .*not the file that the agent opened; what is recorded now is lost/,
    );
  });

  test('a full disk with nothing held back has no room for a start', t => {
    const disk = join(it.dataDir, 'disk');
    mkdirSync(disk);
    const mount = ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk];
    if (spawnSync('mount', mount).status !== 0) return t.skip('no mount here');
    try {
      const of = world(disk);
      assert.deepEqual(reasons(of), []);
      writeFileSync(join(disk, 'journal.reserve-0'), Buffer.alloc(512 * 1024));
      fill(join(disk, 'full'));
      assert.deepEqual(reasons(of), [], 'a piece is held back');
      rmSync(join(disk, 'journal.reserve-0'));
      fill(join(disk, 'more'));
      assert.match(
        reasons(of).join(),
        /^NoSpace: the disk of .* is full, and nothing is held back/,
      );
    } finally {
      for (const journal of open.splice(0)) journal.close();
      spawnSync('umount', ['--lazy', disk]);
    }
  });

  test('a twin that does not read back is written anew', () => {
    writeFileSync(join(it.dataDir, 'journal.floors.json'), 'x');
    assert.deepEqual(reasons(check()), []);
  });
});
