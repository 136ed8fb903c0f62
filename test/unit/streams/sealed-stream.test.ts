/** The node's end of a stream: nothing before the first frame, no output without credit, one end, and limits of time. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { SealedStream, type StreamIo } from '../../../agent/streams/sealed-stream.js';
import { Credit } from '../../../protocol/stream-flow.js';
import {
  beginPayload,
  CHANNEL,
  costOf,
  creditPayload,
  readStatus,
  resizePayload,
  SUCCESS,
  WINDOW_BYTES,
  type StreamStatus,
} from '../../../protocol/stream-frames.js';
import { FrameOpener, FrameSealer } from '../../../protocol/stream-seal.js';
import { fastClock } from '../../support/fast-clock.js';
import { eventually } from '../../support/wait.js';

const keys = { toNode: Buffer.alloc(32, 1), toHub: Buffer.alloc(32, 2) };
/** What a test leaves open would keep its clock going. */
const left: SealedStream[] = [];
afterEach(() => left.splice(0).forEach(stream => stream.end(null)));

const turn = () => new Promise<void>(resolve => setTimeout(resolve, 5));
const waits = (io: StreamIo) =>
  new Promise<StreamStatus>(resolve => io.signal.addEventListener('abort', () => resolve(SUCCESS)));

interface Made {
  readonly serve?: (io: StreamIo) => Promise<StreamStatus>;
  readonly mayIdle?: boolean;
  /** How much faster than the real one its clock runs. */
  readonly speed?: number;
  readonly send?: () => Promise<boolean>;
}

function made({ serve = waits, mayIdle = false, speed = 1, send }: Made = {}) {
  const opener = new FrameOpener(keys.toHub);
  const sealer = new FrameSealer(keys.toNode);
  const said: { channel: number; payload: Buffer }[] = [];
  const ends: (StreamStatus | null)[] = [];
  const slots = new Credit();
  slots.give(4);
  let begun: StreamIo | null = null;
  const stream = new SealedStream({
    ...{ keys, slots, mayIdle, clock: fastClock(Date.now(), speed) },
    serve: io => {
      begun = io;
      return serve(io);
    },
    send: async frame => {
      const opened = opener.open(frame);
      assert.ok(opened.is === 'frame');
      said.push(opened);
      return send === undefined || send();
    },
    onOver: status => ends.push(status),
  });
  left.push(stream);
  const say = (channel: number, payload: Buffer = Buffer.alloc(0)) =>
    stream.receive(sealer.seal(channel, payload));
  return {
    ...{ stream, said, ends, say },
    begin: (window = WINDOW_BYTES) => say(CHANNEL.begin, beginPayload({ window, command: null })),
    io: () => begun,
    last: () => readStatus(said.at(-1)?.payload ?? Buffer.alloc(0)),
    bytes: () =>
      said
        .filter(one => one.channel === CHANNEL.stdout)
        .reduce((sum, { payload }) => sum + payload.length, 0),
  };
}

