/**
 * Which containers are being stopped, by whomever and for whatever reason, from the first word of it (its preStop hook) until
 * the engine was seen without it: such a container serves nobody any more. Remembers; decides nothing.
 */
import type { EngineId } from '../runtime/runtime.js';

/** How a stop stands: part of what is reported of a pod. */
export interface StopUnderWay {
  /** Milliseconds since 1970. */
  readonly since: number;
  /** What it has for it, its hook included. */
  readonly graceSeconds: number;
}

export class StopsUnderWay {
  readonly #stops = new Map<EngineId, StopUnderWay>();
  /** Over, but what the engine was last seen with may be older. */
  readonly #over = new Set<EngineId>();
  #overBefore: readonly EngineId[] = [];

  get all(): ReadonlyMap<EngineId, StopUnderWay> {
    return this.#stops;
  }

  /** The hook of a stop begins it; what follows changes nothing. */
  begin(id: EngineId, stop: StopUnderWay): void {
    this.#over.delete(id);
    if (!this.#stops.has(id)) this.#stops.set(id, stop);
  }

  /** Whatever came of it: what goes on to run is one that runs. */
  end(id: EngineId): void {
    if (this.#stops.has(id)) this.#over.add(id);
  }

  /** The engine is about to be looked at. */
  beforeLook(): void {
    this.#overBefore = [...this.#over];
  }

  /** It was: what is there by now of those whose stop was over before runs on. */
  afterLook(): void {
    for (const id of this.#overBefore) if (this.#over.delete(id)) this.#stops.delete(id);
  }
}
