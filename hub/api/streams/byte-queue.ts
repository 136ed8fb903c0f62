/**
 * Bytes from one that pushes to one that pulls, in order. A push resolves when its bytes were taken, so that the pusher
 * can go at the puller's pace. For one reader; after its end nothing is kept.
 */

interface Waiting {
  readonly bytes: Buffer;
  readonly taken: () => void;
}

export class ByteQueue implements AsyncIterable<Buffer> {
  readonly #waiting: Waiting[] = [];
  #state: 'open' | 'ended' | 'closed' = 'open';
  #wake = () => {};

  /** Resolves when the reader took the bytes, or when nobody ever will. */
  push(bytes: Buffer): Promise<void> {
    if (this.#state !== 'open' || bytes.length === 0) return Promise.resolve();
    return new Promise(taken => {
      this.#waiting.push({ bytes, taken });
      this.#wake();
    });
  }

  /** The reader ends after what is waiting. Safe to call twice. */
  end(): void {
    if (this.#state === 'open') this.#state = 'ended';
    this.#wake();
  }

  /** The reader ends at once; what waits is dropped. Safe to call twice. */
  close(): void {
    this.#state = 'closed';
    for (const { taken } of this.#waiting.splice(0)) taken();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (next) {
          try {
            yield next.bytes;
          } finally {
            next.taken();
          }
        } else if (this.#state !== 'open') return;
        else await new Promise<void>(resolve => (this.#wake = resolve));
      }
    } finally {
      this.close();
    }
  }
}
