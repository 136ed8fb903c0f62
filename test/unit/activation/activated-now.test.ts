/** What waits for its window and is activated now, on a real journal and real files: by whom, for what, and where that is told. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readJournal } from '../../../agent/journal/reader.js';
import { it, night, running, windowsWorld } from './windows-world.js';

windowsWorld();

describe('activated now', () => {
  const told = () =>
    readJournal(it.dataDir).history.flatMap(({ entry }) =>
      entry.kind === 'site' ? [`${entry.word} ${entry.by} ${entry.reason}`] : [],
    );
  const events = () =>
    it.journal.events(0, 20).map(({ reason, message }) => `${reason}: ${message}`);

  test('by the hub, in the assignment: who and why stand in journal, event and status', () => {
    running();
    it.assign(night(2));
    it.assign({ made: night(2), now: { by: 'admin', reason: 'the till is down' } });
    assert.deepEqual(it.images(), ['shop:2']);
    const row = readJournal(it.dataDir).history.at(-2)?.entry;
    assert.equal(
      row?.kind === 'bundle' ? row.message : '',
      '1 manifest in the static pod directory; outside its maintenance window, asked for by admin (the till is down)',
    );
    assert.ok(
      events().includes(
        'WindowOverridden: revision 2: activated outside its maintenance window, asked for by admin (the till is down)',
      ),
      events().join('\n'),
    );
    it.wait(11);
    assert.match(it.status('shop').message, /; activated outside .* asked for by admin \(the till/);
  });

  test('by the hub while the window is open anyway: nothing is told of it', () => {
    running();
    it.clockMs = Date.parse('2026-06-01T03:10:00Z');
    it.assign({ made: night(2), now: { by: 'admin', reason: '' } });
    assert.deepEqual(it.images(), ['shop:2']);
    assert.deepEqual(
      events().filter(text => text.startsWith('Window')),
      [],
    );
  });

  test('at the device: kept over a restart, used once', () => {
    running();
    it.assign(night(2));
    const { digest } = it.status('shop');
    const shop = { namespace: 'default', name: 'shop', digest, attempt: 0 };
    it.journal.site().activateNow(shop, { by: 'root', reason: 'opening day' });
    assert.deepEqual(told(), ['activateNow root opening day']);
    it.restart();
    assert.deepEqual(it.images(), ['shop:2']);
    assert.deepEqual(
      it.journal
        .site()
        .overrides()
        .map(({ usedAt }) => usedAt === null),
      [false],
    );
    it.assign(night(3));
    assert.equal(it.state('shop'), 'waiting Window', 'the next one waits again');
  });

  test('of another revision: nothing for this one', () => {
    running();
    it.assign(night(2));
    const digest = 'f'.repeat(64);
    const other = { namespace: 'default', name: 'shop', digest, attempt: 0 };
    it.journal.site().activateNow(other, { by: 'root', reason: '' });
    it.pass();
    assert.equal(it.state('shop'), 'waiting Window');
  });
});
