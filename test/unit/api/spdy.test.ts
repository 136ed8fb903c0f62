/** SPDY/3.1: frames against their bytes, header blocks against zlib, and what a peer that breaks the rules gets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { constants, createDeflate } from 'node:zlib';
import { fc } from '../../support/properties.js';
import { SpdyConnection, type SpdyStream } from '../../../hub/api/spdy/connection.js';
import { HEADER_DICTIONARY, HEADER_DICTIONARY_ID } from '../../../hub/api/spdy/dictionary.js';
import {
  CONTROL_BYTES_MAX,
  encodeFrame,
  FrameReader,
  SpdyError,
  type Frame,
} from '../../../hub/api/spdy/frames.js';
import { HeaderReader, HeaderWriter } from '../../../hub/api/spdy/headers.js';
import { CLOCK } from '../../support/api-server.js';

const BLOCK = Buffer.from('block');

const FRAMES: readonly (readonly [string, Frame, string])[] = [
  [
    'SYN_STREAM',
    { type: 'synStream', id: 1, fin: false, block: BLOCK },
    '80030001 0000000f 00000001 00000000 0000 626c6f636b',
  ],
  [
    'SYN_STREAM whose half is closed',
    { type: 'synStream', id: 3, fin: true, block: BLOCK },
    '80030001 0100000f 00000003 00000000 0000 626c6f636b',
  ],
  [
    'SYN_REPLY',
    { type: 'synReply', id: 1, fin: false, block: BLOCK },
    '80030002 00000009 00000001 626c6f636b',
  ],
  [
    'HEADERS',
    { type: 'headers', id: 5, fin: false, block: BLOCK },
    '80030008 00000009 00000005 626c6f636b',
  ],
  ['RST_STREAM', { type: 'rstStream', id: 7, status: 5 }, '80030003 00000008 00000007 00000005'],
  ['PING', { type: 'ping', id: 0xffffffff }, '80030006 00000004 ffffffff'],
  ['GOAWAY', { type: 'goAway', lastId: 9, status: 1 }, '80030007 00000008 00000009 00000001'],
  [
    'WINDOW_UPDATE',
    { type: 'windowUpdate', id: 0, delta: 17 },
    '80030009 00000008 00000000 00000011',
  ],
  ['DATA', { type: 'data', id: 1, fin: false, bytes: Buffer.from('hi') }, '00000001 00000002 6869'],
  [
    'DATA, the last',
    { type: 'data', id: 1, fin: true, bytes: Buffer.alloc(0) },
    '00000001 01000000',
  ],
];

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

describe('frames', () => {
  for (const [name, frame, hex] of FRAMES) {
    test(`${name}: written, and read whole or byte by byte`, () => {
      assert.equal(encodeFrame(frame).toString('hex'), bytesOf(hex).toString('hex'));
      assert.deepEqual(new FrameReader().push(bytesOf(hex)), [frame]);
      const reader = new FrameReader();
      const frames = [...bytesOf(hex)].flatMap(byte => reader.push(Buffer.from([byte])));
      const merged = Buffer.concat(frames.map(f => ('bytes' in f ? f.bytes : Buffer.alloc(0))));
      assert.deepEqual('bytes' in frame ? { ...frames.at(-1), bytes: merged } : frames[0], frame);
    });
  }

  const PASSED_OVER: readonly (readonly [string, string])[] = [
    ['SETTINGS', '80030004 0000000c 00000001 01000004 00000064'],
    ['CREDENTIAL', '8003000a 00000002 0000'],
    ['a type that nobody knows', '800300ff 00000001 00'],
  ];
  for (const [name, hex] of PASSED_OVER) {
    test(`${name} is passed over, and what follows is read`, () => {
      const ping = encodeFrame({ type: 'ping', id: 1 });
      assert.deepEqual(new FrameReader().push(Buffer.concat([bytesOf(hex), ping])), [
        { type: 'ping', id: 1 },
      ]);
    });
  }

  const BROKEN: readonly (readonly [string, string])[] = [
    ['another version', '80020006 00000004 00000001'],
    ['HTTP in the clear', Buffer.from('\x80GET / HTTP/1.1').toString('hex')],
    ['a SYN_STREAM without its numbers', '80030001 00000004 00000001'],
    ['a PING without its number', '80030006 00000002 0001'],
    ['a RST_STREAM without its status', '80030003 00000004 00000001'],
    ['a control frame above the limit', '80030001 00ffffff 00000001'],
  ];
  for (const [name, hex] of BROKEN) {
    test(`${name} ends the connection`, () => {
      assert.throws(() => new FrameReader().push(bytesOf(hex)), SpdyError);
    });
  }

  test('a data frame of 16 MiB costs no more memory than what came of it', () => {
    const reader = new FrameReader();
    const head = bytesOf('00000001 00ffffff');
    assert.deepEqual(reader.push(head), []);
    const [piece] = reader.push(Buffer.alloc(1000));
    assert.deepEqual(piece, { type: 'data', id: 1, fin: false, bytes: Buffer.alloc(1000) });
  });

  test('any bytes are frames or a SpdyError, and never kept beyond a control frame', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), chunks => {
        const reader = new FrameReader();
        try {
          for (const chunk of chunks) reader.push(Buffer.from(chunk));
        } catch (error) {
          assert.ok(error instanceof SpdyError, String(error));
        }
      }),
    );
    assert.ok(CONTROL_BYTES_MAX <= 16 * 1024);
  });
});

/** As the client's library writes it: one deflate stream, flushed after each block. */
class Deflated {
  readonly #deflate = createDeflate({
    dictionary: HEADER_DICTIONARY,
    flush: constants.Z_SYNC_FLUSH,
  });

  async block(pairs: readonly (readonly [string, string])[]): Promise<Buffer> {
    const counted = (text: string) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      return [length, Buffer.from(text)];
    };
    const count = Buffer.alloc(4);
    count.writeUInt32BE(pairs.length);
    return this.raw(Buffer.concat([count, ...pairs.flat().flatMap(counted)]));
  }

  async raw(bytes: Buffer): Promise<Buffer> {
    await new Promise(resolve => this.#deflate.write(bytes, resolve));
    return this.#deflate.read() as Buffer;
  }
}

