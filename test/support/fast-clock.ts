/**
 * A clock that begins at a given time and runs faster than the real one: waiting is waiting, only
 * shorter.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../protocol/ports.js';

export interface FastClock extends Clock {
  /** From now on it runs at that speed; who sleeps already is not woken earlier. */
  hurry(to: number): void;
}

export function fastClock(startsAt: number, speed = 1): FastClock {
  let [ran, since, pace] = [0, performance.now(), speed];
  const elapsed = () => ran + (performance.now() - since) * pace;
  return {
    hurry: to => {
      [ran, since, pace] = [elapsed(), performance.now(), to];
    },
    now: () => Math.round(startsAt + elapsed()),
    monotonic: elapsed,
    sleep: async (ms, signal) => {
      try {
        await delay(ms / pace, undefined, signal ? { signal } : {});
      } catch (error) {
        if (!signal?.aborted) throw error;
      }
    },
  };
}
