/** Prints what one of several logs says: its bytes as they are, or whole lines where others print in between. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';

const NEWLINE = 10;
/** A line that has no end is printed in parts. */
const LINE_BYTES_MAX = 256 * 1024;

export class LogPrinter {
  readonly #out: Writable;
  readonly #prefix: string;
  readonly #lines: boolean;
  #rest: Buffer = Buffer.alloc(0);

  /** `lines`: others print to the same place. A prefix goes before each line, and needs lines too. */
  constructor(out: Writable, { prefix, lines }: { prefix: string; lines: boolean }) {
    this.#out = out;
    this.#prefix = prefix;
    this.#lines = lines || prefix !== '';
  }

  /** Resolves when the output takes more. */
  async print(bytes: Buffer): Promise<void> {
    if (!this.#lines) return this.#write(bytes);
    const all = Buffer.concat([this.#rest, bytes]);
    const end = all.length > LINE_BYTES_MAX ? all.length : all.lastIndexOf(NEWLINE) + 1;
    this.#rest = all.subarray(end);
    await this.#write(this.#prefixed(all.subarray(0, end)));
  }

  /** What stands there without an end of line. */
  async end(): Promise<void> {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    if (rest.length > 0)
      await this.#write(this.#prefixed(Buffer.concat([rest, Buffer.from('\n')])));
  }

  #prefixed(bytes: Buffer): Buffer {
    if (this.#prefix === '') return bytes;
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline === -1 ? bytes.length : newline + 1;
      pieces.push(Buffer.from(this.#prefix), bytes.subarray(at, end));
      at = end;
    }
    return Buffer.concat(pieces);
  }

  async #write(bytes: Buffer): Promise<void> {
    if (bytes.length > 0 && !this.#out.write(bytes)) await once(this.#out, 'drain');
  }
}
