/**
 * Header blocks of SPDY/3 (section 2.6.10): name and value pairs in one zlib stream per direction, primed with the
 * common dictionary. What comes in is inflated within limits; what goes out is stored, not squeezed: a few bytes per
 * stream, and no state but whether the stream of blocks has begun.
 */
import { constants, createInflate, type Inflate } from 'node:zlib';
import { HEADER_DICTIONARY, HEADER_DICTIONARY_ID } from './dictionary.js';
import { SpdyError } from './frames.js';

/** Compressed and not. A block inflates at most a thousandfold, so the first bounds what memory one can take. */
const BLOCK_BYTES_MAX = 4 * 1024;
const HEADER_BYTES_MAX = 16 * 1024;
const INFLATED_MAX = BLOCK_BYTES_MAX * 1100;
const PAIRS_MAX = 64;
/** Of a stored block of deflate (RFC 1951, 3.2.4). */
const STORED_MAX = 0xffff;
/** An empty one, as Z_SYNC_FLUSH ends with: Go's inflate hands out nothing before. */
const FLUSH = Buffer.from([0, 0, 0, 0xff, 0xff]);

export type Headers = ReadonlyMap<string, string>;

function parse(bytes: Buffer): Headers {
  let at = 0;
  const number = () => {
    if (bytes.length < at + 4) throw new SpdyError('a header block breaks off');
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = () => {
    const length = number();
    if (bytes.length < at + length) throw new SpdyError('a header block breaks off');
    at += length;
    return bytes.toString('latin1', at - length, at);
  };
  const count = number();
  if (count > PAIRS_MAX) throw new SpdyError(`${count} headers: at most ${PAIRS_MAX}`);
  const headers = new Map<string, string>();
  for (let n = 0; n < count; n++) {
    const name = text().toLowerCase();
    headers.set(name, text());
  }
  return headers;
}

/** Of one connection: blocks must be given in the order in which they came, one after the other. */
export class HeaderReader {
  readonly #inflate: Inflate;
  /** Of the block under way: bad bytes are told by an event alone. */
  #failed: (error: Error) => void = () => {};

  constructor() {
    // The types do not know that it is a stream like others, with a buffer of a size.
    const options = {
      dictionary: HEADER_DICTIONARY,
      flush: constants.Z_SYNC_FLUSH,
      finishFlush: constants.Z_SYNC_FLUSH,
      readableHighWaterMark: INFLATED_MAX,
    };
    this.#inflate = createInflate(options);
    this.#inflate.on('error', error => this.#failed(error));
  }

  /** Names in lower case. Throws `SpdyError`. */
  async read(block: Buffer): Promise<Headers> {
    if (block.length > BLOCK_BYTES_MAX) {
      throw new SpdyError(`a header block of ${block.length} bytes: at most ${BLOCK_BYTES_MAX}`);
    }
    const error = await new Promise<Error | null | undefined>(resolve => {
      this.#failed = resolve;
      // Called when the block is inflated whole: its output stands in the buffer of the paused stream.
      this.#inflate.write(block, resolve);
    });
    if (error) throw new SpdyError(`a header block is not readable: ${error.message}`);
    const bytes = (this.#inflate.read() as Buffer | null) ?? Buffer.alloc(0);
    if (bytes.length > HEADER_BYTES_MAX) {
      throw new SpdyError(`${bytes.length} bytes of headers: at most ${HEADER_BYTES_MAX}`);
    }
    return parse(bytes);
  }

  close(): void {
    this.#inflate.destroy();
  }
}

function counted(text: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(text, 'latin1'));
  return Buffer.concat([length, Buffer.from(text, 'latin1')]);
}

/** Of one connection: the blocks must be sent in the order in which they are made. */
export class HeaderWriter {
  #begun = false;

  write(headers: Headers): Buffer {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(headers.size);
    const pairs = [...headers].flatMap(([name, value]) => [counted(name), counted(value)]);
    const bytes = Buffer.concat([count, ...pairs]);
    if (bytes.length > STORED_MAX) throw new SpdyError('too many headers for one block');
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(bytes.length, 1);
    stored.writeUInt16LE(bytes.length ^ 0xffff, 3);
    if (this.#begun) return Buffer.concat([stored, bytes, FLUSH]);
    this.#begun = true;
    // RFC 1950: deflate with a window of 32 KiB, a dictionary follows; then its Adler-32.
    const head = Buffer.from([0x78, 0xbb, 0, 0, 0, 0]);
    head.writeUInt32BE(HEADER_DICTIONARY_ID, 2);
    return Buffer.concat([head, stored, bytes, FLUSH]);
  }
}
