/** A journal that the disk refuses to begin leaves nothing behind that would ring later: the next try is another journal. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDiskError, openDatabase } from '../../../agent/journal/database.js';
import { Journal } from '../../../agent/journal/journal.js';
import type { Clock } from '../../../protocol/ports.js';
import { NOW } from '../../support/fleet.js';

/** Stands still until it is moved on. */
class StandingClock implements Clock {
  #passed = 0;
  #sleepers: {
    readonly at: number;
    readonly wake: () => void;
    readonly signal: AbortSignal | undefined;
  }[] = [];

  now(): number {
    return NOW + this.#passed;
  }

  monotonic(): number {
    return this.#passed;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise(wake => {
      this.#sleepers.push({ at: this.#passed + ms, wake, signal });
    });
  }

  /** Those who still wait for something. */
  waiting(): number {
    return this.#sleepers.filter(({ signal }) => signal?.aborted !== true).length;
  }

  async pass(ms: number): Promise<void> {
    this.#passed += ms;
    const due = this.#sleepers.filter(({ at }) => at <= this.#passed);
    this.#sleepers = this.#sleepers.filter(({ at }) => at > this.#passed);
    for (const { wake } of due) wake();
    await new Promise(resolve => setImmediate(resolve));
  }
}

test('a journal that the disk refused to begin never tries again by itself; the one that is opened after it works', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'flotilla-unbuilt-'));
  const thrown: unknown[] = [];
  const onThrown = (error: unknown) => thrown.push(error);
  process.prependListener('unhandledRejection', onThrown);
  try {
    const clock = new StandingClock();
    const options = { dataDir, clock, randomId: () => '0'.repeat(32) };
    const { connection } = openDatabase(join(dataDir, 'journal.db'), NOW);
    connection.pragma('query_only = ON');
    assert.throws(
      () => new Journal(connection, options, null),
      (error: unknown) => isDiskError(error),
    );
    const left = clock.waiting();
    connection.pragma('query_only = OFF');
    const journal = new Journal(connection, options, null);
    await clock.pass(60_000);
    assert.deepEqual([thrown, left], [[], 0]);
    assert.equal(journal.boot, 1);
    assert.deepEqual(journal.conditions(), []);
    journal.close();
  } finally {
    process.removeListener('unhandledRejection', onThrown);
    rmSync(dataDir, { recursive: true });
  }
});
