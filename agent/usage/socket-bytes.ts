/**
 * The bytes that crossed a socket as the network carried them: of a TLS connection the records and handshakes, not the text in them,
 * which is what a TLSSocket itself counts. Decides nothing.
 */
import type { Socket } from 'node:net';

export interface SocketBytes {
  readonly in: number;
  readonly out: number;
}

interface Counting {
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
}

/**
 * Call it before the socket is connected. What it returns may be called at any time and only grows; the last count stays after the end.
 */
export function socketBytes(socket: Socket): () => SocketBytes {
  let known: SocketBytes = { in: 0, out: 0 };
  // What is written before a connection stands waits in the socket, which counts it.
  let under: Counting = {};
  const look = () => {
    const { bytesRead = 0, bytesWritten = 0 } = under;
    known = { in: Math.max(known.in, bytesRead), out: Math.max(known.out, bytesWritten) };
    return known;
  };
  // Node's TLSWrap keeps the TCP handle below it as `_parent`; which one it is stands fast once an address answered.
  socket.once('connect', () => {
    const { _handle } = socket as { _handle?: { _parent?: Counting } };
    const parent = _handle?._parent;
    under = typeof parent?.bytesRead === 'number' ? parent : socket;
  });
  // The handle still knows when the socket says that it is closed, and no more in the next turn.
  socket.once('close', () => {
    look();
    under = {};
  });
  return look;
}
