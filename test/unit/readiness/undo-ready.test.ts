/** Whether a node says truly that it could go back: one thing is taken away at a time. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { made } from '../../support/activation-world.js';
import { rootDocument } from '../../support/fleet.js';
import {
  again,
  alone,
  healthy,
  images,
  inJournal,
  it,
  readiness,
  readinessWorld,
  SHOP,
  undo,
} from './world.js';

readinessWorld();

describe('undo-ready', () => {
  test('where nothing older was healthy there is nothing to go back to', async () => {
    healthy(made('shop', 1));
    assert.equal(await undo(), 'True NothingToUndo: no bundle has an older healthy revision here');
    assert.equal(readiness.undoFault(SHOP, 'another'), null);
  });

  describe('after a lost journal', () => {
    const lose = (alsoInTwin: (kept: Record<string, unknown>) => void = () => undefined) => {
      healthy(made('shop', 1));
      healthy(made('shop', 2));
      readiness.close();
      it.journal.close();
      for (const name of readdirSync(it.dataDir).filter(one => /^journal\.db/.test(one)))
        rmSync(join(it.dataDir, name));
      const file = join(it.dataDir, 'journal.floors.json');
      const twin = JSON.parse(readFileSync(file, 'utf8')) as { kept: Record<string, unknown> };
      alsoInTwin(twin.kept);
      writeFileSync(file, JSON.stringify(twin));
      it.restart();
      again();
    };

    test('there is no way back until what was healthy before came again, and that is said', async () => {
      lose();
      assert.equal(
        await undo(),
        'False ContentMissing: bundle default/shop: the signed document of revision 1 is not kept here; the hub is asked for it',
      );
      it.store(made('shop', 1));
      assert.equal(await undo(), 'True Complete: bundle default/shop to revision 1');
    });

    test('with a twin that knew nothing of it, it is said why there is nothing', async () => {
      lose(kept => delete kept['healthy']);
      assert.match(
        await undo(),
        /^True NothingToUndo: no bundle has an older healthy revision here: the journal was lost and began anew at \d{4}-\S+Z, and what was/,
      );
    });
  });

  test('the previous healthy revision is whole', async () => {
    healthy(made('shop', 1));
    healthy(made('shop', 2));
    assert.equal(await undo(), 'True Complete: bundle default/shop to revision 1');
  });

  const rows: readonly [string, () => void, RegExp][] = [
    [
      'its image went',
      () => images.delete('shop:1'),
      /^False ImageMissing: pod default\/shop, image "shop:1"/,
    ],
    [
      'its manifest went',
      () =>
        inJournal(
          `DELETE FROM blobs WHERE digest = '${made('shop', 1).document.manifests[0]?.digest}'`,
        ),
      /^False ContentMissing: bundle default\/shop revision 1: /,
    ],
    [
      'the root denies it',
      () => (it.root = rootDocument({ floors: { 'default/shop': 2 } })),
      /^False Rollback: bundle default\/shop: revision 1 is below the root's floor$/,
    ],
  ];
  for (const [sentence, happens, expected] of rows) {
    test(`${sentence}: it says so, and the node can start all the same`, async () => {
      healthy(made('shop', 1));
      healthy(made('shop', 2));
      happens();
      assert.match(await undo(), expected);
      assert.match(await alone(), /^True /);
    });
  }

  test('before a switch it is about what would be gone back to from there', async () => {
    healthy(made('shop', 1));
    await readiness.look();
    assert.equal(readiness.undoFault(SHOP, 'next'), null);
    images.delete('shop:1');
    await readiness.look();
    assert.equal(readiness.undoFault(SHOP, 'next')?.reason, 'ImageMissing');
  });

  test('what was given up is not gone back to', async () => {
    healthy(made('shop', 1));
    it.fates.set('shop:2', 'failed');
    it.assign(made('shop', 2));
    it.pass();
    assert.deepEqual(it.images(), ['shop:1']);
    assert.match(await undo(), /^True NothingToUndo/);
  });
});
