/** What nodes ask for is answered once, in order and no faster than it is of use; pods are asked for with patience. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PodRepair } from '../../../hub/ingest/pod-repair.js';
import { Requests } from '../../../hub/ingest/requests.js';
import type { RequestDocument } from '../../../protocol/documents/node.js';
import { SimulatedClock } from '../../sim/clock.js';
import { FLEET } from '../../support/fleet.js';

const NONCE = 'e'.repeat(32);

function world() {
  const clock = new SimulatedClock(0);
  const done: string[] = [];
  const requests = new Requests({
    clock,
    messenger: {
      ack: () => assert.fail('nobody asked for an ack'),
      command: () => assert.fail('nobody gave a command'),
      answer: (node, { nonce, published, absent }) =>
        void done.push(`answer ${node} ${nonce.slice(0, 1)} ${published.length}/${absent.length}`),
      time: (node, { nonce, time }) => void done.push(`time ${node} ${nonce.slice(0, 1)} ${time}`),
    },
    freshAssignment: async (node, nonce) => void done.push(`fresh ${node} ${nonce.slice(0, 1)}`),
    republish: async digests => {
      done.push(`blobs ${digests.length}`);
      return { published: [...digests], absent: [] };
    },
    republishRoot: async version => void done.push(`root ${version}`),
  });
  const ask = (counter: number, change: Partial<RequestDocument> = {}) =>
    requests.answer({
      ...{ fleet: FLEET, node: 'edge1', journal: 'a'.repeat(32), boot: 1, counter },
      ...{ nonce: NONCE, want: 'blobs', digests: ['d'.repeat(64)], rootVersion: 0 },
      ...change,
    });
  const take = () => done.splice(0);
  const pass = (ms: number) => clock.advance(ms);
  return { ask, take, pass };
}

describe('a request', () => {
  test('for blobs has them published, then is answered with its nonce', async () => {
    const { ask, take } = world();
    await ask(1);
    assert.deepEqual(take(), ['blobs 1', 'answer edge1 e 1/0']);
  });

  test('for a root or an assignment is passed on', async () => {
    const { ask, take } = world();
    await ask(1, { want: 'root', rootVersion: 3 });
    await ask(2, { want: 'assignment' });
    assert.deepEqual(take(), ['root 3', 'fresh edge1 e']);
  });

  test("for the time is answered with its nonce and the hub's clock", async () => {
    const { ask, take } = world();
    await ask(1, { want: 'time' });
    assert.deepEqual(take(), ['time edge1 e 1970-01-01T00:00:00.000Z']);
  });

  const REPLAYS: readonly [string, number, Partial<RequestDocument>, boolean][] = [
    ['that came already is not answered', 5, {}, false],
    ['that is older is not answered', 4, {}, false],
    ['of a former boot is not answered', 9, { boot: 0 }, false],
    ['of a later boot is answered, whatever its number', 1, { boot: 2 }, true],
    ['of a new journal is answered, whatever its number', 1, { journal: 'b'.repeat(32) }, true],
    ['of another node is its own', 5, { node: 'edge2' }, true],
  ];
  for (const [sentence, counter, change, expected] of REPLAYS) {
    test(sentence, async () => {
      const { ask, take } = world();
      await ask(5);
      take();
      await ask(counter, change);
      assert.equal(take().length > 0, expected);
    });
  }

  test('for a fresh assignment is answered every ten seconds at most', async () => {
    const { ask, take, pass } = world();
    await ask(1, { want: 'assignment' });
    pass(9_000);
    await ask(2, { want: 'assignment' });
    assert.equal(take().length, 1);
    pass(1_000);
    await ask(3, { want: 'assignment' });
    assert.equal(take().length, 1);
  });

  test('one too many in a minute is dropped; the next minute begins anew', async () => {
    const { ask, take, pass } = world();
    for (let i = 1; i <= 80; i++) await ask(i, { want: 'root' });
    assert.equal(take().length, 60);
    pass(60_000);
    await ask(81, { want: 'root' });
    assert.equal(take().length, 1);
  });
});

describe('a pod that differs', () => {
  const differing = (...keys: string[]) =>
    new Map(keys.map((key): [string, string] => [key, 'd'.repeat(64)]));

  test('is asked for after half a minute, then ever more rarely, until it comes', () => {
    const repair = new PodRepair();
    repair.note('edge1', differing('a'), 0);
    const asked: number[] = [];
    for (let now = 0; now <= 1_000_000; now += 1_000) {
      if (repair.take(now).size > 0) asked.push(now / 1_000);
      repair.note('edge1', differing('a'), now);
    }
    assert.deepEqual(asked, [30, 90, 210, 450, 930]);
    repair.note('edge1', new Map(), 1_000_000);
    assert.equal(repair.take(9_000_000).size, 0);
  });

  test('is waited for anew when the status names another document of it', () => {
    const repair = new PodRepair();
    repair.note('edge1', differing('a'), 0);
    repair.note('edge1', new Map([['a', 'f'.repeat(64)]]), 29_000);
    assert.equal(repair.take(30_000).size, 0);
    assert.deepEqual(repair.take(59_000).get('edge1'), ['a']);
  });

  test('is one of a hundred in one message; the rest follows', () => {
    const repair = new PodRepair();
    const keys = Array.from({ length: 150 }, (_, i) => `default/p${i}`);
    repair.note('edge1', differing(...keys), 0);
    assert.equal(repair.take(30_000).get('edge1')?.length, 100);
    assert.equal(repair.take(30_000).get('edge1')?.length, 50);
    assert.equal(repair.take(30_000).size, 0);
  });
});
