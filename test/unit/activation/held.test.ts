/** Bundles that somebody holds at the device, on a real journal and real files: what stays, what waits, and who lets go. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { heldHereText } from '../../../agent/held-here.js';
import { activateNow, hold, release } from '../../../agent/site.js';
import { made } from '../../support/activation-world.js';
import { it, night, running, windowsWorld } from './windows-world.js';

windowsWorld();

describe('held at the device', () => {
  const root = { by: 'root', reason: 'stocktaking' };
  const shop = { namespace: 'default', name: 'shop' };
  const condition = () =>
    it.windows
      .conditions()
      .map(({ type, message }) => `${type}: ${message.replace(/since \S+ /, '')}`);

  test('what runs stays, what comes is staged and waits, over restarts, until it is released', () => {
    running();
    it.journal.site().hold(shop, root);
    it.assign(made('shop', 2), made('till', 1));
    const { state, reason, message, failed } = it.status('shop');
    assert.deepEqual([state, reason, failed], ['waiting', 'Held', null]);
    assert.match(message, /^held at the device since 2026-\S+ by root \(stocktaking\)$/);
    assert.deepEqual(condition(), [
      'BundlesHeld: bundle default/shop: held at the device by root (stocktaking)',
    ]);
    it.restart();
    assert.deepEqual(it.images(), ['shop:1', 'till:1']);
    it.journal.site().release(shop, root);
    it.pass();
    assert.deepEqual([it.images(), condition()], [['shop:2', 'till:1'], []]);
  });

  test('it is said of what waits who holds it now, and not who did', () => {
    running();
    const says = () => it.status('shop').message.replace(/since \S+ /, '');
    it.journal.site().hold(shop, root);
    it.assign(made('shop', 2), made('till', 1));
    it.journal.site().hold(shop, { by: 'mo', reason: 'audit' });
    it.pass();
    assert.equal(says(), 'held at the device by mo (audit)');
    it.journal.site().hold({ node: 'edge-1' }, { by: 'al', reason: '' });
    it.journal.site().release(shop, root);
    it.pass();
    assert.equal(says(), 'held at the device by al');
    const { head } = it.journal.history();
    it.pass();
    assert.equal(it.journal.history().head, head);
  });

  test('the whole node: bundles to come as well', () => {
    it.journal.site().hold({ node: 'edge-1' }, root);
    it.assign(made('shop', 1), made('till', 1));
    assert.deepEqual(it.images(), []);
    assert.deepEqual(condition(), [
      'BundlesHeld: all bundles: held at the device by root (stocktaking)',
    ]);
    it.journal.site().release({ node: 'edge-1' }, root);
    it.pass();
    assert.deepEqual(it.images(), ['shop:1', 'till:1']);
    const events = it.journal
      .events(0, 9)
      .map(e => `${e.involved.kind}/${e.involved.name} ${e.reason}`);
    assert.deepEqual(events, ['Node/edge-1 HeldAtDevice', 'Node/edge-1 ReleasedAtDevice']);
  });

  test('what is no longer assigned stays too, and goes when it is released', () => {
    running();
    it.journal.site().hold(shop, root);
    it.assign();
    assert.deepEqual(it.images(), ['shop:1']);
    it.journal.site().release({ node: 'edge-1' }, root);
    it.pass();
    assert.deepEqual(it.images(), []);
  });

  test('the hub does not override it', () => {
    running();
    it.journal.site().hold(shop, root);
    it.assign({ made: night(2), now: { by: 'admin', reason: '' } });
    assert.equal(it.state('shop'), 'waiting Held');
  });

  test('a trial that is under way ends as ever', () => {
    running();
    it.fates.set('shop:2', 'crash');
    it.assign(made('shop', 2));
    it.journal.site().hold(shop, root);
    it.wait(600);
    assert.equal(it.state('shop'), 'rolledBack ProgressDeadlineExceeded');
    assert.deepEqual(it.images(), ['shop:1']);
  });

  const refused: readonly [string, () => unknown, RegExp][] = [
    [
      'activate of a held bundle',
      () => activateNow(it.journal, wish('shop'), { isLocked: () => false }),
      /is held by root/,
    ],
    ['release of what is not held', () => release(it.journal, wish('till')), /till is not held$/],
    [
      'of a bundle that is not there',
      () => hold(it.journal, wish('x')),
      /there are: default\/shop/,
    ],
    ['without a name for who', () => hold(it.journal, { ...wish('shop'), by: '' }), /^by: who/],
    [
      'with a reason of two lines',
      () => hold(it.journal, { ...wish('shop'), reason: 'a\nb' }),
      /^reason: a line/,
    ],
  ];
  const wish = (bundle: string | null) => ({ bundle, by: 'root', reason: '', node: 'edge-1' });
  for (const [sentence, ask, message] of refused) {
    test(`refused: ${sentence}`, () => {
      running();
      it.assign(made('shop', 1), made('till', 1));
      it.journal.site().hold(shop, root);
      it.assign(made('shop', 2), made('till', 1));
      assert.throws(ask, { message });
    });
  }

  const heldText = () => hold(it.journal, wish('shop')).bundles.map(heldHereText);

  test('says what stays, and what waits', () => {
    running();
    assert.deepEqual(heldText(), ['it stays at revision 1']);
    it.assign(made('shop', 2));
    assert.deepEqual(heldText(), ['it stays at revision 1; revision 2 waits']);
  });

  test('says that nothing lies there where a first revision waits', () => {
    it.assign(night(1));
    assert.deepEqual(heldText(), ['nothing of it lies here; revision 1 waits']);
  });

  test('says nothing waits where the next one was given up', () => {
    running();
    it.fates.set('shop:2', 'crash');
    it.assign(made('shop', 2));
    it.wait(600);
    assert.deepEqual(heldText(), ['it stays at revision 1']);
  });

  test('release of one while all are held says what to do', () => {
    running();
    hold(it.journal, wish(null));
    assert.throws(() => release(it.journal, wish('shop')), {
      message: 'all bundles are held, not this one alone: flotilla-agent release',
    });
    assert.equal(release(it.journal, wish(null)).released.length, 1);
    assert.deepEqual(release(it.journal, wish(null)).released, []);
  });
});
