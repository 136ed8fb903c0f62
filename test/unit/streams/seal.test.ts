/**
 * Sealed frames: both sides come to the same keys, and each way to tamper with a frame ends the stream. The vectors hold
 * later versions to the very bytes.
 */
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { rawPublicKey } from '../../../protocol/keys.js';
import {
  FRAME_PAYLOAD_MAX,
  FrameOpener,
  FrameSealer,
  isFrame,
  streamKeys,
  type OpenedFrame,
  type StreamContext,
} from '../../../protocol/stream-seal.js';

const VECTORS = join(import.meta.dirname, '../../../../test/vectors/streams.json');

interface Vectors {
  readonly context: StreamContext;
  /** Raw X25519 private keys, hex. */
  readonly hubPrivate: string;
  readonly nodePrivate: string;
  readonly toNode: string;
  readonly toHub: string;
  readonly frames: readonly {
    readonly channel: number;
    readonly payload: string;
    readonly frame: string;
  }[];
}

const vectors = JSON.parse(readFileSync(VECTORS, 'utf8')) as Vectors;

function privateKey(hex: string): KeyObject {
  const prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
  const key = Buffer.concat([prefix, Buffer.from(hex, 'hex')]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

describe('the vectors', () => {
  test('both sides derive the keys that are written down', () => {
    const { context } = vectors;
    const sides = [
      streamKeys('hub', privateKey(vectors.hubPrivate), context),
      streamKeys('node', privateKey(vectors.nodePrivate), context),
    ];
    for (const keys of sides) {
      assert.equal(keys?.toNode.toString('hex'), vectors.toNode);
      assert.equal(keys.toHub.toString('hex'), vectors.toHub);
    }
  });

  test('the frames are sealed to the bytes that are written down, and open', () => {
    const key = Buffer.from(vectors.toNode, 'hex');
    const sealer = new FrameSealer(key);
    const opener = new FrameOpener(key);
    for (const { channel, payload, frame } of vectors.frames) {
      const sealed = sealer.seal(channel, Buffer.from(payload, 'hex'));
      assert.equal(sealed.toString('hex'), frame);
      const opened = opener.open(sealed);
      assert.ok(opened.is === 'frame');
      assert.equal(opened.channel, channel);
      assert.equal(opened.payload.toString('hex'), payload);
    }
  });
});

function pair() {
  const [hub, node] = [generateKeyPairSync('x25519'), generateKeyPairSync('x25519')];
  const context: StreamContext = {
    ...vectors.context,
    hubKey: rawPublicKey(hub.publicKey),
    nodeKey: rawPublicKey(node.publicKey),
  };
  return { hub, node, context };
}

describe('keys', () => {
  const { hub, context } = pair();
  const key = streamKeys('hub', hub.privateKey, context)?.toNode;
  const others: readonly [string, Partial<StreamContext>][] = [
    ['fleet', { fleet: 'f'.repeat(32) }],
    ['node', { node: 'edge-2' }],
    ['request', { request: 'e'.repeat(32) }],
    ['command', { command: 'd'.repeat(64) }],
    ['hubKey', { hubKey: 'c'.repeat(64) }],
  ];
  for (const [name, change] of others) {
    test(`another ${name} makes other keys`, () => {
      const other = streamKeys('hub', hub.privateKey, { ...context, ...change })?.toNode;
      assert.ok(key && other && !key.equals(other));
    });
  }

  test('the two directions have different keys', () => {
    const keys = streamKeys('hub', hub.privateKey, context);
    assert.ok(keys && !keys.toNode.equals(keys.toHub));
  });

  // RFC 7748, section 6.1: the result would be known to everybody.
  for (const point of ['00'.repeat(32), `01${'00'.repeat(31)}`, `ecff${'ff'.repeat(29)}7f`]) {
    test(`a point of small order is no key: ${point.slice(0, 6)}…`, () => {
      assert.equal(streamKeys('hub', hub.privateKey, { ...context, nodeKey: point }), null);
    });
  }
});

describe('a frame', () => {
  const key = Buffer.alloc(32, 7);
  /** Five frames, numbered from 0. */
  const frames = () => {
    const sealer = new FrameSealer(key);
    return Array.from({ length: 5 }, (_, n) => sealer.seal(1, Buffer.from(`frame ${n}`)));
  };
  const flipped = (frame: Buffer | undefined, at: number) => {
    const copy = Buffer.from(frame ?? '');
    const place = at < 0 ? copy.length + at : at;
    copy.writeUInt8(copy.readUInt8(place) ^ 1, place);
    return copy;
  };
  const of = (...numbers: number[]) => numbers.map(n => frames()[n] ?? Buffer.alloc(0));
  const foreign = new FrameSealer(Buffer.alloc(32, 8)).seal(1, Buffer.from('x'));
  const ROWS: readonly [string, readonly Buffer[], string][] = [
    ['in order is taken', of(0, 1, 2), 'frame'],
    ['that comes twice, one after the other, counts once', of(0, 1, 1), 'duplicate'],
    ['after one that came twice is taken', of(0, 0, 0, 1), 'frame'],
    ['that is replayed later ends the stream', of(0, 1, 2, 0), 'Repeated'],
    ['that changed places with another ends the stream', of(0, 2), 'Skipped'],
    ['after one that was left out ends the stream', of(1), 'Skipped'],
    ['of another stream ends the stream', [foreign], 'Forged'],
    ['with another number in its head is forged', [flipped(of(0)[0], 8)], 'Forged'],
    ['with a bit flipped is forged', [flipped(of(0)[0], 12)], 'Forged'],
    ['with a bit of its tag flipped is forged', [flipped(of(0)[0], -1)], 'Forged'],
    [
      'that is a changed copy of the last one is forged',
      [...of(0), flipped(of(0)[0], 12)],
      'Forged',
    ],
    ['that was cut is forged', [of(0)[0]?.subarray(0, -1) ?? Buffer.alloc(0)], 'Forged'],
    ['of another version is none', [flipped(of(0)[0], 0)], 'Malformed'],
    ['too short to be one is none', [Buffer.from('01', 'hex')], 'Malformed'],
    ['of no bytes is none', [Buffer.alloc(0)], 'Malformed'],
    [
      'that is too large is not even decrypted',
      [Buffer.alloc(FRAME_PAYLOAD_MAX + 27, 1)],
      'TooLarge',
    ],
  ];
  for (const [sentence, sent, expected] of ROWS) {
    test(sentence, () => {
      const opener = new FrameOpener(key);
      let last: OpenedFrame | undefined;
      for (const frame of sent) last = opener.open(frame);
      assert.equal(last?.is === 'broken' ? last.why : last?.is, expected);
    });
  }

  test('may carry no bytes, and as many as the limit says, which fit into a message', () => {
    const [sealer, opener] = [new FrameSealer(key), new FrameOpener(key)];
    for (const bytes of [0, 1, FRAME_PAYLOAD_MAX]) {
      const frame = sealer.seal(2, Buffer.alloc(bytes, 9));
      assert.ok(frame.byteLength < 120 * 1024);
      const opened = opener.open(frame);
      assert.ok(opened.is === 'frame' && opened.payload.byteLength === bytes);
    }
    assert.throws(() => sealer.seal(2, Buffer.alloc(FRAME_PAYLOAD_MAX + 1)), RangeError);
  });

  test('is told from an envelope by its first byte', () => {
    assert.equal(isFrame(of(0)[0] ?? Buffer.alloc(0)), true);
    assert.equal(isFrame(Buffer.from('{"payload":""}')), false);
    assert.equal(isFrame(Buffer.alloc(0)), false);
  });
});
