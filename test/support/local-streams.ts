/**
 * A node's streams where the node is this machine: exec is a process, a port is one of 127.0.0.1, logs are a file's lines. For
 * tests of what lies before the port `NodeStreams`; real nodes come in the end-to-end tests.
 */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import {
  StreamRefused,
  type NodeStream,
  type NodeStreams,
  type OutputChannel,
  type StreamAsk,
  type StreamEnd,
  type StreamSink,
} from '../../hub/streams/streams.js';

type Options = Parameters<NodeStreams['open']>[2];

export interface LocalStreams extends NodeStreams {
  /** As they came, with who asked. */
  readonly asks: { readonly node: string; readonly ask: StreamAsk; readonly user: string }[];
  /** Sizes of the terminals, as they were set. */
  readonly sizes: string[];
  /** Streams that are open. */
  readonly open: NodeStreams['open'];
  count(): number;
  /** The next asks are refused with this; null: none. */
  refuse: StreamRefused | null;
  /** What `logs` gives, piece by piece; a follower waits after the last. */
  log: readonly string[];
  /** Pieces of the log that were taken. */
  taken: number;
}

async function copy(from: Readable, channel: OutputChannel, sink: StreamSink): Promise<void> {
  for await (const bytes of from) await sink.output(channel, bytes as Buffer);
}

function endOf(code: number | null): StreamEnd {
  if (code === 0) return { status: 'Success' };
  const message = `command terminated with exit code ${code ?? 137}`;
  const causes = [{ reason: 'ExitCode', message: String(code ?? 137) }];
  return { status: 'Failure', reason: 'NonZeroExitCode', message, details: { causes } };
}

export function localStreams(): LocalStreams {
  let count = 0;
  const self: LocalStreams = {
    asks: [],
    sizes: [],
    refuse: null,
    log: [],
    taken: 0,
    count: () => count,
    async open(node, ask, options) {
      self.asks.push({ node, ask, user: options.user });
      if (self.refuse) throw self.refuse;
      const stream = await openLocal(self, ask, options);
      count++;
      let closed = false;
      const close = () => {
        if (closed) return;
        closed = true;
        count--;
        stream.close();
      };
      options.signal.addEventListener('abort', close, { once: true });
      return { ...stream, close };
    },
  };
  return self;
}

function openLocal(self: LocalStreams, ask: StreamAsk, options: Options): Promise<NodeStream> {
  switch (ask.kind) {
    case 'logs':
      return openLog(self, ask.follow === true, options);
    case 'portForward':
      return openPort(ask.port, options);
    case 'attach':
      return openProcess(self, ['cat'], options);
    case 'exec':
      return openProcess(self, ask.command, options);
  }
}

async function openLog(
  self: LocalStreams,
  follow: boolean,
  { sink }: Options,
): Promise<NodeStream> {
  void (async () => {
    for (const line of self.log) {
      await sink.output('stdout', Buffer.from(line));
      self.taken++;
    }
    if (!follow) sink.ended({ status: 'Success' });
  })();
  const none = () => undefined;
  return { write: async () => undefined, endInput: none, resize: none, close: none };
}

async function openProcess(
  self: LocalStreams,
  [program = '', ...words]: readonly string[],
  { sink }: Options,
): Promise<NodeStream> {
  const child = spawn(program, words, { stdio: 'pipe' });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', error => reject(new StreamRefused('BadRequest', error.message)));
  });
  child.stdin.on('error', () => undefined);
  const exit = new Promise<number | null>(resolve => child.once('exit', resolve));
  void (async () => {
    await Promise.all([copy(child.stdout, 'stdout', sink), copy(child.stderr, 'stderr', sink)]);
    sink.ended(endOf(await exit));
  })();
  return {
    write: bytes => new Promise(resolve => child.stdin.write(bytes, () => resolve())),
    endInput: () => child.stdin.end(),
    resize: (width, height) => void self.sizes.push(`${width}x${height}`),
    close: () => void child.kill('SIGKILL'),
  };
}

async function openPort(port: number, { sink }: Options): Promise<NodeStream> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', error => reject(new StreamRefused('InternalError', error.message)));
  });
  socket.on('error', () => undefined);
  void copy(socket, 'stdout', sink)
    .catch(() => undefined)
    .then(() => sink.ended({ status: 'Success' }));
  return {
    write: bytes => new Promise(resolve => socket.write(bytes, () => resolve())),
    endInput: () => socket.end(),
    resize: () => undefined,
    close: () => socket.destroy(),
  };
}
