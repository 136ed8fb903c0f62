/** The real clock behind the port, for tests on real files and a real engine. */
import type { Clock } from '../../protocol/ports.js';

export const REAL_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise(resolve => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    }),
};

/** Polls until `condition` gives something other than false, null or undefined; throws after `limitMs`. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  limitMs = 30_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) return value as NonNullable<T>;
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await REAL_CLOCK.sleep(20);
  }
}
