/**
 * The journal is lost, damaged or put back, and what a person at the device said that keeps something from happening holds all the same;
 * where nobody can know it any more, everybody is told. Real journal, twin and directory.
 */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { hold, release } from '../../../agent/site.js';
import { redo, undo } from '../../../agent/site-undo.js';
import { readJournal } from '../../../agent/journal/reader.js';
import { assigned } from '../../support/fleet.js';
import { ActivationWorld, made, SECOND } from '../../support/activation-world.js';

let it: ActivationWorld;
beforeEach(() => (it = new ActivationWorld()));
afterEach(() => it.close());

const [first, second, third] = [made('shop', 1), made('shop', 2), made('shop', 3)];
const WISH = { by: 'mo', reason: 'stocktaking', node: 'edge-1' };

const journalFile = () => join(it.dataDir, 'journal.db');
const twinFile = () => join(it.dataDir, 'journal.floors.json');

function rolledOut(): void {
  for (const revision of [first, second]) {
    it.assign(revision);
    it.wait(11);
    assert.equal(it.state('shop'), 'healthy ContainersSettled');
  }
}

function undone(): void {
  const wish = { bundle: 'shop', by: 'mo', reason: 'leaks', isTrial: false, from: null };
  undo(it.journal, wish, { wayBack: record => it.stage.wayBack(record, it.root) });
  it.pass();
  assert.deepEqual(it.images(), ['shop:1']);
}

/** The agent is stopped, something happens to its files, and it is started again. */
function harmed(harm: () => void): void {
  it.journal.close();
  harm();
  it.restart();
}

