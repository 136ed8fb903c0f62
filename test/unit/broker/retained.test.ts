/** The index of retained messages: the same answers as a scan, without one where a filter is exact. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { indexRetained, type RetainedStore } from '../../../hub/broker/retained.js';

interface Kept {
  readonly topic: string;
  readonly payload: string | Buffer;
}

/** A store that answers every filter with `scanned` and counts. */
function store() {
  const scans: string[][] = [];
  const stored: Kept[] = [];
  const inner: RetainedStore = {
    storeRetained: async packet => void stored.push(packet),
    createRetainedStreamCombi: filters => {
      scans.push([...filters]);
      return Readable.from(['scanned']);
    },
  };
  indexRetained(inner);
  const answer = async (...filters: string[]) => {
    const found = (await inner.createRetainedStreamCombi(filters).toArray()) as (Kept | string)[];
    return found.map(entry => (typeof entry === 'string' ? entry : String(entry.payload)));
  };
  const keep = (topic: string, payload: string) => inner.storeRetained({ topic, payload });
  return { scans, stored, answer, keep };
}

describe('retained index', () => {
  test('exact filters and children are answered without a scan, however much is retained', async () => {
    const { scans, answer, keep } = store();
    for (let i = 0; i < 1000; i++) await keep(`p/node/n${i}/status`, `s${i}`);
    await keep('p/root', 'newest');
    await keep('p/root/1', 'one');
    await keep('p/root/2', 'two');
    assert.deepEqual(await answer('p/node/n7/status'), ['s7']);
    assert.deepEqual(await answer('p/root', 'p/root/+'), ['newest', 'one', 'two']);
    assert.deepEqual(await answer('p/root/3', 'p', 'p/node/n7', 'none'), []);
    assert.deepEqual(scans, []);
  });

  test('other wildcards scan', async () => {
    const { scans, answer } = store();
    for (const filter of ['p/node/+/status', 'p/#', '#', '+/root']) {
      assert.deepEqual(await answer('p/root', filter), ['scanned'], filter);
    }
    assert.equal(scans.length, 4);
  });

  test('the newest payload counts, an empty one takes it away, and the store hears it all', async () => {
    const { stored, answer, keep } = store();
    await keep('a/b', 'old');
    await keep('a/b', 'new');
    await keep('a', 'top');
    assert.deepEqual(await answer('a/b', 'a', '+'), ['scanned']);
    assert.deepEqual(await answer('a/b', 'a'), ['new', 'top']);
    await keep('a/b', '');
    await keep('never/there', '');
    assert.deepEqual(await answer('a/b', 'a/+'), []);
    assert.equal(stored.length, 5);
  });
});
