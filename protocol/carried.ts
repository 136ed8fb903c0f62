/**
 * Messages that are carried in a file instead of over MQTT: a POSIX tar whose first entry names the format and the fleet, then one
 * entry for each message, named by its place and its topic (`000003/node/edge-1/assignment`), and at most one archive of images. What
 * an entry holds is signed; the file proves nothing. Sums before the messages and behind the images tell what a bad stick or a bad cable
 * changed; a file of an older Flotilla has none. Pure: reading and writing files is the callers'.
 */
import { createHash } from 'node:crypto';
import { pack, type Pack } from 'tar-stream';
import { canonicalJson, sha256Hex } from './canonical.js';
import { MESSAGE_BYTES_MAX } from './limits.js';
import { TarCutOff, tarEntries, wholeEntry, type TarEntry } from './tar-entries.js';
import type { Topics } from './topics.js';

/** Name of the first entry. */
const MARK = 'flotilla-carried';
const FORMAT = 1;
/** Of each message: its entry's name and the SHA-256 of what it holds. */
const SUMS = 'flotilla-sums';
/** SHA-256 of the images. */
const IMAGES_SUM = 'flotilla-images-sum';
/** More is not read: then nothing is compared. */
const SUMS_BYTES_MAX = 16 * 1024 * 1024;
export const IMAGES_ENTRY = 'images.tar';
const NAME = /^\d{6}\/([a-z0-9][a-zA-Z0-9._/-]*)$/;
/** Longer names need other forms of tar. */
const NAME_MAX = 250;
const EPOCH = new Date(0);
/** What was read is something else altogether. */
export const NOT_CARRIED = 'not a file that Flotilla wrote for carrying';

/** The file cannot be read: not one of these, of a newer format, cut off. The message says which. */
export class CarriedError extends Error {
  override readonly name = 'CarriedError';
}

export interface CarriedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export type CarriedEntry =
  | { readonly is: 'mark'; readonly fleet: string }
  /** `topic` without the prefix of the fleet. */
  | { readonly is: 'message'; readonly topic: string; readonly payload: Buffer }
  /** To be read before the next entry; what is not read is passed over. */
  | { readonly is: 'images'; readonly bytes: AsyncIterable<Buffer> }
  | { readonly is: 'unknown'; readonly name: string };

