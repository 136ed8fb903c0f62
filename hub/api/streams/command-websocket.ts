/**
 * exec and attach over a WebSocket: each binary message begins with the number of its channel (0 stdin, 1 stdout, 2 stderr, 3
 * the final Status, 4 size of the terminal). `v5.channel.k8s.io` adds 255: the client closes the channel that follows,
 * which is how stdin ends; under v4 it has no end but the connection's.
 */
import type { WebSocket } from 'ws';
import type { Clock } from '../../../protocol/ports.js';
import type { NodeStream, OutputChannel, StreamEnd } from '../../streams/streams.js';
import type { Upgrade } from '../upgrade.js';
import { ByteQueue } from './byte-queue.js';
import { agree, type CommandAsk, type CommandPeer, type CommandWire } from './command.js';
import { terminalSize } from './resize.js';
import { keepAlive, sendMessage } from './websocket.js';

export const V4 = 'v4.channel.k8s.io';
export const V5 = 'v5.channel.k8s.io';

const STDIN = 0;
const OUTPUT = { stdout: 1, stderr: 2 } as const;
const ERROR = 3;
const RESIZE = 4;
export const CLOSE = 255;
const NORMAL = 1000;
const GOING_AWAY = 1001;
/** Read from the client and not yet taken by the node: then no more is read. */
const UNREAD_MAX = 256 * 1024;

export function webSocketWire(upgrade: Upgrade, clock: Clock): CommandWire {
  const protocol = agree(upgrade.offered('sec-websocket-protocol'), [V5, V4]);
  return {
    async accept(accepted, ask) {
      const socket = await accepted.webSocket(protocol);
      keepAlive(socket, clock);
      return new Peer(socket, protocol, ask);
    },
  };
}

class Peer implements CommandPeer {
  readonly #socket: WebSocket;
  readonly #protocol: string;
  readonly #ask: CommandAsk;
  readonly #input = new ByteQueue();
  readonly #closed: Promise<void>;
  #unread = 0;

  constructor(socket: WebSocket, protocol: string, ask: CommandAsk) {
    this.#socket = socket;
    this.#protocol = protocol;
    this.#ask = ask;
    // Too large or malformed messages: `ws` closes the connection by itself.
    socket.on('error', () => undefined);
    this.#closed = new Promise(resolve => {
      socket.once('close', () => {
        this.#input.close();
        resolve();
      });
    });
    // As kubelets do: tells the client that the connection stands.
    const first = ask.stdout ? OUTPUT.stdout : ask.stderr ? OUTPUT.stderr : ERROR;
    void sendMessage(socket, first, Buffer.alloc(0));
  }

  output(channel: OutputChannel, bytes: Buffer): Promise<void> {
    return sendMessage(this.#socket, OUTPUT[channel], bytes);
  }

  async finish(status: StreamEnd): Promise<void> {
    await sendMessage(
      this.#socket,
      ERROR,
      Buffer.from(JSON.stringify({ metadata: {}, ...status })),
    );
    this.#socket.close(NORMAL);
  }

  async run(stream: NodeStream): Promise<void> {
    this.#socket.on('message', data => this.#receive(data as Buffer, stream));
    this.#socket.resume();
    for await (const bytes of this.#input) await stream.write(bytes);
    if (this.#socket.readyState === this.#socket.OPEN) stream.endInput();
    await this.#closed;
  }

  close(): void {
    this.#socket.close(GOING_AWAY);
  }

  #receive(data: Buffer, stream: NodeStream): void {
    const [channel, closed] = data;
    const bytes = data.subarray(1);
    if (channel === STDIN && this.#ask.stdin) this.#stdin(bytes);
    else if (channel === RESIZE && this.#ask.tty) {
      const size = terminalSize(bytes.toString());
      if (size) stream.resize(size.width, size.height);
    } else if (channel === CLOSE && closed === STDIN && this.#protocol === V5) this.#input.end();
  }

  #stdin(bytes: Buffer): void {
    this.#unread += bytes.length;
    if (this.#unread > UNREAD_MAX) this.#socket.pause();
    void this.#input.push(bytes).then(() => {
      this.#unread -= bytes.length;
      if (this.#unread <= UNREAD_MAX) this.#socket.resume();
    });
  }
}
