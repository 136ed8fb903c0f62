/**
 * Files in one archive, for a mail, a stick or an upload: a POSIX tar (ustar) of plain files, without times, owners or
 * compression, so that equal content gives equal bytes. The reader takes that one form and nothing else: it packs what it
 * read again and compares. No name of an archive ever becomes a path here.
 */
import { extract, pack } from 'tar-stream';
import { accept, refuse, type Result } from '../../protocol/refusal.js';

/** First entry of every archive, and so its first bytes; its content is the version of the format. */
const MARK = 'flotilla-archive';
const VERSION = '1\n';
/** A bundle has 512 manifests, each in a blob or more. */
const ENTRIES_MAX = 2048;
/** 8 MiB of manifests with headers and padding. */
export const ARCHIVE_BYTES_MAX = 12 * 1024 * 1024;
/** As HTTP calls it. */
export const ARCHIVE_TYPE = 'application/x-tar';
/** Longer names would need a form of tar that has several spellings. */
const NAME = /^[a-z0-9][a-z0-9._/-]{0,98}$/;
const EPOCH = new Date(0);

export type Entries = ReadonlyMap<string, Buffer>;

/** Whether bytes mean to be an archive: their beginning is enough. */
export function isArchive(beginning: Uint8Array): boolean {
  return Buffer.from(beginning.subarray(0, MARK.length + 1)).equals(Buffer.from(`${MARK}\0`));
}

/** Entries in the order of their names, whatever order they come in. */
export async function packArchive(entries: Entries): Promise<Buffer> {
  const tar = pack();
  const add = (name: string, content: string | Buffer) =>
    tar.entry({ name, mode: 0o644, mtime: EPOCH, uid: 0, gid: 0 }, content);
  add(MARK, VERSION);
  for (const name of [...entries.keys()].sort()) add(name, entries.get(name) ?? Buffer.alloc(0));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Refuses with TooLarge, Malformed, BadName (an entry that is no plain file of a plain name), Conflict. */
export async function readArchive(bytes: Buffer): Promise<Result<Entries>> {
  const what = 'archive';
  if (bytes.byteLength > ARCHIVE_BYTES_MAX) {
    return refuse(
      'TooLarge',
      `${what}: ${bytes.byteLength} bytes, the limit is ${ARCHIVE_BYTES_MAX}`,
    );
  }
  if (!isArchive(bytes)) return refuse('Malformed', `${what}: not one of Flotilla's`);
  const entries = new Map<string, Buffer>();
  const tar = extract();
  tar.end(bytes);
  try {
    for await (const entry of tar) {
      const { name, type } = entry.header;
      // The text of a name may be anything: it is told only where it is harmless.
      if (type !== 'file' || !NAME.test(name) || name.includes('..')) {
        return refuse('BadName', `${what}: entry ${entries.size + 1} is not a plain file`);
      }
      if (entries.has(name)) return refuse('Conflict', `${what}: two entries named ${name}`);
      if (entries.size > ENTRIES_MAX) return refuse('TooLarge', `${what}: too many entries`);
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
      entries.set(name, Buffer.concat(chunks));
    }
  } catch {
    return refuse('Malformed', `${what}: cut off or damaged; copy it again`);
  }
  const version = entries.get(MARK)?.toString();
  entries.delete(MARK);
  if (version !== VERSION) return refuse('Unsupported', `${what}: of a newer Flotilla`);
  const again = await packArchive(entries);
  if (again.equals(bytes)) return accept(entries);
  return refuse('Malformed', `${what}: cut off, damaged, or not packed by Flotilla; copy it again`);
}
