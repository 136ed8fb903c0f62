/**
 * Listens to the engine's events for as long as the signal allows; a stream that is lost is opened again.
 * Decides nothing, keeps nothing.
 */
import type { ContainerRuntime, RuntimeEvent } from '../runtime/runtime.js';
import type { Clock } from '../../protocol/ports.js';

const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;

export interface EventListener {
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RuntimeEvent) => void;
  /** Events may have been missed: look for yourself. */
  readonly onGap: () => void;
}

/** Resolves after the signal aborts; never throws. */
export async function listenToEngine(listener: EventListener): Promise<void> {
  const { runtime, clock, signal, onEvent, onGap } = listener;
  let retryMs = RETRY_FIRST_MS;
  while (!signal.aborted) {
    try {
      for await (const event of runtime.events(signal)) {
        retryMs = RETRY_FIRST_MS;
        onEvent(event);
      }
    } catch {
      // The loop's own calls tell what is wrong with the engine.
    }
    await clock.sleep(retryMs, signal);
    retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    if (!signal.aborted) onGap();
  }
}
