/** Whoever asks for a stream, in tests: gathers what comes. */
import type { NodeStream, NodeStreams, StreamAsk, StreamEnd } from '../../hub/streams/streams.js';

export interface Gathered {
  readonly stdout: string;
  readonly stderr: string;
  readonly end: StreamEnd;
}

export interface GatheredStream extends NodeStream {
  /** As far as it came. */
  stdout(): string;
  readonly done: Promise<Gathered>;
  readonly abort: () => void;
}

export async function openStream(
  streams: NodeStreams,
  node: string,
  ask: StreamAsk,
  options: { readonly user?: string; readonly onOutput?: (bytes: Buffer) => Promise<void> } = {},
): Promise<GatheredStream> {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const text = (channel: 'stdout' | 'stderr') => Buffer.concat(chunks[channel]).toString();
  let ended: (end: StreamEnd) => void = () => undefined;
  const end = new Promise<StreamEnd>(resolve => (ended = resolve));
  const stop = new AbortController();
  const stream = await streams.open(node, ask, {
    user: options.user ?? 'alice',
    signal: stop.signal,
    sink: {
      output: async (channel, bytes) => {
        if (options.onOutput) await options.onOutput(bytes);
        else chunks[channel].push(Buffer.from(bytes));
      },
      ended,
    },
  });
  return {
    write: bytes => stream.write(bytes),
    endInput: () => stream.endInput(),
    resize: (width, height) => stream.resize(width, height),
    close: () => stream.close(),
    stdout: () => text('stdout'),
    done: end.then(status => ({ stdout: text('stdout'), stderr: text('stderr'), end: status })),
    abort: () => stop.abort(),
  };
}

export async function runStream(
  streams: NodeStreams,
  node: string,
  ask: StreamAsk,
  options: { readonly user?: string } = {},
): Promise<Gathered> {
  return (await openStream(streams, node, ask, options)).done;
}
