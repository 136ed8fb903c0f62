/**
 * When a loop looks again: at once when it is woken, also when that happens while it is looking; after its pause otherwise.
 * Decides nothing.
 */
import type { Clock } from '../../protocol/ports.js';

export class Waker {
  readonly #clock: Clock;
  readonly #ending: AbortSignal;
  #wake = new AbortController();
  #looked = new AbortController();
  #isWakingLater = false;

  constructor(clock: Clock, ending: AbortSignal) {
    this.#clock = clock;
    this.#ending = ending;
  }

  /** Call it before each look: what wakes from now on counts for the pause after it. */
  begin(): void {
    this.#wake = new AbortController();
  }

  wakeUp(): void {
    this.#wake.abort();
  }

  /** Several calls within the time are one. */
  async wakeUpAfter(ms: number): Promise<void> {
    if (this.#isWakingLater) return;
    this.#isWakingLater = true;
    await this.#clock.sleep(ms, this.#ending);
    this.#isWakingLater = false;
    this.wakeUp();
  }

  async pause(ms: number): Promise<void> {
    await this.#clock.sleep(ms, this.#wake.signal);
  }

  /** Call it after each look. */
  end(): void {
    this.#looked.abort();
    this.#looked = new AbortController();
  }

  /** Resolves after the next look has ended, and at the latest after `ms`. */
  async nextLook(ms: number): Promise<void> {
    await this.#clock.sleep(ms, AbortSignal.any([this.#looked.signal, this.#ending]));
  }
}
