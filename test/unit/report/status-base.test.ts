/** A status told by what a former one said: the same envelope again, where the former one is known, and nothing else. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { StatusBase } from '../../../agent/report/status-base.js';
import { KnownStatuses } from '../../../hub/ingest/known-statuses.js';
import { canonicalJson } from '../../../protocol/canonical.js';
import type { StatusDocument } from '../../../protocol/documents/node.js';
import { openEnvelope, packed, seal } from '../../../protocol/envelope.js';
import { isRebased, madeWhole, rebased } from '../../../protocol/rebased-envelope.js';
import { NODE } from '../../support/fleet.js';

function status(counter: number, word = 'x'): StatusDocument {
  const pods = Object.fromEntries(
    Array.from({ length: 50 }, (_, n) => [`default/app-${n}`, { digest: `${n}`.padEnd(64, word) }]),
  );
  return {
    counter,
    at: '2026-06-01T00:00:00.000Z',
    node: 'edge-1',
    pods,
  } as unknown as StatusDocument;
}
const sealed = (document: StatusDocument) => seal('status', document, [NODE]);
const payload = (document: StatusDocument) => Buffer.from(canonicalJson(document));

describe('on a former one a status', () => {
  const [one, two] = [status(1), status(2)];
  const short = rebased('status', packed('status', sealed(two)), payload(one));
  assert.ok(short);
  const whole = (bytes: Uint8Array, base: Buffer | null = payload(one), payloadMax = 1 << 16) =>
    madeWhole('status', bytes, { base: () => base, payloadMax });

  test('is little more than its signature, and the same envelope again', () => {
    assert.ok(short.byteLength < 150, `${short.byteLength} bytes`);
    assert.deepEqual(whole(short), sealed(two));
  });

  const NOTHING: readonly [string, () => Buffer | null][] = [
    ['the former one is not known', () => whole(short, null)],
    ['it is another one', () => whole(short, Buffer.from('{}'))],
    ['it gives more than the limit', () => whole(short, payload(one), 1000)],
    ['it is cut off', () => whole(short.subarray(0, 60))],
    ['it is no such thing', () => whole(packed('status', sealed(two)))],
  ];
  for (const [sentence, make] of NOTHING) {
    test(`is nothing where ${sentence}`, () => assert.equal(make(), null));
  }
});

describe('the hub knows', () => {
  const known = (bytesMax?: number) => new KnownStatuses(bytesMax);
  const on = (base: StatusDocument, next: StatusDocument) => {
    const short = rebased('status', sealed(next), payload(base));
    assert.ok(short);
    return short;
  };

  test('what a node builds on, of that node alone', () => {
    const statuses = known();
    statuses.remember('edge-1', sealed(status(1)));
    assert.deepEqual(statuses.whole('edge-1', on(status(1), status(2))), sealed(status(2)));
    assert.equal(statuses.whole('edge-2', on(status(1), status(2))), null);
  });

  test('the one that is built on for as long as it is, however many come on it', () => {
    const statuses = known();
    statuses.remember('edge-1', sealed(status(1)));
    for (let counter = 2; counter < 9; counter++) {
      const whole = statuses.whole('edge-1', on(status(1), status(counter)));
      assert.ok(whole, `status ${counter}`);
      statuses.remember('edge-1', whole);
    }
    assert.equal(statuses.whole('edge-1', on(status(2), status(9))), null);
  });

  test('what was said whole as it came', () => {
    const bytes = packed('status', sealed(status(1)));
    assert.equal(known().whole('edge-1', bytes), bytes);
  });

  test('the nodes that it heard last, when there are more than its memory holds', () => {
    const each = deflateRawSync(payload(status(1)), { level: 1 }).byteLength;
    const statuses = known(3 * each + 20);
    for (const node of ['edge-1', 'edge-2', 'edge-1', 'edge-3', 'edge-4']) {
      statuses.remember(node, sealed(status(1, node.slice(-1))));
    }
    const has = (node: string) =>
      statuses.whole(node, on(status(1, node.slice(-1)), status(2))) !== null;
    assert.ok(has('edge-4'));
    assert.ok(!has('edge-2'));
  });
});

describe('a node builds', () => {
  function told(base: StatusBase, document: StatusDocument, isAgain = false): boolean {
    const bytes = base.message(packed('status', sealed(document)), document, isAgain);
    const { ok } = openEnvelope(bytes, { kind: 'status', bytesMax: 1 << 16 });
    assert.equal(ok, !isRebased(bytes));
    return isRebased(bytes);
  }

  test('on what was confirmed, and on nothing before', () => {
    const base = new StatusBase();
    assert.ok(!told(base, status(1)));
    assert.ok(!told(base, status(2)));
    base.confirmed(1);
    assert.ok(told(base, status(3)));
  });

  test('on nothing of which it does not know what it said', () => {
    const base = new StatusBase();
    told(base, status(1));
    base.confirmed(7);
    assert.ok(!told(base, status(2)));
  });

  test('on nothing after several in vain: the hub may have lost what they stand on', () => {
    const base = new StatusBase();
    told(base, status(1));
    base.confirmed(1);
    const short = [2, 3, 4, 5, 6].map(counter => told(base, status(counter)));
    assert.deepEqual(short, [true, true, true, true, false]);
    base.confirmed(6);
    assert.ok(told(base, status(7)));
  });

  test('on what was confirmed last, whatever a broker says again', () => {
    const base = new StatusBase();
    for (const counter of [1, 2]) told(base, status(counter));
    base.confirmed(2);
    base.confirmed(1);
    const document = status(3);
    const bytes = base.message(packed('status', sealed(document)), document, false);
    const whole = madeWhole('status', bytes, {
      base: () => payload(status(2)),
      payloadMax: 1 << 16,
    });
    assert.deepEqual(whole, sealed(document));
  });

  test('on nothing when it says something again', () => {
    const base = new StatusBase();
    told(base, status(1));
    base.confirmed(1);
    assert.ok(told(base, status(2)));
    assert.ok(!told(base, status(2), true));
  });

  test('on nothing after another session, and says whether the broker has it whole', () => {
    const base = new StatusBase();
    told(base, status(1));
    base.confirmed(1);
    assert.equal(base.forget(), false);
    told(base, status(2));
    base.confirmed(2);
    assert.ok(told(base, status(3)));
    for (let time = 0; time < 2; time++) assert.equal(base.forget(), true);
    base.confirmed(3);
    assert.ok(!told(base, status(4)));
    assert.equal(base.forget(), false);
  });
});
