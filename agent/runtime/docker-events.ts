/** The engine's event stream as the port's events. Ends when the signal aborts; a lost connection is an error. */
import type Docker from 'dockerode';
import { runtimeErrorOf } from './docker-errors.js';
import { LABEL } from './docker-names.js';
import { RuntimeError, type RuntimeEvent } from './runtime.js';

interface EngineEvent {
  Action?: string;
  Actor?: { ID?: string; Attributes?: Record<string, string> };
}

type Filters = NonNullable<Docker.GetEventsOptions['filters']>;

/** Throws `EngineUnavailable`. */
export async function* engineEvents(
  docker: Docker,
  filters: Filters,
  signal: AbortSignal,
): AsyncGenerator<RuntimeEvent> {
  let close = () => undefined as void;
  try {
    const stream = await docker.getEvents({ filters, abortSignal: signal });
    close = () => (stream as unknown as { destroy(): void }).destroy();
    signal.addEventListener('abort', close, { once: true });
    let rest = '';
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') yield eventOf(line);
    }
    if (!signal.aborted) {
      throw new RuntimeError('EngineUnavailable', 'the engine closed its event stream');
    }
  } catch (error) {
    if (!signal.aborted) throw runtimeErrorOf(error, 'EngineUnavailable');
  } finally {
    signal.removeEventListener('abort', close);
    close();
  }
}

function eventOf(line: string): RuntimeEvent {
  const event = JSON.parse(line) as EngineEvent;
  return {
    podUid: event.Actor?.Attributes?.[LABEL.podUid] ?? '',
    containerId: event.Actor?.ID ?? '',
    action: event.Action ?? '',
  };
}
