/** The watch on the agent's own files where a kubelet reads the directory, on a real one. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { SETTLED_MS, watchOwnedFiles } from '../../../agent/sources/owned-watch.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { eventually } from '../../support/wait.js';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const OWN = 'flotilla_shop_0123456789abcdef.json';

/** A directory with a file of the agent's own that it puts back whenever it is told. */
function bench(everyMs = 60_000) {
  const root = mkdtempSync(join(tmpdir(), 'flotilla-owned-'));
  cleanups.push(() => rmSync(root, { recursive: true, force: true }));
  const dir = join(root, 'manifests');
  mkdirSync(dir);
  const put = () => {
    writeFileSync(join(dir, `.${OWN}`), 'ours');
    renameSync(join(dir, `.${OWN}`), join(dir, OWN));
  };
  put();
  let doubts = 0;
  const open = (onDoubt: () => void = () => undefined) => {
    const watching = watchOwnedFiles({
      path: dir,
      clock: REAL_CLOCK,
      everyMs,
      uid: process.getuid?.() ?? 0,
      onDoubt: () => {
        doubts += 1;
        onDoubt();
      },
    });
    cleanups.push(() => watching.stop());
  };
  return { dir, put, open, doubts: () => doubts };
}

describe('row 23 better, the agent’s own files beside a kubelet', () => {
  test('one that is removed, edited or replaced is told', async () => {
    const { dir, put, open, doubts } = bench();
    open();
    const ways = [
      () => rmSync(join(dir, OWN)),
      put,
      () => writeFileSync(join(dir, OWN), 'evil'),
      () => renameSync(join(dir, OWN), join(dir, 'elsewhere')),
    ];
    for (const way of ways) {
      const before = doubts();
      way();
      await eventually('told', () => doubts() > before);
    }
  });

  test('what a person does beside them is not, nor an unfinished file of the agent', async () => {
    const { dir, open, doubts } = bench();
    open();
    writeFileSync(join(dir, 'web.yaml'), 'a');
    writeFileSync(join(dir, `.${OWN}`), 'half');
    rmSync(join(dir, `.${OWN}`));
    rmSync(join(dir, 'web.yaml'));
    await REAL_CLOCK.sleep(2 * SETTLED_MS);
    assert.equal(doubts(), 0);
  });

  test('a directory that others may write to is told, and that it is safe again', async () => {
    const { dir, open, doubts } = bench(50);
    open();
    await REAL_CLOCK.sleep(100);
    for (const mode of [0o777, 0o755]) {
      const before = doubts();
      chmodSync(join(dir, '..'), mode);
      await eventually('told', () => doubts() > before);
    }
  });

  test('putting back what was removed is told once more and then no more', async () => {
    const { dir, put, open, doubts } = bench();
    open(() => {
      if (doubts() === 1) put();
    });
    rmSync(join(dir, OWN));
    await eventually('its own writing', () => doubts() === 2);
    await REAL_CLOCK.sleep(2 * SETTLED_MS);
    assert.equal(doubts(), 2);
  });

  test('a directory that is replaced is told, and the new one is watched', async () => {
    const { dir, put, open, doubts } = bench();
    open();
    rmSync(dir, { recursive: true });
    await eventually('it is gone', () => doubts() > 0);
    const gone = doubts();
    mkdirSync(dir);
    await eventually('another stands there', () => doubts() > gone);
    await REAL_CLOCK.sleep(2 * SETTLED_MS);
    const settled = doubts();
    put();
    await eventually('heard in the new one', () => doubts() > settled);
  });
});