describe('header blocks', () => {
  test('the dictionary is the one that zlib knows by its Adler-32', () => {
    let [a, b] = [1, 0];
    for (const byte of HEADER_DICTIONARY) {
      a = (a + byte) % 65521;
      b = (b + a) % 65521;
    }
    assert.equal(b * 65536 + a, HEADER_DICTIONARY_ID);
  });

  test('blocks of one connection are read in turn, names in lower case', async () => {
    const client = new Deflated();
    const reader = new HeaderReader();
    for (const [name, value] of [
      ['streamtype', 'error'],
      ['Streamtype', 'stdin'],
      ['port', '8080'],
    ] as const) {
      const headers = await reader.read(await client.block([[name, value]]));
      assert.deepEqual([...headers], [[name.toLowerCase(), value]]);
    }
    assert.deepEqual([...(await reader.read(await client.block([])))], []);
    reader.close();
  });

  test('what is written can be inflated by another', async () => {
    const writer = new HeaderWriter();
    const reader = new HeaderReader();
    for (const headers of [
      new Map(),
      new Map([['a', 'b']]),
      new Map([
        ['c', 'd'],
        ['e', ''],
      ]),
    ]) {
      assert.deepEqual(await reader.read(writer.write(headers)), headers);
    }
  });

  const BAD: readonly (readonly [string, () => Promise<Buffer>])[] = [
    ['no zlib', async () => Buffer.from('nonsense that is no zlib')],
    ['a block that breaks off', () => new Deflated().raw(bytesOf('00000002 00000001 61'))],
    ['a length beyond the block', () => new Deflated().raw(bytesOf('00000001 7fffffff'))],
    ['too many headers', () => new Deflated().raw(bytesOf('00010000'))],
    ['a block that inflates to a megabyte', () => new Deflated().raw(Buffer.alloc(1 << 20))],
    ['a block of five kilobytes', async () => Buffer.alloc(5000)],
    ['nothing', async () => Buffer.alloc(0)],
  ];
  for (const [name, block] of BAD) {
    test(`${name}: SpdyError`, async () => {
      const reader = new HeaderReader();
      await assert.rejects(reader.read(await block()), SpdyError);
      reader.close();
    });
  }
});

