/** Messages of Kubernetes' channel protocols on a WebSocket: one byte names the channel, the rest is its content. */
import type { WebSocket } from 'ws';
import type { Clock } from '../../../protocol/ports.js';

/** kubectl gives up after a minute without one. */
const PONG_MS = 15_000;

/** Resolves when the socket took it; at once when the connection is closing or gone. Never rejects. */
export function sendMessage(socket: WebSocket, channel: number, bytes: Buffer): Promise<void> {
  if (socket.readyState !== socket.OPEN) return Promise.resolve();
  return new Promise(resolve => {
    socket.send(Buffer.concat([Buffer.from([channel]), bytes]), { binary: true }, () => resolve());
  });
}

/**
 * Pongs that nobody asked for (RFC 6455, 5.5.3). A client's pings wait behind what it sends: where the node takes that
 * slowly, the client would think the connection dead.
 */
export function keepAlive(socket: WebSocket, clock: Clock): void {
  const closed = new AbortController();
  socket.once('close', () => closed.abort());
  const beat = async () => {
    while (socket.readyState === socket.OPEN) {
      socket.pong();
      await clock.sleep(PONG_MS, closed.signal);
    }
  };
  void beat();
}
