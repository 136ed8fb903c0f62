/**
 * The places of one connection for PUBLISHes that wait for their PUBACK. AWS IoT Core takes a
 * hundred in all, so publications and messages share them; when both wait they take turns, so that
 * neither starves the other. Holds no payloads.
 */

export type SendQueue = 'publication' | 'message';

export class SendWindow {
  readonly #waiting: Record<SendQueue, ((granted: boolean) => void)[]> = {
    publication: [],
    message: [],
  };
  #free: number;
  #last: SendQueue = 'message';
  #closed = false;
  #released = 0;
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
    this.#free = size;
  }

  /** True: a place is taken until `release`; false: the window was closed. First come, first served in each queue. */
  take(queue: SendQueue): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve(true);
    }
    return new Promise(resolve => this.#waiting[queue].push(resolve));
  }

  /** Once for each place taken. */
  release(): void {
    this.#released++;
    const turn: SendQueue = this.#last === 'message' ? 'publication' : 'message';
    const queue = this.#waiting[turn].length > 0 ? turn : this.#last;
    const next = this.#waiting[queue].shift();
    if (!next) {
      this.#free++;
      return;
    }
    this.#last = queue;
    next(true);
  }

  inUse(): number {
    return this.#size - this.#free;
  }

  /** How many places were given back so far: stands still while the broker answers nothing. */
  released(): number {
    return this.#released;
  }

  /** All that wait are told false. Safe to call twice. */
  close(): void {
    this.#closed = true;
    for (const queue of Object.values(this.#waiting)) {
      for (const tell of queue.splice(0)) tell(false);
    }
  }
}
