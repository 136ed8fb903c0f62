/** Credit and inbox: nothing goes out without credit, nothing is held beyond it, nobody waits for ever. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Credit, Inbox } from '../../../protocol/stream-flow.js';

const turn = () => new Promise<void>(resolve => setImmediate(resolve));

describe('credit', () => {
  test('is taken at once while there is some, then waited for, first come first served', async () => {
    const credit = new Credit();
    credit.give(10);
    const granted: number[] = [];
    const take = (cost: number) => credit.take(cost).then(ok => ok && granted.push(cost));
    void take(4);
    void take(7);
    void take(1);
    await turn();
    // A small one does not overtake.
    assert.deepEqual(granted, [4]);
    credit.give(1);
    await turn();
    assert.deepEqual(granted, [4, 7]);
    credit.give(1);
    await turn();
    assert.deepEqual(granted, [4, 7, 1]);
  });

  test('whoever waits when the stream ends is told so, and whoever comes later', async () => {
    const credit = new Credit();
    const waiting = credit.take(1);
    credit.close();
    assert.equal(await waiting, false);
    credit.give(5);
    assert.equal(await credit.take(1), false);
  });
});

describe('an inbox', () => {
  test('holds no more than it gave credit for', () => {
    const inbox = new Inbox<string>({ window: 10, onTaken: () => undefined });
    assert.equal(inbox.push('a', 6), true);
    assert.equal(inbox.push('b', 5), false);
    assert.equal(inbox.push('c', 4), true);
    assert.equal(inbox.push('d', 1), false);
  });

  test('gives back what was taken, and all of it in the end', async () => {
    let given = 0;
    const inbox = new Inbox<number>({ window: 100, onTaken: cost => (given += cost) });
    const read: number[] = [];
    const reader = (async () => {
      for await (const item of inbox) read.push(item);
    })();
    let credit = 100;
    for (let n = 0; n < 1000; n++) {
      while (credit < 7) {
        await turn();
        credit += given;
        given = 0;
      }
      credit -= 7;
      assert.equal(inbox.push(n, 7), true);
    }
    inbox.end();
    await reader;
    assert.deepEqual(
      read,
      Array.from({ length: 1000 }, (_, n) => n),
    );
  });

  test('gives no credit for what its reader still works on', async () => {
    const given: number[] = [];
    const inbox = new Inbox<string>({ window: 10, onTaken: cost => given.push(cost) });
    let finish: () => void = () => undefined;
    const reader = (async () => {
      for await (const _ of inbox) await new Promise<void>(resolve => (finish = resolve));
    })();
    inbox.push('slow', 10);
    await turn();
    assert.deepEqual(given, []);
    assert.equal(inbox.push('more', 1), false);
    finish();
    await turn();
    assert.deepEqual(given, [10]);
    inbox.end();
    await reader;
  });

  test('is read to its end after the last came, and not when it is dropped', async () => {
    const read = async (inbox: Inbox<string>) => {
      const items: string[] = [];
      for await (const item of inbox) items.push(item);
      return items;
    };
    const [ended, dropped] = [1, 2].map(
      () => new Inbox<string>({ window: 9, onTaken: () => undefined }),
    );
    ended?.push('a', 1);
    dropped?.push('a', 1);
    ended?.end();
    dropped?.drop();
    assert.deepEqual(ended && (await read(ended)), ['a']);
    assert.deepEqual(dropped && (await read(dropped)), []);
  });
});
