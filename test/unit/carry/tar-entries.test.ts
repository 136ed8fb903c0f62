/** The entries of a tar of any size, in pieces of any size. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pack } from 'tar-stream';
import { tarEntries, wholeEntry } from '../../../protocol/tar-entries.js';

const warnings: string[] = [];
const note = ({ message }: Error) => void warnings.push(message);

before(() => process.on('warning', note));
after(() => process.off('warning', note));

async function tarOf(entries: Readonly<Record<string, Buffer>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, bytes] of Object.entries(entries)) tar.entry({ name }, bytes);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

test('a reader who is slow is waited for at every piece, and nothing grows with their number', async () => {
  const large = Buffer.alloc(1 << 20, 'x');
  const tar = await tarOf({ large, small: Buffer.from('y') });
  const read: [string, number][] = [];
  for await (const entry of tarEntries(inPieces(tar, 16 * 1024))) {
    read.push([entry.name, (await wholeEntry(entry)).byteLength]);
  }
  await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(read, [
    ['large', large.byteLength],
    ['small', 1],
  ]);
  assert.deepEqual(warnings, []);
});
