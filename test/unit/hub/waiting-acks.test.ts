/** Confirmations that wait: how two of one node become one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { joined, WaitingAcks } from '../../../hub/link/waiting-acks.js';
import type { AckDocument } from '../../../protocol/documents/hub.js';

function ack(counter: number, more: Partial<AckDocument> = {}): AckDocument {
  return {
    ...{ fleet: 'ab'.repeat(16), node: 'edge-1', journal: 'cd'.repeat(16), boot: 1, counter },
    ...{ through: counter, row: counter, pods: {}, epoch: 1, generation: counter, ...more },
  };
}

const pod = (...names: string[]) =>
  Object.fromEntries(names.map(name => [`default/${name}`, name]));

describe('two confirmations of one node', () => {
  test('the newer numbers count, and the pods of both', () => {
    const one = joined(ack(1, { pods: pod('a', 'b') }), ack(2, { pods: pod('c') }));
    assert.deepEqual(one, ack(2, { pods: pod('a', 'b', 'c') }));
  });

  test('what is said anew of a pod counts', () => {
    const older = ack(1, { pods: { 'default/a': 'old' } });
    assert.deepEqual(joined(older, ack(2, { pods: { 'default/a': 'new' } }))?.pods, {
      'default/a': 'new',
    });
  });

  test('of a former journal nothing is of use any more', () => {
    const newer = ack(1, { journal: 'ef'.repeat(16), pods: pod('b') });
    assert.deepEqual(joined(ack(9, { pods: pod('a') }), newer), newer);
  });

  test('more pods than belong into a message stay apart', () => {
    const many = pod(...Array.from({ length: 150 }, (_, n) => `a${n}`));
    const more = pod(...Array.from({ length: 100 }, (_, n) => `b${n}`));
    assert.equal(joined(ack(1, { pods: many }), ack(2, { pods: more })), null);
  });
});

describe('confirmations that wait', () => {
  test('one for each node, in the order in which they began to wait', () => {
    const acks = new WaitingAcks();
    const other = { node: 'edge-2' };
    assert.deepEqual(
      [acks.put(ack(1)), acks.put(ack(1, other)), acks.put(ack(2)), acks.put(ack(3))],
      [true, true, false, false],
    );
    assert.equal(acks.take()?.counter, 3);
    assert.deepEqual(acks.take(), ack(1, other));
    assert.equal(acks.take(), null);
  });

  test('what does not go together is said one after the other', () => {
    const acks = new WaitingAcks();
    const many = (letter: string) => pod(...Array.from({ length: 150 }, (_, n) => `${letter}${n}`));
    assert.equal(acks.put(ack(1, { pods: many('a') })), true);
    assert.equal(acks.put(ack(2, { pods: many('b') })), true);
    assert.equal(acks.put(ack(3)), false);
    assert.deepEqual(acks.take(), ack(1, { pods: many('a') }));
    assert.deepEqual(acks.take(), ack(3, { pods: many('b') }));
    assert.equal(acks.take(), null);
  });
});
