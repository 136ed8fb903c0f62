/**
 * port-forward as kubectl does it: for each connection a pair of SPDY streams, `data` and `error`, that share a `requestID`;
 * over SPDY/3.1 on the socket, or the same frames inside a WebSocket (`SPDY/3.1+portforward.k8s.io`, kubectl 1.31 and newer).
 */
import type { Duplex } from 'node:stream';
import { createWebSocketStream } from 'ws';
import type { Clock, Log } from '../../../protocol/ports.js';
import { SpdyConnection, type SpdyStream } from '../spdy/connection.js';
import { failure, knownError } from '../status.js';
import type { Upgrade } from '../upgrade.js';
import { agree } from './command.js';
import { forward, type ForwardParts } from './port-forward.js';
import { portOf } from './query.js';
import { keepAlive } from './websocket.js';

const PROTOCOL = 'portforward.k8s.io';
export const TUNNEL = `SPDY/3.1+${PROTOCOL}`;
/** Two for each connection that is open at a time. */
const STREAMS_MAX = 512;
/** What a tunnel holds of the client's bytes before it stops reading. */
const TUNNEL_BYTES = 64 * 1024;

interface Halves {
  data?: SpdyStream;
  error?: SpdyStream;
}

interface Connection {
  readonly duplex: Duplex;
  readonly head: Buffer;
}

async function accept(upgrade: Upgrade, clock: Clock): Promise<Connection> {
  if (upgrade.protocol === 'websocket') {
    const socket = await upgrade.webSocket(TUNNEL);
    keepAlive(socket, clock);
    const duplex = createWebSocketStream(socket, { readableHighWaterMark: TUNNEL_BYTES });
    socket.resume();
    return { duplex, head: Buffer.alloc(0) };
  }
  const protocol = agree(upgrade.offered('x-stream-protocol-version'), [PROTOCOL]);
  return upgrade.spdy(protocol);
}

/** Resolves when the client's connection has ended. Throws what is to be answered instead of an upgrade. */
export async function serveSpdyForwards(
  parts: ForwardParts,
  { upgrade, clock, log }: { upgrade: Upgrade; clock: Clock; log: Log },
): Promise<void> {
  const { duplex, head } = await accept(upgrade, clock);
  const gone = new AbortController();
  const halves = new Map<string, Halves>();
  const pair = (stream: SpdyStream) => {
    const type = stream.headers.get('streamtype');
    const id = stream.headers.get('requestid');
    if ((type !== 'data' && type !== 'error') || id === undefined) return stream.reset();
    const both = halves.get(id) ?? {};
    if (both[type]) return stream.reset();
    both[type] = stream;
    halves.set(id, both);
    if (type === 'error') stream.discard();
    if (!both.data || !both.error) return;
    halves.delete(id);
    const of = { ...parts, signal: gone.signal };
    void serveOne(of, { data: both.data, error: both.error }, log);
  };
  const options = { duplex, head, clock, streamsMax: STREAMS_MAX, onStream: pair };
  const connection = new SpdyConnection(options);
  const stop = () => connection.close();
  parts.signal.addEventListener('abort', stop, { once: true });
  if (parts.signal.aborted) stop();
  await connection.closed;
  parts.signal.removeEventListener('abort', stop);
  gone.abort();
}

/** Never rejects: what goes wrong is told on the connection's stream of errors. */
async function serveOne(
  parts: ForwardParts,
  { data, error }: { data: SpdyStream; error: SpdyStream },
  log: Log,
): Promise<void> {
  const why = await oneConnection(parts, data).catch((thrown: unknown) => {
    const known = knownError(thrown);
    if (known) return failure(known, null).message ?? 'refused';
    log.error('a forwarded connection failed', { error: thrown });
    return 'internal error: see the log of the hub';
  });
  if (why !== null) await error.write(Buffer.from(why));
  error.end();
  data.end();
}

function oneConnection(parts: ForwardParts, data: SpdyStream): Promise<string | null> {
  const text = data.headers.get('port');
  const port = portOf(text);
  if (port === null) return Promise.resolve(`"${text ?? ''}" is not a port`);
  return forward(parts, { port, input: data.input, output: bytes => data.write(bytes) });
}
