/** The entries of a tar, one after the other, from bytes that come in pieces: nothing is held but what the caller reads. */
import { extract } from 'tar-stream';

export interface TarEntry {
  readonly name: string;
  /** `file`, `directory`, `symlink` … */
  readonly type: string;
  /** In bytes, as the header says it. */
  readonly size: number;
  /** To be read before the next entry; what is not read is passed over. */
  readonly bytes: AsyncIterable<Buffer>;
}

/** Throws for what is no tar or is cut off, and what the reader of the bytes throws. */
export async function* tarEntries(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const tar = extract();
  const feed = async () => {
    for await (const chunk of bytes) {
      if (tar.destroyed) return;
      if (tar.write(Buffer.from(chunk))) continue;
      await new Promise<void>(done => {
        tar.once('drain', () => done(undefined));
        tar.once('close', () => done(undefined));
      });
    }
    tar.end(null);
  };
  const feeding = feed().catch((error: unknown) => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    for await (const entry of tar) {
      const { name, type, size = 0 } = entry.header;
      yield { name, type: type ?? 'file', size, bytes: entry as AsyncIterable<Buffer> };
      entry.resume();
    }
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
