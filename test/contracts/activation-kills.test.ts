/**
 * A node that dies at any point of a passage runs the old revision or the new one, never half of each, and goes on from there to
 * the same end: nothing is tried twice, no event is lost or told twice.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  beginning,
  CHAPTERS,
  ENDING,
  openStory,
  tell,
  type Chapter,
} from '../support/activation-story.js';

const CHILD = fileURLToPath(new URL('../support/activation-child.js', import.meta.url));
const POINTS_MAX = 60;

const EVENTS: Readonly<Record<Chapter, readonly string[]>> = {
  bad: ['BundleHealthy 1', 'BundleFailed 2', 'BundleRolledBack 2'],
  better: ['BundleHealthy 1', 'BundleFailed 2', 'BundleRolledBack 2', 'BundleHealthy 3'],
  gone: ['BundleHealthy 1', 'BundleFailed 2', 'BundleRolledBack 2', 'BundleHealthy 3'],
};

describe('kill -9 before each commit, rename and removal', () => {
  /** Where each chapter begins. */
  const folders = new Map<Chapter, string>();
  const scratch = mkdtempSync(join(tmpdir(), 'flotilla-kills-'));

  before(() => {
    let from = beginning();
    for (const chapter of CHAPTERS) {
      folders.set(chapter, from);
      const next = join(scratch, chapter);
      cpSync(from, next, { recursive: true });
      const world = openStory(next);
      tell(world, chapter);
      world.leave();
      from = next;
    }
  });
  after(() => {
    rmSync(folders.get('bad') ?? '', { recursive: true });
    rmSync(scratch, { recursive: true });
  });

  for (const chapter of CHAPTERS) {
    test(`the chapter "${chapter}" has one end, wherever it is interrupted`, () => {
      let points = 0;
      for (let isOver = false; !isOver && points < POINTS_MAX; points++) {
        const dataDir = join(scratch, `${chapter}-${points}`);
        cpSync(folders.get(chapter) ?? '', dataDir, { recursive: true });
        const args = [CHILD, dataDir, String(points), chapter];
        const { signal, status, stderr } = spawnSync(process.execPath, args);
        assert.ok(signal === 'SIGKILL' || status === 0, stderr.toString());
        isOver = status === 0;
        const world = openStory(dataDir);
        const at = `before point ${points}`;
        assert.deepEqual(world.journal.conditions(), [], at);
        const images = world.images();
        assert.equal(new Set(images).size <= 1, true, `${at}: half of each: ${images.join()}`);
        tell(world, chapter);
        assert.deepEqual(world.images(), ENDING[chapter], at);
        const events = world.journal
          .events(0, 100)
          .map(({ reason, message }) => `${reason} ${/^revision (\d+)/.exec(message)?.[1] ?? ''}`);
        assert.deepEqual(events, EVENTS[chapter], at);
        world.leave();
        rmSync(dataDir, { recursive: true });
      }
      assert.ok(points > 5 && points < POINTS_MAX, `${points} points`);
    });
  }
});