describe('a stream', () => {
  test('begins with the first frame, and says so with credit', () => {
    const { begin, io, said } = made();
    assert.equal(io(), null);
    begin();
    assert.ok(io());
    assert.deepEqual(said, [
      { is: 'frame', channel: CHANNEL.credit, payload: creditPayload(WINDOW_BYTES) },
    ]);
  });

  test('that nobody begins is over after half a minute, without a word', async () => {
    const { ends, said } = made({ speed: 1000 });
    await eventually('it is over', () => ends.length > 0);
    assert.deepEqual(ends, [null]);
    assert.deepEqual(said, []);
  });

  test('that begins with something else is broken, and served by nobody', () => {
    const { say, io, last } = made();
    say(CHANNEL.stdin, Buffer.from('x'));
    assert.equal(io(), null);
    assert.equal(last()?.reason, 'StreamBroken');
  });

  test('begins once', () => {
    const { begin, ends, last } = made();
    begin();
    begin();
    assert.equal(ends.length, 1);
    assert.equal(last()?.reason, 'StreamBroken');
  });

  test('sends no more than it has credit for, and goes on with more', async () => {
    const serve = async (io: StreamIo) => {
      await io.output('stdout', Buffer.alloc(1000));
      await io.output('stdout', Buffer.alloc(1000));
      return SUCCESS;
    };
    const { begin, say, bytes, last, ends } = made({ serve });
    begin(costOf(1000) + 10);
    await turn();
    assert.equal(bytes(), 1000);
    assert.equal(ends.length, 0);
    say(CHANNEL.credit, creditPayload(costOf(1000)));
    await eventually('the rest', () => ends.length > 0);
    assert.equal(bytes(), 2000);
    assert.deepEqual(last(), SUCCESS);
  });

  test('gives input in order, up to its end', async () => {
    const read: string[] = [];
    const serve = async (io: StreamIo) => {
      for await (const bytes of io.input) read.push(bytes.toString());
      return SUCCESS;
    };
    const { begin, say, ends } = made({ serve });
    begin();
    for (const word of ['a', 'b', 'c']) say(CHANNEL.stdin, Buffer.from(word));
    say(CHANNEL.close, Buffer.of(0));
    await eventually('it ends', () => ends.length > 0);
    assert.deepEqual(read, ['a', 'b', 'c']);
  });

  test('tells the last size to whoever asks late', () => {
    const { begin, say, io } = made();
    begin();
    say(CHANNEL.resize, resizePayload({ width: 80, height: 24 }));
    const sizes: object[] = [];
    io()?.onResize(size => sizes.push(size));
    say(CHANNEL.resize, resizePayload({ width: 81, height: 25 }));
    assert.deepEqual(sizes, [
      { width: 80, height: 24 },
      { width: 81, height: 25 },
    ]);
  });

  const WRONG: readonly [string, number, Buffer][] = [
    ['on a channel of the node', CHANNEL.stdout, Buffer.from('x')],
    ['on a channel that nobody knows', 99, Buffer.alloc(0)],
    ['with a size of nothing', CHANNEL.resize, Buffer.from('{}')],
    ['with a credit of nothing', CHANNEL.credit, creditPayload(0)],
  ];
  for (const [sentence, channel, payload] of WRONG) {
    test(`a word ${sentence} ends it`, () => {
      const { begin, say, last, io } = made();
      begin();
      say(channel, payload);
      assert.equal(last()?.reason, 'StreamBroken');
      assert.equal(io()?.signal.aborted, true);
    });
  }

  test('ends once: what comes later is not heard, what is said later is not sent', async () => {
    const { stream, begin, say, ends, said, io } = made();
    begin();
    stream.end(SUCCESS);
    stream.end(null);
    const before = said.length;
    say(CHANNEL.stdin, Buffer.from('late'));
    await assert.rejects(io()?.output('stdout', Buffer.from('late')) ?? Promise.resolve());
    await turn();
    assert.equal(said.length, before);
    assert.deepEqual(ends, [SUCCESS]);
  });

  test('whose hub closes ends without a word', () => {
    const { begin, say, ends, io } = made();
    begin();
    say(CHANNEL.close);
    assert.deepEqual(ends, [null]);
    assert.equal(io()?.signal.aborted, true);
  });

  test('whose link is down is over', async () => {
    const { begin, ends } = made({ send: () => Promise.resolve(false) });
    begin();
    await eventually('it is over', () => ends.length > 0);
    assert.deepEqual(ends, [null]);
  });

  test('whose service fails says so', async () => {
    const { begin, last, ends } = made({ serve: () => Promise.reject(new Error('no disk')) });
    begin();
    await eventually('it is over', () => ends.length > 0);
    assert.deepEqual([last()?.reason, last()?.message], ['InternalError', 'no disk']);
  });

  test('in which nothing is said ends after four hours; one that may idle, after a day', async () => {
    const HOURS = 3_600_000;
    const idle = made({ speed: (4 * HOURS) / 200 });
    const follow = made({ speed: (24 * HOURS) / 400, mayIdle: true });
    idle.begin();
    follow.begin();
    await eventually('both are over', () => idle.ends.length + follow.ends.length === 2);
    assert.equal(idle.last()?.reason, 'IdleTimeout');
    assert.equal(follow.last()?.reason, 'Timeout');
  });
});
