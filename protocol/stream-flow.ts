/**
 * Flow control of a stream, the same at both ends: a sender that waits for credit, and a receiver's queue that never holds
 * more than it gave credit for. No clock, no I/O: promises that others keep.
 */

/** Bytes that may be sent. First come, first served. */
export class Credit {
  readonly #waiting: { readonly cost: number; readonly settle: (granted: boolean) => void }[] = [];
  #left = 0;
  #isClosed = false;

  /** True: taken. False: the stream is over. */
  take(cost: number): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    if (this.#waiting.length === 0 && cost <= this.#left) {
      this.#left -= cost;
      return Promise.resolve(true);
    }
    return new Promise(settle => this.#waiting.push({ cost, settle }));
  }

  give(bytes: number): void {
    this.#left += bytes;
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || next.cost > this.#left) return;
      this.#waiting.shift();
      this.#left -= next.cost;
      next.settle(true);
    }
  }

  /** Whoever waits is told false. Twice is safe. */
  close(): void {
    this.#isClosed = true;
    for (const { settle } of this.#waiting.splice(0)) settle(false);
  }
}

export interface QueueOptions {
  /** Credit that the sender was given at first, and the most that is ever held. */
  readonly window: number;
  /** So much was taken out: to be given to the sender again. Not called for every little. */
  readonly onTaken: (cost: number) => void;
}

/** What came and was not taken yet. One reader: `for await` over it. */
export class Inbox<T> {
  readonly #options: QueueOptions;
  readonly #items: { readonly item: T; readonly cost: number }[] = [];
  #held = 0;
  #taken = 0;
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** False when the sender goes beyond its credit. After the end nothing is taken in any more. */
  push(item: T, cost: number): boolean {
    if (this.#isClosed) return true;
    if (this.#held + this.#taken + cost > this.#options.window) return false;
    this.#held += cost;
    this.#items.push({ item, cost });
    this.#wake();
    return true;
  }

  /** No more will come; what is there is still read. Twice is safe. */
  end(): void {
    this.#isClosed = true;
    this.#wake();
  }

  /** What is there is dropped too. */
  drop(): void {
    this.#items.length = 0;
    this.end();
  }

  /** An item counts as taken when the reader comes back for the next. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const next = this.#items.shift();
      if (next !== undefined) {
        yield next.item;
        this.#release(next.cost);
        continue;
      }
      if (this.#isClosed) return;
      await new Promise<void>(resolve => (this.#wake = resolve));
    }
  }

  #release(cost: number): void {
    this.#held -= cost;
    this.#taken += cost;
    if (this.#isClosed || this.#taken < this.#options.window / 4) return;
    const taken = this.#taken;
    this.#taken = 0;
    this.#options.onTaken(taken);
  }
}
