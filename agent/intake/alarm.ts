/**
 * One thing to do at one later time: setting it again moves it. Times are those of the clock that
 * never jumps.
 */
import type { Clock } from '../../protocol/ports.js';

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #waiting: { readonly at: number; readonly cancel: AbortController } | null = null;
  #closed = false;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Monotonic milliseconds, or null for never. */
  set(at: number | null): void {
    if (this.#closed || this.#waiting?.at === at) return;
    this.#waiting?.cancel.abort();
    this.#waiting = null;
    if (at === null) return;
    const cancel = new AbortController();
    this.#waiting = { at, cancel };
    void this.#clock.sleep(Math.max(0, at - this.#clock.monotonic()), cancel.signal).then(() => {
      if (cancel.signal.aborted) return;
      this.#waiting = null;
      this.#ring();
    });
  }

  /** The earlier of what is set and `at`. */
  setBefore(at: number): void {
    if (!this.#waiting || this.#waiting.at > at) this.set(at);
  }

  close(): void {
    this.set(null);
    this.#closed = true;
  }
}
