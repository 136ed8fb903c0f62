/** A stick that gives back another byte than was written: told as damage, by the name of what it hit, before anybody judges a signature. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { whyNotLoad } from '../../../agent/carry/images.js';
import { CarriedError, packCarried, readCarried } from '../../../protocol/carried.js';
import { topicsOf } from '../../../protocol/topics.js';
import { FLEET } from '../../support/fleet.js';

const TOPICS = topicsOf(FLEET);
const MESSAGES = [
  { topic: TOPICS.root(1), payload: Buffer.from('the first root') },
  { topic: TOPICS.node('edge-1', 'assignment'), payload: Buffer.from('what is assigned') },
  { topic: TOPICS.blob('ab'.repeat(32)), payload: Buffer.alloc(100_000, 7) },
];
const IMAGES = Buffer.alloc(300_000, 'layer of an image ');

async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

async function written(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const images = { size: IMAGES.length, bytes: inPieces(IMAGES) };
  for await (const chunk of packCarried(TOPICS, { fleet: FLEET, messages: MESSAGES, images }))
    chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Topics that were given before it ended; all of the images are read. */
async function read(bytes: Buffer): Promise<string[]> {
  const topics: string[] = [];
  for await (const entry of readCarried(inPieces(bytes))) {
    if (entry.is === 'message') topics.push(entry.topic);
    if (entry.is === 'images') for await (const chunk of entry.bytes) void chunk;
  }
  return topics;
}

function flipped(bytes: Buffer, at: number): Buffer {
  const other = Buffer.from(bytes);
  other[at] = (other[at] ?? 0) ^ 1;
  return other;
}

describe('one flipped bit', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['in a root', 'the first root', '000001/root/1'],
    ['in an assignment', 'what is assigned', '000002/node/edge-1/assignment'],
    ['in content', '\x07\x07\x07\x07\x07\x07\x07\x07', `000003/blob/${'ab'.repeat(32)}`],
    ['in the images', 'layer of an image ', 'images.tar'],
    ['in the sums', '{"000001/', 'flotilla-sums'],
  ];
  for (const [where, text, name] of rows) {
    test(`${where} is told as damage of ${name}`, async () => {
      const bytes = await written();
      const at = bytes.indexOf(Buffer.from(text, 'latin1'));
      assert.ok(at > 0);
      const message = `damaged: ${name} is not what was written; copy it again`;
      await assert.rejects(read(flipped(bytes, at)), error => {
        assert.ok(error instanceof CarriedError);
        assert.equal(error.message, message);
        return true;
      });
    });
  }

  test('behind the images that nobody reads: nothing is said of them', async () => {
    const bytes = await written();
    const topics: string[] = [];
    const damaged = flipped(bytes, bytes.indexOf('layer of an image '));
    for await (const entry of readCarried(inPieces(damaged)))
      if (entry.is === 'message') topics.push(entry.topic);
    assert.equal(topics.length, MESSAGES.length);
  });

  test('nowhere: all of it is given', async () => {
    assert.deepEqual(await read(await written()), [
      'root/1',
      'node/edge-1/assignment',
      `blob/${'ab'.repeat(32)}`,
    ]);
  });
});

describe('an archive of images that is damaged in the middle', () => {
  test('is refused as that, and is no fault of the agent', async () => {
    const noise = Buffer.alloc(4096, 'no header of a tar ');
    assert.match((await whyNotLoad(inPieces(noise), [])) ?? '', /^it is damaged \(.+\): copy it/);
  });
});
