/**
 * The node's time as it is told: steady against the jitter of answers and drifting clocks, so that
 * what was told once is told the same again. Moves only when the time is off by ten seconds. Holds
 * state, does no I/O.
 */

/** Clocks that differ by less are called the same. */
export const CLOCKS_AGREE_MS = 10_000;
const STEADY_MS = 2_000;

export class Timeline {
  /** Milliseconds since 1970 at uptime zero. */
  #base: number | null = null;
  #by = 0;

  /** `time`: of the node; `clock`: of the system; both milliseconds since 1970. */
  look({ time, clock, uptime }: { time: number; clock: number; uptime: number }): void {
    const base = time - uptime;
    if (this.#base === null || Math.abs(base - this.#base) > CLOCKS_AGREE_MS) {
      this.#base = Math.round(base);
    }
    const by = this.at(uptime) - clock;
    if (Math.abs(by) < CLOCKS_AGREE_MS) this.#by = 0;
    else if (Math.abs(by - this.#by) > STEADY_MS) this.#by = Math.round(by / 1000) * 1000;
  }

  /** Changes when what was told of the past has to be told anew. */
  base(): number {
    return this.#base ?? 0;
  }

  /** What is added to times of the system clock. */
  by(): number {
    return this.#by;
  }

  /** Milliseconds since 1970 at that uptime. */
  at(uptime: number): number {
    return Math.round(this.base() + uptime);
  }

  /** The same, unless the system clock's own word for it was right. */
  near(clock: number, uptime: number): number {
    const exact = this.at(uptime);
    return Math.abs(exact - clock) < CLOCKS_AGREE_MS ? clock : exact;
  }
}
