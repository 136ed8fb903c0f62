/** What frames say: what does not belong there is no word of a stream, whoever sealed it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  beginPayload,
  CHUNK_BYTES,
  chunksOf,
  creditPayload,
  exitStatus,
  readBegin,
  readCredit,
  readResize,
  readStatus,
  resizePayload,
  statusPayload,
  WINDOW_BYTES,
} from '../../../protocol/stream-frames.js';

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('words of a stream come back as they were said', () => {
  const begin = { window: WINDOW_BYTES, command: ['sh', '-c', 'a "b" \n'] };
  test('begin', () => assert.deepEqual(readBegin(beginPayload(begin)), begin));
  test('begin without a program', () => {
    const without = { window: 1, command: null };
    assert.deepEqual(readBegin(beginPayload(without)), without);
  });
  test('credit', () => assert.equal(readCredit(creditPayload(4711)), 4711));
  test('size', () => {
    const size = { width: 80, height: 24 };
    assert.deepEqual(readResize(resizePayload(size)), size);
    assert.equal(resizePayload(size).toString(), '{"Width":80,"Height":24}');
  });
  for (const code of [0, 1, 137]) {
    test(`exit code ${code}`, () => {
      assert.deepEqual(readStatus(statusPayload(exitStatus(code))), exitStatus(code));
    });
  }
  test('a message without end is cut', () => {
    const status = readStatus(statusPayload({ status: 'Failure', message: 'x'.repeat(1e6) }));
    assert.equal(status?.message?.length, 4096);
  });
});

describe('an exit code is a Status as kubectl reads it', () => {
  test('0 is success', () => assert.deepEqual(exitStatus(0), { status: 'Success' }));
  test('another is a cause', () => {
    const { status, reason, details } = exitStatus(3);
    assert.equal(status, 'Failure');
    assert.equal(reason, 'NonZeroExitCode');
    assert.deepEqual(details?.causes, [{ reason: 'ExitCode', message: '3' }]);
  });
});

describe('what is no word', () => {
  const ROWS: readonly [string, (payload: Buffer) => unknown, Buffer][] = [
    ['a begin that is no JSON', readBegin, Buffer.from('{')],
    ['a begin without credit', readBegin, json({ command: null })],
    ['a begin with more credit than there is', readBegin, json({ window: 1e9, command: null })],
    ['a begin with a fraction', readBegin, json({ window: 1.5, command: null })],
    ['a begin whose program is a text', readBegin, json({ window: 1, command: 'sh' })],
    ['a begin with an empty program', readBegin, json({ window: 1, command: [] })],
    ['a begin with a number in it', readBegin, json({ window: 1, command: ['a', 1] })],
    ['a begin with a NUL', readBegin, json({ window: 1, command: ['a\0b'] })],
    ['a begin that is a list', readBegin, json([])],
    ['a credit of three bytes', readCredit, Buffer.alloc(3)],
    ['a credit of nothing', readCredit, creditPayload(0)],
    ['a credit above the window', readCredit, creditPayload(WINDOW_BYTES + 1)],
    ['a size of nothing', readResize, json({ Width: 0, Height: 1 })],
    ['a size of 17 bits', readResize, json({ Width: 65_536, Height: 1 })],
    ['a size that is text', readResize, json({ Width: '80', Height: '24' })],
    ['a status of nothing', readStatus, json({})],
    ['a status that is null', readStatus, json(null)],
    ['a status that nobody knows', readStatus, json({ status: 'Perhaps' })],
  ];
  for (const [sentence, read, payload] of ROWS) {
    test(sentence, () => assert.equal(read(payload), null));
  }
  test('what a Status has beside its own fields is left out', () => {
    const read = readStatus(json({ status: 'Success', __proto: 1, code: 'x', details: 7 }));
    assert.deepEqual(read, { status: 'Success' });
    const minusNothing = Buffer.from('{"status":"Failure","code":-0}');
    assert.deepEqual(readStatus(minusNothing), { status: 'Failure' });
    const causes = [null, { reason: 'A' }, { reason: 'A', message: 'b', field: 'c' }];
    const cut = readStatus(json({ status: 'Failure', details: { causes } }));
    assert.deepEqual(cut?.details, { causes: [{ reason: 'A', message: 'b' }] });
  });
});

test('chunks are no larger than a frame takes, and lose nothing', () => {
  for (const bytes of [1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES]) {
    const whole = Buffer.alloc(bytes, 'abc');
    const chunks = chunksOf(whole);
    assert.ok(chunks.every(chunk => chunk.length > 0 && chunk.length <= CHUNK_BYTES));
    assert.ok(Buffer.concat(chunks).equals(whole));
  }
  assert.deepEqual(chunksOf(Buffer.alloc(0)), []);
});
