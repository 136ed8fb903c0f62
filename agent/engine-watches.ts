/** What is followed of the engine beside its containers: who it is, and which images it has. */
import type { Clock, Log } from '../protocol/ports.js';
import { RuntimeError } from './runtime/runtime.js';

const LOOK_MS = 30_000;

interface Watching {
  readonly clock: Clock;
  readonly log: Log;
}

/** `onChange`: images came or went, or nobody can tell. What it returns ends it. */
export function watchImages(
  runtime: { imageEvents(signal: AbortSignal): AsyncIterable<unknown> },
  { clock, log, onChange }: Watching & { readonly onChange: () => void },
): () => void {
  const stop = new AbortController();
  const loop = (async () => {
    while (!stop.signal.aborted) {
      try {
        onChange();
        for await (const _ of runtime.imageEvents(stop.signal)) onChange();
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error;
        onChange();
      }
      await clock.sleep(LOOK_MS, stop.signal);
    }
  })();
  loop.catch((error: unknown) => log.error('watching the images failed', { error }));
  return () => stop.abort();
}

/** `version`: name and version as a Node has them (`docker://20.10.24`); empty while the engine does not answer. */
export function watchEngine(
  runtime: { info(): Promise<{ readonly name: string; readonly version: string }> },
  { clock, log, socket }: Watching & { readonly socket: string },
): { version: () => string; close: () => void } {
  const stop = new AbortController();
  let version = '';
  let said = false;
  const loop = (async () => {
    while (!stop.signal.aborted) {
      try {
        const info = await runtime.info();
        version = `${info.name}://${info.version}`;
        said = false;
      } catch (error) {
        version = '';
        if (!said && error instanceof RuntimeError) {
          log.warn('no container engine answers; trying again', { socket, error });
        }
        said = true;
      }
      await clock.sleep(LOOK_MS, stop.signal);
    }
  })();
  loop.catch((error: unknown) => log.error('watching the engine failed', { error }));
  return { version: () => version, close: () => stop.abort() };
}
