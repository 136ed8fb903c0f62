/**
 * port-forward in its older WebSocket form, that of `@kubernetes/client-node` and `flotilla port-forward`: the ports stand in the
 * query, each has two channels (2i data, 2i+1 error), whose first message is the port, little endian. One connection to each
 * port. Under `v5.channel.k8s.io` the client may end its half of a channel, as it ends stdin of exec.
 */
import type { WebSocket } from 'ws';
import type { Clock } from '../../../protocol/ports.js';
import { failure, knownError } from '../status.js';
import type { Upgrade } from '../upgrade.js';
import { ByteQueue } from './byte-queue.js';
import { agree } from './command.js';
import { CLOSE, V4, V5 } from './command-websocket.js';
import { forward, type ForwardParts } from './port-forward.js';
import { keepAlive, sendMessage } from './websocket.js';

const NORMAL = 1000;
const GOING_AWAY = 1001;
const UNREAD_MAX = 256 * 1024;

/** Resolves when the client's connection has ended. Throws what is to be answered instead of an upgrade. */
export async function serveWebSocketForwards(
  parts: ForwardParts,
  options: { upgrade: Upgrade; ports: readonly number[]; clock: Clock },
): Promise<void> {
  const { upgrade, ports, clock } = options;
  const protocol = agree(upgrade.offered('sec-websocket-protocol'), [V5, V4]);
  const socket = await upgrade.webSocket(protocol);
  keepAlive(socket, clock);
  const inputs = ports.map(() => new ByteQueue());
  const gone = new AbortController();
  const closed = new Promise<void>(resolve => {
    socket.once('close', () => {
      gone.abort();
      for (const input of inputs) input.close();
      resolve();
    });
  });
  socket.on('error', () => undefined);
  const stop = () => socket.close(GOING_AWAY);
  parts.signal.addEventListener('abort', stop, { once: true });
  if (parts.signal.aborted) stop();
  receive(socket, inputs, protocol === V5);
  const of = { ...parts, signal: gone.signal };
  await Promise.all(
    ports.map((port, i) => serveOne(of, { socket, channel: 2 * i, port, input: inputs[i] })),
  );
  socket.close(NORMAL);
  await closed;
  parts.signal.removeEventListener('abort', stop);
}

function receive(socket: WebSocket, inputs: readonly ByteQueue[], halfClose: boolean): void {
  let unread = 0;
  socket.on('message', message => {
    const data = message as Buffer;
    const [channel = 0, closing = 0] = data;
    if (channel === CLOSE) {
      if (halfClose) inputs[closing / 2]?.end();
      return;
    }
    const input = inputs[channel / 2];
    if (!input) return;
    const bytes = data.subarray(1);
    unread += bytes.length;
    if (unread > UNREAD_MAX) socket.pause();
    void input.push(bytes).then(() => {
      unread -= bytes.length;
      if (unread <= UNREAD_MAX) socket.resume();
    });
  });
  socket.resume();
}

interface One {
  readonly socket: WebSocket;
  readonly channel: number;
  readonly port: number;
  readonly input: ByteQueue | undefined;
}

async function serveOne(parts: ForwardParts, one: One): Promise<void> {
  const { socket, channel, port, input = new ByteQueue() } = one;
  const first = Buffer.alloc(2);
  first.writeUInt16LE(port);
  await sendMessage(socket, channel, first);
  await sendMessage(socket, channel + 1, first);
  const output = (bytes: Buffer) => sendMessage(socket, channel, bytes);
  const why = await forward(parts, { port, input, output }).catch((error: unknown) => {
    const known = knownError(error);
    if (!known) throw error;
    return failure(known, null).message ?? 'refused';
  });
  if (why !== null) await sendMessage(socket, channel + 1, Buffer.from(why));
}
