/** Output of containers, as the engine kept it: taken out of the engine's frames, cut at a limit. */
import { request, type IncomingMessage } from 'node:http';
import type { Clock } from '../../protocol/ports.js';
import { runtimeErrorOf } from './docker-errors.js';
import type { LogOptions } from './runtime.js';

/** One header of the engine's stream: type, three zeros, length (Engine API, ContainerAttach). */
const FRAME_HEADER = 8;

/** Takes stdout and stderr out of the engine's frames, whatever way the chunks are cut. Pure but for its own buffer. */
export function frameReader(): (chunk: Buffer) => Buffer {
  let header = Buffer.alloc(0);
  let left = 0;
  return chunk => {
    const out: Buffer[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (left > 0) {
        const piece = chunk.subarray(at, at + left);
        out.push(piece);
        left -= piece.length;
        at += piece.length;
        continue;
      }
      const piece = chunk.subarray(at, at + FRAME_HEADER - header.length);
      header = Buffer.concat([header, piece]);
      at += piece.length;
      if (header.length === FRAME_HEADER) {
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
      }
    }
    return Buffer.concat(out);
  };
}

export function logQuery(options: LogOptions, now: number): URLSearchParams {
  const query = new URLSearchParams({ stdout: '1', stderr: '1' });
  query.set('follow', options.follow ? '1' : '0');
  query.set('timestamps', options.timestamps ? '1' : '0');
  query.set('tail', options.tailLines === undefined ? 'all' : String(options.tailLines));
  const since =
    options.sinceTime?.getTime() ??
    (options.sinceSeconds === undefined ? undefined : now - options.sinceSeconds * 1000);
  if (since !== undefined) query.set('since', (Math.max(0, since) / 1000).toFixed(3));
  return query;
}

export interface LogSource {
  readonly socketPath: string;
  readonly id: string;
  readonly tty: boolean;
  readonly clock: Clock;
}

function open(source: LogSource, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    const req = request({ socketPath: source.socketPath, path, signal }, done);
    req.on('error', fail);
    req.end();
  });
}

/** A stream, not a buffer: a log may be tens of megabytes. Ends when the signal aborts. */
export async function* containerLogs(
  source: LogSource,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const path = `/containers/${source.id}/logs?${logQuery(options, source.clock.now()).toString()}`;
  const read = source.tty ? (chunk: Buffer) => chunk : frameReader();
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  try {
    const response = await open(source, path, signal);
    try {
      if (response.statusCode !== 200) {
        throw Object.assign(new Error(`no logs of container ${source.id}: no such container`), {
          statusCode: response.statusCode,
        });
      }
      for await (const chunk of response as AsyncIterable<Buffer>) {
        const output = read(chunk).subarray(0, left);
        left -= output.length;
        if (output.length > 0) yield output;
        if (left <= 0) return;
      }
    } finally {
      response.destroy();
    }
  } catch (error) {
    if (!signal.aborted) throw runtimeErrorOf(error, 'EngineError');
  }
}
