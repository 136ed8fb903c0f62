/**
 * Failed attempts per address: ten a minute, then none until the minute is over. Bounded whatever
 * the flood.
 */
import type { Clock } from '../../protocol/ports.js';

const FAILURES_MAX = 10;
const WINDOW_MS = 60_000;
const ADDRESSES_MAX = 4096;

interface Window {
  readonly startedMs: number;
  failures: number;
}

export class AttemptLimit {
  readonly #clock: Clock;
  /** Oldest window first. */
  readonly #windows = new Map<string, Window>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isExhausted(address: string): boolean {
    const window = this.#current(address);
    return window !== undefined && window.failures >= FAILURES_MAX;
  }

  countFailure(address: string): void {
    const window = this.#current(address);
    if (window) {
      window.failures++;
      return;
    }
    this.#windows.delete(address);
    const oldest = this.#windows.keys().next();
    if (this.#windows.size >= ADDRESSES_MAX && !oldest.done) this.#windows.delete(oldest.value);
    this.#windows.set(address, { startedMs: this.#clock.monotonic(), failures: 1 });
  }

  #current(address: string): Window | undefined {
    const window = this.#windows.get(address);
    const isOver = window && this.#clock.monotonic() - window.startedMs >= WINDOW_MS;
    return isOver ? undefined : window;
  }
}
