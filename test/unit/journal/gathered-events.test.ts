/** With a small budget for writes, events wait for each other: one transaction for all of them, within a stated time. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Journal } from '../../../agent/journal/journal.js';
import { openJournal } from '../../../agent/journal/open.js';
import { fastClock } from '../../support/fast-clock.js';
import { eventually } from '../../support/wait.js';

const EVENT = {
  type: 'Normal',
  reason: 'Started',
  message: '',
  involved: { kind: 'Node', namespace: '', name: 'edge-1', uid: '', fieldPath: '' },
} as const;

function begun(t: TestContext, gatherMs: number) {
  const dataDir = mkdtempSync(join(tmpdir(), 'fl-gathered-'));
  const options = { dataDir, clock: fastClock(0, 100), randomId: () => 'a'.repeat(32) };
  const open: Journal[] = [];
  const again = () => {
    const journal = openJournal({ ...options, gatherMs: () => gatherMs });
    open.push(journal);
    return journal;
  };
  t.after(() => {
    for (const journal of open) journal.close();
    rmSync(dataDir, { recursive: true });
  });
  const journal = again();
  return { journal, again };
}

describe('events with a small budget for writes', () => {
  test('are written together, when the first of them waited long enough, and told', async t => {
    const { journal } = begun(t, 30_000);
    let told = 0;
    journal.record(EVENT);
    journal.record(EVENT);
    journal.onEvent = () => void told++;
    assert.equal(journal.newestEvent(), 0);
    assert.deepEqual(journal.conditions(), [], 'nothing is wrong with the disk');
    await eventually('both are written', () => journal.newestEvent() === 2);
    await eventually('it is told', () => told > 0);
  });

  test('are written at once when there are many of them', t => {
    const { journal } = begun(t, 1e9);
    for (let n = 0; n < 99; n++) journal.record(EVENT);
    assert.equal(journal.newestEvent(), 0);
    journal.record(EVENT);
    assert.equal(journal.newestEvent(), 100);
  });

  test('are written at the end of the agent, and gone with the power', t => {
    const { journal, again } = begun(t, 1e9);
    journal.record(EVENT);
    assert.equal(again().newestEvent(), 0, 'as after a power cut');
    journal.close();
    assert.equal(again().newestEvent(), 1);
  });

  test('without one are durable at once', t => {
    const { journal } = begun(t, 0);
    journal.record(EVENT);
    assert.equal(journal.newestEvent(), 1);
  });
});
