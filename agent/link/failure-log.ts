/**
 * Says in the log that no broker is reached: each reason when it is new, then once an hour with how often it came. A node that is cut
 * off for months tries every minute, and a line for each would wear its flash more than all else that it writes.
 */
import type { Clock, Log } from '../../protocol/ports.js';

const AGAIN_MS = 3_600_000;
/** Reasons that are told apart. */
const REASONS_MAX = 8;

export interface Failure {
  readonly broker: string;
  readonly reason: string;
  readonly retryInMs: number;
}

export class FailureLog {
  readonly #log: Log;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #said = new Map<string, { at: number; times: number }>();

  constructor(log: Log, clock: Pick<Clock, 'monotonic'>) {
    this.#log = log;
    this.#clock = clock;
  }

  failed(failure: Failure): void {
    const { broker, reason } = failure;
    const name = `${broker} ${reason}`;
    const isNew = !this.#said.has(name);
    const key = isNew && this.#said.size >= REASONS_MAX ? '' : name;
    const at = this.#clock.monotonic();
    const before = this.#said.get(key);
    const times = (before?.times ?? 0) + 1;
    if (before !== undefined && at - before.at < AGAIN_MS) {
      before.times = times;
      return;
    }
    this.#said.set(key, { at, times: 0 });
    const often = times > 1 ? { times } : {};
    this.#log.warn('no connection to the broker', { ...failure, ...often });
  }

  /** Connected: what fails later is new. */
  mended(): void {
    this.#said.clear();
  }
}
