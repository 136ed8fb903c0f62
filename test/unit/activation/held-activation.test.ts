/** Who stands at the device, or at the hub, and wants a held bundle to go on is told who holds it. On real files and a real journal. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { activateNow } from '../../../agent/site.js';
import { undo } from '../../../agent/site-undo.js';
import { historyLines } from '../../../agent/cli/journal.js';
import { readJournal } from '../../../agent/journal/reader.js';
import { activatedLines } from '../../../hub/cli/rollout.js';
import { ActivationWorld, made } from '../../support/activation-world.js';

let it: ActivationWorld;
beforeEach(() => (it = new ActivationWorld()));
afterEach(() => it.close());

const mo = { by: 'mo', reason: 'stocktaking' };
const shut = { schedule: '0 3 * * *', duration: '1h', timeZone: 'UTC' };
const night = (name: string, revision: number) =>
  made(name, revision, { strategy: { maintenanceWindows: [shut] } });

function activated(bundle: string | null) {
  const wish = { bundle, by: 'ada', reason: '' };
  return activateNow(it.journal, wish, { isLocked: () => false });
}

describe('activate --now at the device', () => {
  beforeEach(() => {
    it.assign(made('shop', 1), made('till', 1));
    it.wait(11);
    it.journal.site().hold({ namespace: 'default', name: 'shop' }, mo);
  });

  test('without a name, where all that waits is held: is refused, with who holds it and what to do', () => {
    it.assign(night('shop', 2), made('till', 1));
    assert.equal(it.state('shop'), 'waiting Held');
    const message =
      'bundle default/shop is held by mo (stocktaking): flotilla-agent release default/shop';
    assert.throws(() => activated(null), { message, code: 409 });
    assert.deepEqual(it.journal.site().overrides(), []);
  });

  test('without a name, where others wait for their window: lets those go on and names the one that is held', () => {
    it.assign(night('shop', 2), night('till', 2));
    const { bundles, held } = activated(null);
    assert.deepEqual(
      bundles.map(({ name }) => name),
      ['till'],
    );
    assert.deepEqual(held, [
      'bundle default/shop is held by mo (stocktaking): flotilla-agent release default/shop',
    ]);
    assert.deepEqual(
      it.journal
        .site()
        .overrides()
        .map(({ name }) => name),
      ['till'],
    );
  });

  test('where nothing waits: a hold is no news', () => {
    assert.deepEqual(activated(null), { bundles: [], held: [] });
  });
});

describe('rollout activate --now at the hub', () => {
  const held = [{ node: 'edge-2', message: 'held at the device since 2026-06-01T00:00:00Z by mo' }];
  const rows: readonly [string, Parameters<typeof activatedLines>[1], readonly string[]][] = [
    [
      'says where it is held apart from where it goes on',
      { nodes: ['edge-1', 'edge-2'], held },
      [
        'bundle/shop waits for windows and locks no longer on edge-1',
        'edge-2 keeps what runs: held at the device since 2026-06-01T00:00:00Z by mo; --now counts once it is released there',
      ],
    ],
    [
      'says so a second time, when nobody is told anew',
      { nodes: [], held },
      [
        'edge-2 keeps what runs: held at the device since 2026-06-01T00:00:00Z by mo; --now counts once it is released there',
      ],
    ],
    ['says that it waits nowhere', { nodes: [], held: [] }, ['bundle/shop: it waits nowhere']],
  ];
  for (const [sentence, answer, lines] of rows) {
    test(sentence, () => assert.deepEqual(activatedLines('shop', answer), lines));
  }
});

describe('one undo', () => {
  test('is undone once in the journal that people read: before, it is going back', () => {
    for (const revision of [1, 2]) {
      it.assign(made('shop', revision));
      it.wait(11);
    }
    const wish = { bundle: 'shop', ...mo, isTrial: false, from: null };
    undo(it.journal, wish, { wayBack: record => it.stage.wayBack(record, it.root) });
    it.pass();
    const rows = historyLines(readJournal(it.dataDir)).slice(-3);
    const states = rows.map(row => /revision 2 +(going back|undone) |shop +(undo) /.exec(row));
    assert.deepEqual(
      states.map(found => found?.[1] ?? found?.[2]),
      ['undo', 'going back', 'undone'],
      rows.join('\n'),
    );
  });
});