const lose = () => {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${journalFile()}${suffix}`, { force: true });
};
const garble = () => writeFileSync(journalFile(), 'no database');

const reset = () =>
  it.journal
    .conditions()
    .flatMap(({ type, reason, message }) =>
      type === 'JournalReset' ? [`${reason}: ${message}`] : [],
    );

const held = () =>
  it.journal
    .site()
    .holds()
    .map(({ name, by, reason }) => `${name} ${by} ${reason}`);

for (const [what, harm, said] of [
  ['lost', lose, /^Lost: the journal was lost: [^;]+; held/],
  ['garbled', garble, /^Damaged: [^;]+; it is kept as \S+journal\.db\.damaged-\S+; held/],
] as const) {
  describe(`with a journal that is ${what}`, () => {
    test('what was held is held, since when it was, and the condition and the history say so', () => {
      rolledOut();
      hold(it.journal, { ...WISH, bundle: 'shop' });
      const [before] = it.journal.site().holds();
      harmed(harm);
      assert.deepEqual(it.journal.site().holds(), [before]);
      it.assign(third);
      assert.deepEqual([it.images(), it.state('shop')], [['shop:2'], 'waiting Held']);
      const words = readJournal(it.dataDir).history.flatMap(({ entry }) =>
        entry.kind === 'site' ? [`${entry.word} ${entry.name} ${entry.by} ${entry.reason}`] : [],
      );
      assert.deepEqual(words, ['hold shop mo stocktaking']);
    });

    test('so is everything, with the bundles that come later', () => {
      rolledOut();
      hold(it.journal, { ...WISH, bundle: null });
      harmed(harm);
      assert.equal(reset().length, 1);
      assert.match(reset()[0] ?? '', said);
      assert.match(reset()[0] ?? '', /; held at the device still: all bundles$/);
      it.assign(third, made('till', 1));
      assert.deepEqual(it.images(), ['shop:2']);
    });

    test('what was released is not, but for what all are held by', () => {
      rolledOut();
      hold(it.journal, { ...WISH, bundle: 'shop' });
      hold(it.journal, { ...WISH, bundle: null, by: 'jo' });
      const { heldStill } = release(it.journal, { ...WISH, bundle: 'shop' });
      assert.equal(heldStill, 'jo (stocktaking)');
      release(it.journal, { ...WISH, bundle: null });
      harmed(harm);
      assert.deepEqual([held(), reset().join().includes('held')], [[], false]);
    });

    test('what was undone is not tried again on its own, and may be by the person who undid it', () => {
      rolledOut();
      undone();
      harmed(harm);
      it.assign(second);
      it.wait(700);
      assert.deepEqual([it.images(), it.state('shop')], [['shop:1'], 'failed UndoneAtDevice']);
      assert.match(it.status('shop').message, /undone at the device by mo \(leaks\)/);
      redo(it.journal, { bundle: 'shop', by: 'mo', reason: '', isTrial: false });
      it.store(first);
      it.pass();
      it.wait(11);
      assert.deepEqual([it.images(), it.state('shop')], [['shop:2'], 'healthy ContainersSettled']);
    });

    test('what failed is not tried again on its own, and is at a higher attempt', () => {
      it.crashing();
      it.wait(700);
      assert.deepEqual(
        [it.images(), it.state('shop')],
        [['shop:1'], 'rolledBack ProgressDeadlineExceeded'],
      );
      harmed(harm);
      it.assign(SECOND);
      it.wait(700);
      assert.deepEqual(
        [it.images(), it.state('shop')],
        [['shop:1'], 'failed ProgressDeadlineExceeded'],
      );
      assert.match(it.status('shop').message, /^given up here before, at attempt 0: no progress/);
      it.fates.delete('shop:2');
      it.store(first);
      it.assign({ made: SECOND, attempt: 1 });
      it.wait(11);
      assert.deepEqual([it.images(), it.state('shop')], [['shop:2'], 'healthy ContainersSettled']);
    });

    test('what failed and runs, with nothing to go back to, has failed still, and is healthy once its pods are ready', () => {
      it.fates.set('shop:1', 'crash');
      it.assign(first);
      it.wait(700);
      const FAILED = 'failed ProgressDeadlineExceeded';
      assert.deepEqual([it.images(), it.state('shop')], [['shop:1'], FAILED]);
      const { message } = it.status('shop');
      harmed(harm);
      assert.equal(it.state('shop'), FAILED);
      it.assign(first);
      it.wait(700);
      assert.deepEqual([it.state('shop'), it.status('shop').message], [FAILED, message]);
      it.fates.delete('shop:1');
      it.wait(11);
      assert.equal(it.state('shop'), 'healthy ContainersSettled');
    });

    test('what failed and was healthy at a later attempt has not failed', () => {
      it.crashing();
      it.wait(700);
      it.fates.delete('shop:2');
      it.assign({ made: SECOND, attempt: 1 });
      it.wait(11);
      harmed(harm);
      it.assign(SECOND);
      it.wait(11);
      assert.deepEqual([it.images(), it.state('shop')], [['shop:2'], 'healthy ContainersSettled']);
    });

    test('what was gone back to runs on from its files, and its content is asked for, though the hub assigns it no more', () => {
      rolledOut();
      undone();
      harmed(harm);
      it.assign(second);
      const lacking = () =>
        it.stage.pass(it.journal.accepted()?.document ?? null, it.root).map(one => one.digest);
      assert.deepEqual([it.images(), lacking()], [['shop:1'], [assigned(first.document).digest]]);
      it.store(first);
      assert.deepEqual([it.images(), lacking()], [['shop:1'], []]);
    });

    test('what was undone and taken back is not undone', () => {
      rolledOut();
      undone();
      redo(it.journal, { bundle: 'shop', by: 'mo', reason: '', isTrial: false });
      it.pass();
      it.wait(11);
      harmed(harm);
      it.assign(second);
      it.wait(11);
      assert.deepEqual([it.images(), it.state('shop')], [['shop:2'], 'healthy ContainersSettled']);
    });

    test('and its twin too: that nobody knows what was held is told until the hub spoke, and holds nothing', () => {
      rolledOut();
      hold(it.journal, { ...WISH, bundle: 'shop' });
      harmed(() => {
        harm();
        writeFileSync(
          twinFile(),
          '{"journal":"x","boot":1,"rootVersion":1,"epoch":1,"generation":1}',
        );
      });
      assert.match(
        reset()[0] ?? '',
        /held or undid is not known any more: hold it again \(flotilla-agent hold\)$/,
      );
      it.restart();
      assert.match(reset()[0] ?? '', /not known any more/);
      it.assign(third);
      assert.deepEqual([reset(), held()], [[], []]);
    });
  });
}

describe('with an older journal put back', () => {
  test('the newer word counts: what was released since is not held, what was held since is', () => {
    rolledOut();
    hold(it.journal, { ...WISH, bundle: 'shop' });
    it.journal.close();
    const copy = join(it.dataDir, 'copy.db');
    copyFileSync(journalFile(), copy);
    it.restart();
    release(it.journal, { ...WISH, bundle: 'shop' });
    hold(it.journal, { ...WISH, bundle: null, by: 'jo' });
    harmed(() => {
      lose();
      copyFileSync(copy, journalFile());
    });
    assert.match(reset()[0] ?? '', /^PutBack: .*held at the device still: all bundles$/);
    assert.deepEqual(held(), [' jo stocktaking']);
  });

  test('a twin of a version that knew of no holds leaves those of the journal', () => {
    rolledOut();
    hold(it.journal, { ...WISH, bundle: 'shop' });
    harmed(() => {
      const { kept, ...twin } = JSON.parse(readFileSync(twinFile(), 'utf8')) as {
        kept: Record<string, unknown>;
        boot: number;
      };
      const { bundles, files, floors } = kept;
      const former = { ...twin, boot: twin.boot + 10, kept: { bundles, files, floors } };
      writeFileSync(twinFile(), JSON.stringify(former));
    });
    assert.match(reset()[0] ?? '', /held at the device still: bundle default\/shop$/);
    assert.deepEqual(held(), ['shop mo stocktaking']);
  });
});

test('a journal that was garbled without a twin was one: it begins anew as damaged, not as a new node', () => {
  rolledOut();
  harmed(() => {
    garble();
    rmSync(twinFile());
  });
  assert.match(reset()[0] ?? '', /^Damaged: .*not known any more/);
});
