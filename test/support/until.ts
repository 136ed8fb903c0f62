/** Polls for a condition in this process: generous in time, quick when it holds. */
import { setTimeout as delay } from 'node:timers/promises';

export async function until<T>(
  what: string,
  probe: () => T | null | undefined | false,
  timeoutMs = 60_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const found = probe();
    if (found) return found;
    if (performance.now() > end) throw new Error(`timed out waiting for: ${what}`);
    await delay(10);
  }
}
