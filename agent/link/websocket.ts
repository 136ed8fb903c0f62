/**
 * MQTT in the frames of a WebSocket (MQTT 3.1.1, chapter 6; RFC 6455), for sites that let nothing out but HTTPS. The frames change
 * nothing of what is said or trusted: TLS, its certificates, sizes and times are those of the connection below.
 */
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { createWebSocketStream, WebSocket } from 'ws';
import { PACKET_BYTES_MAX } from './packet-limit.js';

const SUBPROTOCOL = 'mqtt';
const HANDSHAKE_MS = 30_000;
/** A broker may put several packets into a frame. */
const FRAME_BYTES_MAX = 4 * PACKET_BYTES_MAX;

export function isWebSocket(broker: URL): boolean {
  return broker.protocol === 'wss:';
}

/**
 * What is written goes out in binary frames, what comes in is the text of theirs. `wire`: to the broker, maybe not connected yet; it
 * ends with the stream, and the stream with it. An answer that is no WebSocket's is the stream's error.
 */
export function overWebSocket(wire: Socket, broker: URL): Duplex {
  const webSocket = new WebSocket(broker.href, SUBPROTOCOL, {
    createConnection: () => wire,
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
    followRedirects: false,
  });
  const stream = createWebSocketStream(webSocket, { allowHalfOpen: false });
  webSocket.on('unexpected-response', (_request, response) => {
    const { statusCode = 0 } = response;
    stream.destroy(new Error(`no WebSocket for MQTT there: HTTP ${statusCode}`));
    wire.destroy();
  });
  stream.once('close', () => wire.destroy());
  return stream;
}