export interface CarriedImages {
  readonly size: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** The bytes of a file. `messages` in the order in which they are to be read. */
export async function* packCarried(
  topics: Topics,
  {
    fleet,
    messages,
    images,
  }: {
    readonly fleet: string;
    readonly messages: Iterable<CarriedMessage>;
    readonly images?: CarriedImages | undefined;
  },
): AsyncGenerator<Buffer> {
  const tar = pack();
  const header = { mode: 0o600, mtime: EPOCH, uid: 0, gid: 0 };
  const fill = async () => {
    tar.entry({ ...header, name: MARK }, canonicalJson({ format: FORMAT, fleet }));
    const entries = [...messages].map(({ topic, payload }, index) => {
      const place = String(index + 1).padStart(6, '0');
      return { name: `${place}/${topic.slice(topics.prefix.length)}`, payload };
    });
    const sums = Object.fromEntries(entries.map(one => [one.name, sha256Hex(one.payload)]));
    tar.entry({ ...header, name: SUMS }, canonicalJson(sums));
    for (const { name, payload } of entries) tar.entry({ ...header, name }, Buffer.from(payload));
    if (images) {
      const name = IMAGES_ENTRY;
      const hash = createHash('sha256');
      const bytes = noted(images.bytes, chunk => hash.update(chunk));
      await copy(bytes, tar.entry({ ...header, name, size: images.size }));
      tar.entry({ ...header, name: IMAGES_SUM }, hash.digest('hex'));
    }
    tar.finalize();
  };
  const filling = fill().catch((error: unknown) => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  for await (const chunk of tar as AsyncIterable<Buffer>) yield chunk;
  await filling;
}

async function* noted<T extends Uint8Array>(
  bytes: AsyncIterable<T>,
  note: (chunk: T) => void,
): AsyncGenerator<T> {
  for await (const chunk of bytes) {
    note(chunk);
    yield chunk;
  }
}

async function copy(
  bytes: AsyncIterable<Uint8Array>,
  sink: ReturnType<Pack['entry']>,
): Promise<void> {
  for await (const chunk of bytes) {
    if (!sink.write(chunk))
      await new Promise<void>(done => sink.once('drain', () => done(undefined)));
  }
  sink.end(null);
}

/** Entry by entry, the mark first. Throws `CarriedError`, and what the reader of the bytes throws. */
export async function* readCarried(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<CarriedEntry> {
  let isMarked = false;
  const sums = new Sums();
  let head: Buffer = Buffer.alloc(0);
  const watched = async function* () {
    for await (const chunk of bytes) {
      const missing = MARK.length - head.byteLength;
      if (missing > 0) head = Buffer.concat([head, chunk.subarray(0, missing)]);
      yield chunk;
    }
  };
  try {
    for await (const entry of tarEntries(watched())) {
      if (isMarked && (await sums.took(entry))) continue;
      if (isMarked) yield sums.checked(await entryOf(sums.watched(entry)), entry);
      else yield { is: 'mark', fleet: await fleetOf(entry) };
      isMarked = true;
    }
  } catch (error) {
    // The disk's own errors have a code; they are the caller's to tell.
    if (error instanceof CarriedError || typeof (error as { code?: unknown }).code === 'string') {
      throw error;
    }
    // The name of the first entry is the first that is written.
    if (!isMarked && head.toString('latin1') !== MARK) throw new CarriedError(NOT_CARRIED);
    const isCut = error instanceof TarCutOff;
    const why = error instanceof Error ? error.message : String(error);
    throw new CarriedError(`${isCut ? 'cut off' : `cut off or damaged (${why})`}; copy it again`);
  }
  if (!isMarked) throw new CarriedError(NOT_CARRIED);
}

async function entryOf(entry: TarEntry): Promise<CarriedEntry> {
  const { name, type, size, bytes } = entry;
  if (type === 'file' && name === IMAGES_ENTRY) return { is: 'images', bytes };
  const [, topic] = (name.length <= NAME_MAX && NAME.exec(name)) || [];
  const isMessage = type === 'file' && topic !== undefined && size <= MESSAGE_BYTES_MAX;
  return isMessage
    ? { is: 'message', topic, payload: await wholeEntry(entry) }
    : { is: 'unknown', name };
}

async function fleetOf(entry: TarEntry): Promise<string> {
  if (entry.name !== MARK || entry.size > 1024) throw new CarriedError(NOT_CARRIED);
  const mark = await wholeEntry(entry);
  let value: { format?: unknown; fleet?: unknown } | null;
  try {
    value = JSON.parse(mark.toString('utf8')) as typeof value;
  } catch {
    throw new CarriedError(NOT_CARRIED);
  }
  if (value?.format !== FORMAT) throw new CarriedError('made by a newer Flotilla: update this one');
  if (typeof value.fleet === 'string' && /^[0-9a-f]{32}$/.test(value.fleet)) return value.fleet;
  throw new CarriedError('it names no fleet');
}

/** What was changed on the way is told as that, before anybody looks for a signature in it. */
class Sums {
  #ofMessages: Readonly<Record<string, unknown>> = {};
  #ofImages: string | null = null;

  /** True for a sum. Throws `CarriedError` for what is known not to be what was written. */
  async took(entry: TarEntry): Promise<boolean> {
    const isSum = entry.name === SUMS || entry.name === IMAGES_SUM;
    if (entry.type !== 'file' || !isSum || entry.size > SUMS_BYTES_MAX) return false;
    await (entry.name === SUMS ? this.#read(entry) : this.#compareImages(entry));
    return true;
  }

  /** Images are summed as somebody reads them. */
  watched(entry: TarEntry): TarEntry {
    return entry.name === IMAGES_ENTRY ? { ...entry, bytes: this.#counted(entry.bytes) } : entry;
  }

  /** Throws `CarriedError`. */
  checked(found: CarriedEntry, { name }: TarEntry): CarriedEntry {
    const sum = Object.hasOwn(this.#ofMessages, name) ? this.#ofMessages[name] : undefined;
    if (found.is !== 'message' || sum === undefined || sum === sha256Hex(found.payload)) {
      return found;
    }
    throw damaged(name);
  }

  async #read(entry: TarEntry): Promise<void> {
    try {
      const value = JSON.parse((await wholeEntry(entry)).toString('utf8')) as unknown;
      if (typeof value !== 'object' || value === null) throw damaged(SUMS);
      this.#ofMessages = value as Readonly<Record<string, unknown>>;
    } catch (error) {
      throw error instanceof SyntaxError ? damaged(SUMS) : error;
    }
  }

  async #compareImages(entry: TarEntry): Promise<void> {
    const sum = (await wholeEntry(entry)).toString('latin1');
    if (this.#ofImages !== null && this.#ofImages !== sum) throw damaged(IMAGES_ENTRY);
  }

  /** Null again where somebody stops in between: nothing is known of the rest. */
  async *#counted(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    yield* noted(bytes, chunk => hash.update(chunk));
    this.#ofImages = hash.digest('hex');
  }
}

function damaged(name: string): CarriedError {
  return new CarriedError(`damaged: ${name} is not what was written; copy it again`);
}
