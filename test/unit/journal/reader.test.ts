/** A journal that a person reads beside the running agent: its chain, and why it cannot be read. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { JournalError } from '../../../agent/journal/journal.js';
import { readJournal } from '../../../agent/journal/reader.js';
import { trustedRoot } from '../../support/fleet.js';
import { accept, JournalWorld } from '../../support/journal-world.js';

let world: JournalWorld;
beforeEach(() => (world = new JournalWorld()));
afterEach(() => world.close());
const start = () => world.start();

test('the history is a chain of hashes that a reader sees beside the running agent', () => {
  const journal = start();
  journal.acceptRoot(trustedRoot());
  accept(journal, 7);
  const view = readJournal(world.dataDir);
  assert.deepEqual(
    view.history.map(({ entry }) => entry.kind),
    ['journal', 'root', 'assignment'],
  );
  assert.equal(view.history[2]?.hash, journal.history().head);
  assert.equal(view.journal, journal.id);
});

describe('a journal that somebody reads', () => {
  const read = () => {
    try {
      readJournal(world.dataDir);
      return '';
    } catch (error) {
      assert.ok(error instanceof JournalError);
      return error.message.replaceAll(world.dataDir, 'DIR');
    }
  };

  test('where there is none: that, and what to say', () => {
    assert.equal(
      read(),
      'DIR/journal.db: there is no journal: say where the agent of this node keeps its data (--data-dir)',
    );
  });

  const isRoot = process.geteuid?.() === 0;
  test('as another user: whose it is, and as whom to read it', { skip: !isRoot }, () => {
    start();
    assert.equal(read(), '');
    const NOBODY = 65_534;
    for (const [owner, mode, words] of [
      [0, 0o700, 'DIR belongs to root: run this command as root'],
      [
        1234,
        0o755,
        'DIR/journal.db belongs to the user with id 1234: run this command as root or the user with id 1234, who runs the agent',
      ],
    ] as const) {
      chownSync(world.dataDir, owner, owner);
      chownSync(world.file, owner, owner);
      chmodSync(world.dataDir, mode);
      process.seteuid?.(NOBODY);
      try {
        assert.equal(
          read(),
          `DIR/journal.db: the user with id ${NOBODY} may not read the journal; ${words}`,
        );
      } finally {
        process.seteuid?.(0);
      }
    }
  });
});
