/**
 * One connection to a port of a pod: bytes both ways between a client's connection, whatever carries it, and the node.
 */
import type { NodeStreams, StreamEnd } from '../../streams/streams.js';
import type { PodTarget } from './pod-target.js';

export interface ForwardParts {
  readonly streams: NodeStreams;
  readonly target: PodTarget;
  readonly user: string;
  /** Aborts when the client's connection is gone or the hub stops. */
  readonly signal: AbortSignal;
  /** Before the first connection to each port. Rejects when the use cannot be recorded: then there is none. */
  readonly record: (port: number) => Promise<void>;
}

export interface ForwardedConnection {
  readonly port: number;
  /** What the client sends; ends with the client's half. */
  readonly input: AsyncIterable<Buffer>;
  /** Resolves when the client's connection took it; at once when it is gone. */
  readonly output: (bytes: Buffer) => Promise<void>;
}

/** Why a connection ended, in kubelet's words; null: as connections do. */
export function whyEnded(target: PodTarget, port: number, end: StreamEnd): string | null {
  if (end.status === 'Success') return null;
  const reason = end.message ?? end.reason ?? 'no reason given';
  return `error forwarding port ${port} to pod ${target.name}: ${reason}`;
}

/**
 * Resolves when the pod's end has closed the connection, with why. Rejects with what the node refused. An abort of the
 * signal ends it at any time.
 */
export async function forward(
  { streams, target, user, record, signal }: ForwardParts,
  { port, input, output }: ForwardedConnection,
): Promise<string | null> {
  await record(port);
  const over = new AbortController();
  const abort = () => over.abort();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  let ended = (_end: StreamEnd) => {};
  const end = new Promise<StreamEnd>(resolve => (ended = resolve));
  const { namespace, pod } = target;
  try {
    const ask = { kind: 'portForward', namespace, pod, port } as const;
    const sink = { output: async (_channel: unknown, bytes: Buffer) => output(bytes), ended };
    const stream = await streams.open(target.node, ask, { user, signal: over.signal, sink });
    const pump = async () => {
      for await (const bytes of input) await stream.write(bytes);
      stream.endInput();
    };
    over.signal.addEventListener('abort', () => ended({ status: 'Success' }), { once: true });
    if (over.signal.aborted) ended({ status: 'Success' });
    try {
      void pump().catch(() => stream.close());
      return whyEnded(target, port, await end);
    } finally {
      stream.close();
    }
  } finally {
    signal.removeEventListener('abort', abort);
    abort();
  }
}
