/** The entries of a tar, one after the other, from bytes that come in pieces: nothing is held but what the caller reads. */
import { extract, type Extract, type Header } from 'tar-stream';

export interface TarEntry {
  readonly name: string;
  /** `file`, `directory`, `symlink` … */
  readonly type: string;
  /** In bytes, as the header says it. */
  readonly size: number;
  /** To be read before the next entry; what is not read is passed over. */
  readonly bytes: AsyncIterable<Buffer>;
}

/** The bytes end between two entries: nothing of what was read is damaged, and the rest is missing. */
export class TarCutOff extends Error {
  override readonly name = 'TarCutOff';
}

const BLOCK_BYTES = 512;
/** POSIX (pax, "ustar Interchange Format"): an archive ends with two blocks of zeros, or more. */
const END_BYTES = 2 * BLOCK_BYTES;
const END = Buffer.alloc(END_BYTES);

type PlacedHeader = Header & { readonly byteOffset?: number };

const wholeBlocks = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;

/** Until it takes more, or is closed: then it takes nothing any more. */
function hasRoom(tar: Extract): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      tar.off('drain', done);
      tar.off('close', done);
      resolve();
    };
    tar.on('drain', done);
    tar.on('close', done);
  });
}

/** Throws for what is no tar or is cut off (`TarCutOff`: where an entry ends), and what the reader of the bytes throws. */
export async function* tarEntries(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const tar = extract();
  let read = 0;
  let tail: Buffer = Buffer.alloc(0);
  const feed = async () => {
    for await (const chunk of bytes) {
      read += chunk.byteLength;
      tail = Buffer.concat([tail, chunk.subarray(-END_BYTES)]).subarray(-END_BYTES);
      if (tar.destroyed) return;
      if (tar.write(Buffer.from(chunk))) continue;
      await hasRoom(tar);
    }
    tar.end(null);
  };
  const feeding = feed().catch((error: unknown) => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  let entriesEnd = 0;
  try {
    for await (const entry of tar) {
      // The types of the library do not name it: where the content begins.
      const { name, type, size = 0, byteOffset = 0 } = entry.header as PlacedHeader;
      entriesEnd = byteOffset + (type === 'directory' ? 0 : wholeBlocks(size));
      yield { name, type: type ?? 'file', size, bytes: entry as AsyncIterable<Buffer> };
      entry.resume();
    }
    // Zeros that an entry holds are no end.
    if (read - entriesEnd < END_BYTES || !tail.equals(END))
      throw new TarCutOff('its end is missing');
  } finally {
    tar.destroy();
    await feeding;
  }
}

export async function wholeEntry({ bytes }: TarEntry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}
