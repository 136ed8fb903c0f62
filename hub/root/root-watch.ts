/** Says daily in the hub's log that the root nears its end: nobody should learn it from nodes that take nothing any more. */
import type { Clock, Log } from '../../protocol/ports.js';
import type { RootWriter } from '../ports.js';

const LOOK_MS = 86_400_000;

/** Returns what ends it. */
export function startRootWatch(
  roots: Pick<RootWriter, 'current'>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): () => Promise<void> {
  const stop = new AbortController();
  const loop = (async () => {
    while (!stop.signal.aborted) {
      try {
        const { status } = await roots.current();
        for (const { type, reason, message } of status.conditions)
          log.warn(type, { reason, message });
      } catch (error) {
        log.warn('the root could not be looked at', { error });
      }
      await clock.sleep(LOOK_MS, stop.signal);
    }
  })();
  return async () => {
    stop.abort();
    await loop;
  };
}
