/** Which revisions keep their content, to what a bundle can go back, and the floor that a healthy one sets. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Journal } from '../../../agent/journal/journal.js';
import { accept, bundleOf, EVENT, JournalWorld, step, store } from '../../support/journal-world.js';

let world: JournalWorld;
beforeEach(() => (world = new JournalWorld()));
afterEach(() => world.close());
const start = () => world.start();

describe('content', () => {
  const SHOP = { namespace: 'default', name: 'shop' };

  /** Accepted, activated, and healthy for those that are listed. */
  function run(journal: Journal, revisions: number[], healthy: number[]): string[] {
    const digests: string[] = [];
    for (const revision of revisions) {
      const digest = store(journal, revision);
      digests[revision] = digest;
      accept(journal, 10 + revision, [revision]);
      journal.activate(step(revision, digest, 'activating'), []);
      if (healthy.includes(revision)) journal.recordTransition(step(revision, digest, 'healthy'));
    }
    return digests;
  }

  test('what is assigned, active or of the last two healthy is kept; of the rest the digest', () => {
    const journal = start();
    accept(journal, 7, [1]);
    const digests = run(journal, [1, 2, 3, 4], [1, 2, 3]);
    const kept = (revision: number) => ({
      document: journal.content.bundleDocument(digests[revision] ?? '')?.revision ?? null,
      blob: journal.content.hasBlob(bundleOf(revision).manifests[0]?.digest ?? ''),
    });
    assert.deepEqual(kept(1), { document: null, blob: false });
    for (const revision of [2, 3, 4])
      assert.deepEqual(kept(revision), { document: revision, blob: true });
    assert.equal(journal.content.knownDigest(SHOP, 1), digests[1]);
  });

  test('what stands of bundles is read anew after each write, gathered or durable, and after one that failed', () => {
    const journal = start();
    const states = () => journal.bundles().map(({ state }) => state);
    assert.deepEqual(states(), []);
    const [, digest = ''] = run(journal, [1], []);
    assert.deepEqual(states(), ['activating']);
    assert.equal(journal.bundles(), journal.bundles());
    for (const state of ['waiting', 'failed', 'staged', 'healthy'] as const) {
      journal.recordTransition(step(1, digest, state));
      assert.deepEqual(states(), [state]);
    }
    journal.settle();
    assert.deepEqual(states(), ['healthy']);
  });

  describe('the previous healthy revision', () => {
    const previous = (journal: Journal) => journal.trials().previousHealthy(SHOP)?.revision ?? null;

    test('of one that is healthy is the one that was healthy before it, kept over restarts', () => {
      const journal = start();
      accept(journal, 7, [1]);
      run(journal, [1], [1]);
      assert.equal(previous(journal), null);
      const digests = run(journal, [2, 3], [2, 3]);
      assert.equal(previous(journal), 2);
      // What is accepted next changes nothing of what can be gone back to.
      accept(journal, 30, [4]);
      world.stop(journal);
      const again = start();
      assert.equal(previous(again), 2);
      assert.equal(again.content.bundleDocument(digests[2] ?? '')?.revision, 2);
      assert.equal(again.content.hasBlob(bundleOf(2).manifests[0]?.digest ?? ''), true);
    });

    test('of one on trial is the one that is healthy', () => {
      const journal = start();
      accept(journal, 7, [1]);
      run(journal, [1, 2, 3], [1, 2]);
      assert.equal(previous(journal), 2);
    });

    test('is none that was given up, and the same revision healthy again moves nothing', () => {
      const journal = start();
      accept(journal, 7, [1]);
      const digests = run(journal, [1, 2, 3], [1, 2, 3]);
      journal.recordTransition(step(3, digests[3] ?? '', 'healthy'));
      assert.equal(previous(journal), 2);
      const failed = { ...step(3, digests[3] ?? '', 'failed'), lastWords: null };
      journal.trials().giveUp(failed, EVENT);
      const target = { digest: digests[2] ?? '', files: [], by: null };
      journal.trials().rollBack(step(3, digests[3] ?? '', 'rolledBack'), target, EVENT);
      // Before it is proven anew, and after: the one that was given up is nothing to go back to.
      assert.equal(previous(journal), null);
      journal.trials().prove(step(2, digests[2] ?? '', 'healthy'), EVENT, null);
      assert.equal(previous(journal), null);
      assert.equal(journal.bundles()[0]?.healthy, digests[2]);
      assert.equal(journal.bundles()[0]?.restartS, undefined);
      journal.trials().prove(step(2, digests[2] ?? '', 'healthy'), EVENT, 4);
      journal.trials().prove(step(2, digests[2] ?? '', 'healthy'), EVENT, null);
      assert.equal(journal.bundles()[0]?.restartS, 4, 'what was measured last');
    });

    test('goes with the bundle', () => {
      const journal = start();
      accept(journal, 7, [1]);
      const digests = run(journal, [1, 2], [1, 2]);
      journal.recordTransition(step(2, digests[2] ?? '', 'removed'));
      assert.equal(previous(journal), null);
      accept(journal, 30, []);
      assert.equal(journal.content.bundleDocument(digests[1] ?? ''), null);
    });
  });

  test('a healthy revision sets the rollback floor, for ever', () => {
    const journal = start();
    const name = { namespace: 'default', name: 'shop' };
    const digest = store(journal, 5);
    journal.activate(step(5, digest, 'activating'), []);
    assert.equal(journal.content.rollbackFloor(name), 0);
    journal.recordTransition(step(5, digest, 'healthy'));
    journal.recordTransition(step(5, digest, 'removed'));
    assert.equal(journal.content.rollbackFloor(name), 5);
  });
});