describe('a connection', () => {
  let client: Socket;
  let server: Socket;
  let connection: SpdyConnection;
  let opened: SpdyStream[];
  let deflated: Deflated;
  const frames: Frame[] = [];

  beforeEach(async () => {
    const listener = createServer({ allowHalfOpen: true });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    client = connect((listener.address() as AddressInfo).port, '127.0.0.1');
    [server] = (await once(listener, 'connection')) as [Socket];
    listener.close();
    opened = [];
    frames.length = 0;
    deflated = new Deflated();
    connection = new SpdyConnection({
      duplex: server,
      head: Buffer.alloc(0),
      clock: CLOCK,
      streamsMax: 2,
      onStream: stream => void opened.push(stream),
    });
    const reader = new FrameReader();
    client.on('data', (chunk: Buffer) => frames.push(...reader.push(chunk)));
  });
  afterEach(() => {
    client.destroy();
    server.destroy();
  });

  const say = (frame: Frame) => client.write(encodeFrame(frame));
  const open = async (id: number, fin = false) => {
    say({ type: 'synStream', id, fin, block: await deflated.block([['n', String(id)]]) });
  };
  const answered = async (isIt: (frame: Frame) => boolean) => {
    while (!frames.some(isIt)) await once(client, 'data');
  };

  test('a stream is answered, echoes, and each half ends by itself', async () => {
    await open(1);
    await answered(f => f.type === 'synReply' && f.id === 1);
    say({ type: 'data', id: 1, fin: true, bytes: Buffer.from('ping') });
    const [stream] = opened;
    assert.ok(stream);
    for await (const bytes of stream.input) await stream.write(bytes);
    stream.end();
    await answered(f => f.type === 'data' && f.fin);
    const data = frames.flatMap(f => (f.type === 'data' ? [f.bytes.toString()] : []));
    assert.equal(data.join(''), 'ping');
  });

  test('what was read is given back to a sender that keeps windows', async () => {
    await open(1);
    say({ type: 'data', id: 1, fin: false, bytes: Buffer.alloc(1000) });
    await answered(f => f.type === 'synReply');
    opened[0]?.discard();
    await answered(f => f.type === 'windowUpdate' && f.id === 0 && f.delta === 1000);
  });

  test('a ping comes back, one of ours would not', async () => {
    say({ type: 'ping', id: 2 });
    say({ type: 'ping', id: 3 });
    await answered(f => f.type === 'ping');
    assert.deepEqual(frames, [{ type: 'ping', id: 3 }]);
  });

  test('a stream too many is refused, the others go on', async () => {
    for (const id of [1, 3, 5]) await open(id);
    await answered(f => f.type === 'rstStream' && f.id === 5 && f.status === 3);
    assert.deepEqual(
      opened.map(({ id, headers }) => [id, headers.get('n')]),
      [
        [1, '1'],
        [3, '3'],
      ],
    );
  });

  for (const [name, ids] of [
    ['an even number', [2]],
    ['a number twice', [1, 1]],
    ['a lower number', [3, 1]],
  ] as const) {
    test(`${name} for a stream: GOAWAY, then the end`, async () => {
      for (const id of ids) await open(id);
      await answered(f => f.type === 'goAway' && f.status === 1);
      await once(client, 'end');
      client.end();
      await connection.closed;
    });
  }

  test('a reset stream ends its reader', async () => {
    await open(1);
    await answered(f => f.type === 'synReply');
    const [stream] = opened;
    assert.ok(stream);
    say({ type: 'rstStream', id: 1, status: 5 });
    for await (const _ of stream.input) assert.fail('nothing was sent');
    await stream.write(Buffer.from('to nobody'));
    await open(3);
    await answered(f => f.type === 'synReply' && f.id === 3);
    assert.ok(!frames.some(f => f.type === 'data'));
  });

  test('who reads nothing makes the sender wait: no more than a bounded part is taken', async () => {
    await open(1);
    const total = 64 * 1024 * 1024;
    const piece = encodeFrame({ type: 'data', id: 1, fin: false, bytes: Buffer.alloc(1 << 20) });
    for (let sent = 0; sent < total; sent += 1 << 20) client.write(piece);
    await answered(f => f.type === 'synReply');
    let before = -1;
    while (server.bytesRead > before) {
      before = server.bytesRead;
      await CLOCK.sleep(100);
    }
    assert.ok(before < 4 * 1024 * 1024, `${before} bytes were read`);
    opened[0]?.discard();
    while (server.bytesRead < total) await CLOCK.sleep(20);
  });

  test('a client that goes ends every stream', async () => {
    await open(1);
    await answered(f => f.type === 'synReply');
    client.destroy();
    for await (const _ of opened[0]?.input ?? []) assert.fail('nothing was sent');
    await connection.closed;
  });
});
