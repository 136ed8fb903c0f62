/** Files that are carried: what is written is read, and what somebody else made of one is told. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pack } from 'tar-stream';
import {
  CarriedError,
  packCarried,
  readCarried,
  type CarriedEntry,
} from '../../../protocol/carried.js';
import { topicsOf } from '../../../protocol/topics.js';
import { FLEET } from '../../support/fleet.js';

const TOPICS = topicsOf(FLEET);
const MESSAGES = [
  { topic: TOPICS.root(1), payload: Buffer.from('root one') },
  { topic: TOPICS.node('edge-1', 'assignment'), payload: Buffer.from('assigned') },
  { topic: TOPICS.blob('ab'.repeat(32)), payload: Buffer.alloc(100_000, 7) },
];

async function* inPieces(bytes: Buffer, size = 1000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* from(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function written(images?: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const more = images ? { images: { size: images.length, bytes: inPieces(images) } } : {};
  for await (const chunk of packCarried(TOPICS, { fleet: FLEET, messages: MESSAGES, ...more })) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function read(bytes: Buffer): Promise<CarriedEntry[]> {
  const entries: CarriedEntry[] = [];
  for await (const entry of readCarried(inPieces(bytes))) entries.push(entry);
  return entries;
}

async function tarOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function cutTo(bytes: number): Promise<Buffer> {
  return (await written()).subarray(0, bytes);
}

async function cutBy(bytes: number): Promise<Buffer> {
  return (await written()).subarray(0, -bytes);
}

const MARKED = 'flotilla-carried';
const MARK = JSON.stringify({ fleet: FLEET, format: 1 });

describe('a file of messages', () => {
  test('gives what was put in, in its order, whatever pieces it comes in', async () => {
    const [mark, ...entries] = await read(await written());
    assert.deepEqual(mark, { is: 'mark', fleet: FLEET });
    assert.deepEqual(
      entries,
      MESSAGES.map(({ topic, payload }) => {
        return { is: 'message', topic: topic.slice(TOPICS.prefix.length), payload };
      }),
    );
  });

  test('is the same for the same content', async () => {
    assert.deepEqual(await written(), await written());
  });

  test('gives images as they come, and goes on behind images that nobody reads', async () => {
    const images = Buffer.alloc(300_000, 3);
    const chunks: Buffer[] = [];
    for await (const entry of readCarried(from(await written(images)))) {
      if (entry.is === 'images') for await (const chunk of entry.bytes) chunks.push(chunk);
    }
    assert.ok(Buffer.concat(chunks).equals(images));
    assert.deepEqual(
      (await read(await written(images))).map(({ is }) => is),
      ['mark', 'message', 'message', 'message', 'images'],
    );
  });

  test('may be left half-read', async () => {
    for await (const entry of readCarried(inPieces(await written()))) {
      if (entry.is === 'message') break;
    }
  });

  const large = 'x'.repeat(130_000);
  const strange: Record<string, [Readonly<Record<string, string>>, string]> = {
    'an entry that leads out of its folder': [{ '000001/node/../../etc/passwd': 'x' }, 'message'],
    'an entry that begins outside': [{ '000001/../../etc/passwd': 'x' }, 'unknown'],
    'an entry without a number': [{ 'root/1': 'x' }, 'unknown'],
    'a message larger than the wire has': [{ '000001/root/1': large }, 'unknown'],
    'a name with spaces': [{ '000001/root/ 1': 'x' }, 'unknown'],
  };
  for (const [what, [files, is]] of Object.entries(strange)) {
    test(`${what} is no more than ${is}: its name becomes no path`, async () => {
      const entries = await read(await tarOf({ 'flotilla-carried': MARK, ...files }));
      assert.deepEqual(
        entries.map(one => one.is),
        ['mark', is],
      );
      // A topic that is none is nobody's.
      const [, one] = entries;
      if (one?.is === 'message') assert.equal(TOPICS.parse(TOPICS.prefix + one.topic), null);
    });
  }

  const broken: Record<string, [() => Promise<Buffer>, RegExp]> = {
    'nothing at all': [async () => Buffer.alloc(0), /not a file that Flotilla wrote/],
    'a text': [async () => Buffer.from('hello\n'), /not a file that Flotilla wrote/],
    'another tar': [() => tarOf({ 'manifest.json': '[]' }), /not a file that Flotilla wrote/],
    'a newer format': [() => tarOf({ 'flotilla-carried': '{"format":2}' }), /newer Flotilla/],
    'no fleet': [() => tarOf({ 'flotilla-carried': '{"format":1}' }), /names no fleet/],
    'a mark that is no JSON': [() => tarOf({ 'flotilla-carried': '{' }), /not a file/],
    'one that was cut off': [async () => (await written()).subarray(0, 60_000), /cut off/],
    'one that ends behind its mark': [() => cutTo(1024), /^cut off; copy it again$/],
    'one that ends between two messages': [() => cutTo(2048), /^cut off; copy it again$/],
    'one that lacks its end alone': [() => cutBy(1024), /^cut off; copy it again$/],
    'one that lacks half of its end': [() => cutBy(512), /^cut off; copy it again$/],
    'one that ends with a message of zeros': [
      async () =>
        (await tarOf({ [MARKED]: MARK, '000001/root/1': '\0'.repeat(2048) })).subarray(0, -1024),
      /^cut off; copy it again$/,
    ],
    'one that ends within the header of its mark': [() => cutTo(300), /^cut off or damaged/],
    'one of which hardly its name is left': [() => cutTo(20), /^cut off or damaged/],
    'one that ends within its mark': [() => cutTo(530), /^cut off or damaged/],
  };
  for (const [what, [bytes, message]] of Object.entries(broken)) {
    test(`refuses ${what}`, async () => {
      await assert.rejects(read(await bytes()), (error: Error) => {
        assert.ok(error instanceof CarriedError, error.stack);
        assert.match(error.message, message);
        return true;
      });
    });
  }

  test('what is whole in more zeros than an end needs is whole', async () => {
    const [mark, ...messages] = await read(Buffer.concat([await written(), Buffer.alloc(8192)]));
    assert.equal(mark?.is, 'mark');
    assert.equal(messages.length, MESSAGES.length);
  });

  test('an error of the disk stays one', async () => {
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield (await written()).subarray(0, 2000);
      throw Object.assign(new Error('input/output error'), { code: 'EIO' });
    };
    await assert.rejects(
      async () => {
        for await (const entry of readCarried(failing())) void entry;
      },
      { code: 'EIO' },
    );
  });
});
