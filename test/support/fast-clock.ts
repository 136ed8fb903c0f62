/**
 * A clock that begins at a given time and runs faster than the real one: waiting is waiting, only
 * shorter.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../protocol/ports.js';

export function fastClock(startsAt: number, speed = 1): Clock {
  const origin = performance.now();
  const elapsed = () => (performance.now() - origin) * speed;
  return {
    now: () => Math.round(startsAt + elapsed()),
    monotonic: elapsed,
    sleep: async (ms, signal) => {
      try {
        await delay(ms / speed, undefined, signal ? { signal } : {});
      } catch (error) {
        if (!signal?.aborted) throw error;
      }
    },
  };
}
