/**
 * Listens to the engine's events for as long as the signal allows, and wakes the loop; a stream that is lost is opened
 * again. Keeps nothing.
 */
import { BUSY_EVENT_MS } from './loop-times.js';
import type { Waker } from './waker.js';
import type { ContainerRuntime } from '../runtime/runtime.js';
import type { Clock } from '../../protocol/ports.js';

const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;

export interface EventListener {
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly waker: Waker;
  /** By uid: events of such a pod come from its own steps. */
  readonly isBusyWith: (uid: string) => boolean;
}

/** Resolves after the signal aborts; never throws. */
export async function listenToEngine(listener: EventListener): Promise<void> {
  const { runtime, clock, signal, waker, isBusyWith } = listener;
  let retryMs = RETRY_FIRST_MS;
  while (!signal.aborted) {
    try {
      for await (const event of runtime.events(signal)) {
        retryMs = RETRY_FIRST_MS;
        if (isBusyWith(event.podUid)) void waker.wakeUpAfter(BUSY_EVENT_MS);
        else waker.wakeUp();
      }
    } catch {
      // The loop's own calls tell what is wrong with the engine.
    }
    await clock.sleep(retryMs, signal);
    retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    // Events may have been missed.
    if (!signal.aborted) waker.wakeUp();
  }
}
