/**
 * A backup as one file: tar (POSIX ustar) in gzip, encrypted with age or not. Written to a draft beside it, flushed and
 * renamed; read entry by entry, never trusting a name or a size that its description does not list.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { Transform, type Readable, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { extract, pack, type Pack } from 'tar-stream';
import { SetupError } from '../setup/setup-error.js';
import {
  DESCRIPTION_BYTES_MAX,
  DESCRIPTION_FILE,
  parseDescription,
  type BackedUpFile,
  type BackupDescription,
} from './description.js';
import { isDiskError } from './disk-fault.js';
import { openProtected, protect, type Opening, type Protection } from './protection.js';

/** Where the bytes of a file to be packed lie. */
export interface Source {
  readonly file: BackedUpFile;
  /** On disk. */
  readonly from: string;
}

export interface Packing {
  readonly description: string;
  readonly sources: readonly Source[];
  readonly protection: Protection;
  /** Seconds since 1970, of every entry. */
  readonly madeAtS: number;
}

/** SHA-256 of what lies on disk, and its size. */
export async function digestOf(path: string): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(path)) {
    const bytes = chunk as Buffer;
    size += bytes.byteLength;
    hash.update(bytes);
  }
  return { size, sha256: hash.digest('hex') };
}

/** Makes the file, mode 0600; the caller has seen that there is none. Flushed when it resolves. */
export async function writeArchive(path: string, packing: Packing): Promise<void> {
  const packed = pack();
  const gzip = createGzip({ level: 6 });
  const filling = fill(packed, packing);
  const body = await protect(packed.pipe(gzip), packing.protection);
  const out = createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true });
  await Promise.all([filling, pipeline(body, out)]);
}

async function fill(packed: Pack, { description, sources, madeAtS }: Packing): Promise<void> {
  try {
    const header = { mode: 0o600, mtime: new Date(madeAtS * 1000) };
    packed.entry({ ...header, name: DESCRIPTION_FILE }, description);
    for (const { file, from } of sources) {
      const entry = packed.entry({ ...header, name: file.path, size: file.size });
      await pipeline(createReadStream(from, { end: Math.max(0, file.size - 1) }), entry);
    }
    packed.finalize();
  } catch (error) {
    packed.destroy(error as Error);
    throw error;
  }
}

/**
 * Hands every file to `keep`, which consumes its stream, and checks sizes and digests against the description. Throws
 * `SetupError`: BadBackup for what is damaged, cut short or no backup; WrongPassphrase; Missing. Errors of the file system go through.
 */
export async function readArchive(
  path: string,
  opening: Opening,
  keep: (file: BackedUpFile, content: Readable, description: BackupDescription) => Promise<void>,
): Promise<BackupDescription> {
  const tar = extract();
  const body = await openProtected(path, opening);
  const feeding = pipeline(body, createGunzip(), tar);
  feeding.catch(() => undefined);
  const seen = new Set<string>();
  let description: BackupDescription | null = null;
  try {
    for await (const entry of tar) {
      const { name, type } = entry.header;
      if (!description) {
        if (name !== DESCRIPTION_FILE)
          throw new SetupError('BadBackup', `${path}: not a backup of a hub`);
        description = parseDescription(await textOf(entry as unknown as Readable, path), path);
        continue;
      }
      const file = description.files.find(listed => listed.path === name);
      if (!file || type !== 'file' || seen.has(name)) {
        throw new SetupError(
          'BadBackup',
          `${path}: holds ${name}, which its description does not list`,
        );
      }
      seen.add(name);
      const of = description;
      const checked = new Checked(file, path);
      await Promise.all([pipeline(entry as unknown as Readable, checked), keep(file, checked, of)]);
    }
    await feeding;
  } catch (error) {
    tar.destroy();
    if (error instanceof SetupError || isDiskError(error)) throw error;
    throw new SetupError(
      'BadBackup',
      `${path}: no backup of a hub, or a damaged one; use another (${reasonOf(error)})`,
    );
  }
  const lacking = description?.files.find(file => !seen.has(file.path));
  if (!description || lacking) {
    throw new SetupError(
      'BadBackup',
      `${path}: lacks ${lacking?.path ?? DESCRIPTION_FILE}; use another backup`,
    );
  }
  return description;
}

/** Passes bytes on; fails at the end unless they are those that the description names. */
class Checked extends Transform {
  readonly #hash = createHash('sha256');
  readonly #file: BackedUpFile;
  readonly #archive: string;
  #size = 0;

  constructor(file: BackedUpFile, archive: string) {
    super();
    this.#file = file;
    this.#archive = archive;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.#size += chunk.byteLength;
    this.#hash.update(chunk);
    done(this.#size > this.#file.size ? this.#altered() : null, chunk);
  }

  override _flush(done: TransformCallback): void {
    const { size, sha256 } = this.#file;
    done(this.#size === size && this.#hash.digest('hex') === sha256 ? null : this.#altered());
  }

  #altered(): SetupError {
    return new SetupError(
      'BadBackup',
      `${this.#archive}: ${this.#file.path} was altered; use another backup`,
    );
  }
}

async function textOf(entry: Readable, path: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of entry) {
    const bytes = chunk as Buffer;
    size += bytes.byteLength;
    if (size > DESCRIPTION_BYTES_MAX) {
      throw new SetupError('BadBackup', `${path}: its ${DESCRIPTION_FILE} is too large`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
