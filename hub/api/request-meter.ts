/** What is counted of each request: its verb in Kubernetes' sense, how it was answered, how long that took. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../protocol/ports.js';

export interface AnsweredRequest {
  /** The method; `WATCH` for a list that goes on, `CONNECT` for a connection that changes to another protocol. */
  readonly verb: string;
  readonly code: number;
  readonly seconds: number;
}

export interface RequestMeter {
  answered(request: AnsweredRequest): void;
}

/** nginx's word for a client that went away before it was answered. */
const CLIENT_GONE = 499;

function verbOf({ method = '', url = '' }: IncomingMessage): string {
  const isWatch = method === 'GET' && /[?&]watch=(1|true)(&|$)/.test(url);
  return isWatch ? 'WATCH' : method;
}

/** Counts the request when its answer has ended. */
export function meterRequest(
  meter: RequestMeter | undefined,
  clock: Clock,
  { incoming, response }: { incoming: IncomingMessage; response: ServerResponse },
): void {
  if (!meter) return;
  const began = clock.monotonic();
  response.once('close', () => {
    const code = response.headersSent ? response.statusCode : CLIENT_GONE;
    meter.answered({ verb: verbOf(incoming), code, seconds: (clock.monotonic() - began) / 1000 });
  });
}
