/**
 * Ends containers in the time that they have: the hook first, then their turn, then the stop signal, and never less than
 * two seconds for that. What is under way can be given less time, never more (kubelet behaviour rows 68, 69, 115).
 *
 * Which containers, in which order and with what grace is decided in `stop-order.ts`.
 */
import type { HookRunner } from './health.js';
import { graceLeft } from './stop-order.js';
import type { Step } from './steps.js';
import type { ContainerRuntime, EngineId } from '../runtime/runtime.js';
import type { Clock } from '../../protocol/ports.js';

/** Until when everything that a worker ends has to be over. */
export class GraceLimit {
  readonly #clock: Clock;
  #at = Number.POSITIVE_INFINITY;
  #changed = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Aborts with the next change. */
  get changed(): AbortSignal {
    return this.#changed.signal;
  }

  /** More time than there is already changes nothing. */
  shrink(seconds: number): void {
    const at = this.#clock.monotonic() + seconds * 1000;
    if (at >= this.#at) return;
    this.#at = at;
    const before = this.#changed;
    this.#changed = new AbortController();
    before.abort();
  }

  leftMs(): number {
    return this.#at - this.#clock.monotonic();
  }
}

export interface StoppingTools {
  readonly runtime: Pick<ContainerRuntime, 'stopContainer'>;
  readonly hooks: HookRunner;
  readonly clock: Clock;
  readonly limit: GraceLimit;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

export class Stopping {
  readonly #tools: StoppingTools;
  /** When the end of a pod (by uid) or of a container (by id) began, by the monotonic clock. */
  readonly #since = new Map<string, number>();
  readonly #told = new Set<EngineId>();

  constructor(tools: StoppingTools) {
    this.#tools = tools;
  }

  /** Its hook has begun: it is stopped, whatever is wanted by now. */
  isTold(id: EngineId): boolean {
    return this.#told.has(id);
  }

  /** Resolves when the hook is over or the grace is; throws `HookError`. */
  async runHook(step: Step & { do: 'runPreStop' }): Promise<void> {
    const { id, handler, host, uid, graceSeconds } = step;
    this.#begin(uid, id);
    this.#told.add(id);
    const over = new AbortController();
    const cut = new AbortController();
    const waiting = this.#graceOver(() => this.#elapsedMs(id), graceSeconds, over.signal);
    const cutting = waiting.then(() => cut.abort());
    try {
      // Its ports stand in the handler by number: the manifest may be gone.
      await this.#tools.hooks.run(handler, { id, container: null, host }, cut.signal);
    } finally {
      over.abort();
      await cutting;
    }
  }

  /** `before` are the stops that this one waits for, as long as there is grace. */
  async stop(
    step: Step & { do: 'stopContainer' },
    before: readonly Promise<unknown>[],
  ): Promise<void> {
    const { uid, id, graceSeconds, order } = step;
    this.#begin(uid, id);
    const elapsedMs = () => this.#elapsedMs(order > 0 ? uid : id);
    if (before.length > 0) {
      const turn = new AbortController();
      const isOver = this.#graceOver(elapsedMs, graceSeconds, turn.signal);
      await Promise.race([Promise.all(before), isOver]);
      turn.abort();
    }
    const { runtime, limit } = this.#tools;
    for (;;) {
      const { changed } = limit;
      const left = graceLeft(graceSeconds, elapsedMs());
      const limited = graceLeft(Math.min(left, Math.floor(limit.leftMs() / 1000)), 0);
      const stopped = runtime.stopContainer(id, limited).then(() => true);
      // The engine takes a second, shorter stop beside the first.
      const isStopped = await Promise.race([stopped, aborted(changed).then(() => false)]);
      if (isStopped) return;
      stopped.catch(() => undefined);
    }
  }

  async #graceOver(
    elapsedMs: () => number,
    graceSeconds: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, limit } = this.#tools;
    while (!signal.aborted) {
      const leftMs = Math.min(graceSeconds * 1000 - elapsedMs(), limit.leftMs());
      if (leftMs <= 0) return;
      await clock.sleep(leftMs, AbortSignal.any([signal, limit.changed]));
    }
  }

  #elapsedMs(key: string): number {
    const now = this.#tools.clock.monotonic();
    return now - (this.#since.get(key) ?? now);
  }

  #begin(uid: string, id: EngineId): void {
    const now = this.#tools.clock.monotonic();
    for (const key of [uid, id]) if (!this.#since.has(key)) this.#since.set(key, now);
  }
}
