/** Wakes the loop over the pods: at once, or a little later for what needs no haste. Decides nothing. */
import { BUSY_EVENT_MS } from './loop-times.js';
import type { Clock } from '../../protocol/ports.js';

export class Waker {
  readonly #clock: Clock;
  readonly #ended: AbortSignal;
  #wake = new AbortController();
  #isWakingLater = false;

  constructor(clock: Clock, ended: AbortSignal) {
    this.#clock = clock;
    this.#ended = ended;
  }

  /** Aborts when there is something to do. */
  get signal(): AbortSignal {
    return this.#wake.signal;
  }

  /** What came before is being looked at. */
  reset(): void {
    this.#wake = new AbortController();
  }

  wakeUp(): void {
    this.#wake.abort();
  }

  async wakeLater(): Promise<void> {
    if (this.#isWakingLater) return;
    this.#isWakingLater = true;
    await this.#clock.sleep(BUSY_EVENT_MS, this.#ended);
    this.#isWakingLater = false;
    this.wakeUp();
  }
}
