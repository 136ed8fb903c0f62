/**
 * What every implementation of the hub's store promises, sentence by sentence. Knows nothing of the
 * database behind it: an implementation brings a function that opens a fresh store and can open the
 * same data again.
 */
import { describe, test } from 'node:test';
import { type OpenStore, type Sentence, stoppedClock } from './store-case.js';
import { commitContract } from './store-commits.contract.js';
import { nodeContract } from './store-nodes.contract.js';
import { objectContract } from './store-objects.contract.js';
import { recordContract } from './store-records.contract.js';
import { watchContract } from './store-watch.contract.js';

export function storeContract(name: string, open: OpenStore): void {
  const sentence: Sentence = (text, body) => {
    test(text, { timeout: 60_000 }, async () => {
      const clock = stoppedClock();
      const under = await open(clock);
      try {
        await body({ store: under.store, clock, reopen: () => under.reopen() });
      } finally {
        await under.remove();
      }
    });
  };
  describe(`store contract: ${name}`, () => {
    describe('objects', () => objectContract(sentence));
    describe('commits, audit log and restarts', () => commitContract(sentence));
    describe('records', () => recordContract(sentence));
    describe('nodes', () => nodeContract(sentence));
    describe('watches', () => watchContract(sentence));
  });
}
