/**
 * exec and attach over SPDY/3.1: the client opens a stream for each channel and names it in the header `streamtype`; when all
 * are there the command's bytes flow. The end is a Status on `error`, then the connection closes (v4.channel.k8s.io).
 */
import type { Clock } from '../../../protocol/ports.js';
import {
  StreamRefused,
  type NodeStream,
  type OutputChannel,
  type StreamEnd,
} from '../../streams/streams.js';
import { SpdyConnection, type SpdyStream } from '../spdy/connection.js';
import type { Upgrade } from '../upgrade.js';
import { agree, type CommandAsk, type CommandPeer, type CommandWire } from './command.js';
import { V4, V5 } from './command-websocket.js';
import { terminalSize } from './resize.js';

const STREAMS_MAX = 8;
/** As kubelets wait for the client's streams. */
const STREAMS_MS = 30_000;
const SIZE_BYTES_MAX = 1024;

type Channel = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';
type Channels = ReadonlyMap<string, SpdyStream>;

function expected({ stdin, stdout, stderr, tty }: CommandAsk): readonly Channel[] {
  return [
    'error',
    ...(stdin ? (['stdin'] as const) : []),
    ...(stdout ? (['stdout'] as const) : []),
    ...(stderr ? (['stderr'] as const) : []),
    ...(tty ? (['resize'] as const) : []),
  ];
}

export function spdyWire(upgrade: Upgrade, clock: Clock): CommandWire {
  // v5 adds nothing here: a stream of SPDY has always been able to end.
  const protocol = agree(upgrade.offered('x-stream-protocol-version'), [V5, V4]);
  return {
    async accept(accepted, ask) {
      const wanted = expected(ask);
      const channels = new Map<string, SpdyStream>();
      const waiting = new AbortController();
      const connection = new SpdyConnection({
        ...accepted.spdy(protocol),
        clock,
        streamsMax: STREAMS_MAX,
        onStream(stream) {
          const type = stream.headers.get('streamtype') ?? '';
          if (!wanted.includes(type as Channel) || channels.has(type)) return stream.reset();
          if (type !== 'stdin' && type !== 'resize') stream.discard();
          channels.set(type, stream);
          if (channels.size === wanted.length) waiting.abort();
        },
      });
      void connection.closed.then(() => waiting.abort());
      await clock.sleep(STREAMS_MS, waiting.signal);
      if (channels.size === wanted.length) return new Peer(connection, channels);
      connection.close();
      const opened = [...channels.keys()].join(', ') || 'none';
      throw new StreamRefused('Cancelled', `of its streams the client opened ${opened}`);
    },
  };
}

class Peer implements CommandPeer {
  readonly #connection: SpdyConnection;
  readonly #channels: Channels;

  constructor(connection: SpdyConnection, channels: Channels) {
    this.#connection = connection;
    this.#channels = channels;
  }

  async output(channel: OutputChannel, bytes: Buffer): Promise<void> {
    await this.#channels.get(channel)?.write(bytes);
  }

  async finish(status: StreamEnd): Promise<void> {
    this.#channels.get('stdout')?.end();
    this.#channels.get('stderr')?.end();
    const error = this.#channels.get('error');
    await error?.write(Buffer.from(JSON.stringify({ metadata: {}, ...status })));
    error?.end();
    this.#connection.close();
  }

  async run(stream: NodeStream): Promise<void> {
    const sizes = this.#channels.get('resize');
    if (sizes) void readSizes(sizes, stream);
    const stdin = this.#channels.get('stdin');
    if (stdin) {
      for await (const bytes of stdin.input) await stream.write(bytes);
      stream.endInput();
    }
    await this.#connection.closed;
  }

  close(): void {
    this.#connection.close();
  }
}

/** One JSON document to a line. */
async function readSizes({ input }: SpdyStream, stream: NodeStream): Promise<void> {
  let rest = '';
  for await (const bytes of input) {
    const lines = (rest + bytes.toString()).split('\n');
    rest = (lines.pop() ?? '').slice(0, SIZE_BYTES_MAX);
    for (const line of lines) {
      const size = terminalSize(line);
      if (size) stream.resize(size.width, size.height);
    }
  }
}
