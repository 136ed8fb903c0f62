/** A clock that stands still until the test moves it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../protocol/ports.js';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** What is under way outside: calls of the file system, files being closed, programs such as mount. */
const WORK = /^(FSReq|FileHandle|CloseReq|Process)/;
/** Turns of the event loop without anything: under load one is not enough to tell. */
const QUIET_TURNS = 8;

export class SimulatedClock implements Clock {
  #now: number;
  readonly #start: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(start: number) {
    this.#now = start;
    this.#start = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return;
    await new Promise<void>(resolve => {
      const wake = () => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = { at: this.#now + Math.max(0, ms), wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  /** To the next sleeper's time, at most `limitMs` from now. */
  advance(limitMs: number): void {
    const next = Math.min(this.#now + limitMs, ...[...this.#sleepers].map(({ at }) => at));
    this.#now = Math.max(this.#now, next);
    for (const sleeper of [...this.#sleepers]) if (sleeper.at <= this.#now) sleeper.wake();
  }

  /**
   * Moves on until `condition` holds, giving what is under way on real files time to end between two moves.
   * `activity` grows with everything that happens. Throws after `limitMs` of this clock.
   */
  async until(
    what: string,
    condition: () => boolean,
    options: { readonly activity: () => number; readonly limitMs?: number },
  ): Promise<void> {
    const deadline = this.#now + (options.limitMs ?? 3_600_000);
    for (;;) {
      await this.settle(options.activity);
      if (condition()) return;
      if (this.#now >= deadline) throw new Error(`never: ${what}`);
      if (this.#sleepers.size > 0) this.advance(deadline - this.#now);
    }
  }

  /** Until nothing has happened for some turns of the event loop and no file is being worked on. */
  async settle(activity: () => number): Promise<void> {
    let before = -1;
    for (let quiet = 0; quiet < QUIET_TURNS;) {
      await delay(1);
      const isWorking = process.getActiveResourcesInfo().some(name => WORK.test(name));
      quiet = activity() === before && !isWorking ? quiet + 1 : 0;
      before = activity();
    }
  }
}
