/**
 * MQTT in the frames of a WebSocket on the HTTPS port, for sites that let nothing else out: the embedded broker's other door. Who may come
 * in, and what he may say, the broker judges as on its own port, by the same certificate.
 */
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { createWebSocketStream } from 'ws';
import { RequestError } from '../../ports.js';
import type { Route } from '../request.js';

const SUBPROTOCOL = 'mqtt';
/** RFC 6455, 7.4.1: a kind of data that cannot be accepted. */
const UNSUPPORTED_DATA = 1003;

export interface WebSocketBroker {
  /** Why whoever holds the other end of this connection is not let in; null: he is. */
  fault(socket: TLSSocket): string | null;
  /** Speaks MQTT over the stream, which `socket` carries. */
  accept(socket: TLSSocket, stream: Duplex): void;
}

/** Null: the fleet has a broker of its own. */
export function mqttRoutes(broker: WebSocketBroker | null): readonly Route[] {
  const refuse = () =>
    broker === null
      ? new RequestError('NotFound', 'the broker of this fleet is not part of the hub')
      : new RequestError('BadRequest', 'here is MQTT over WebSocket alone (subprotocol "mqtt")');
  return [
    {
      method: 'GET',
      path: '/mqtt',
      // Judged below: nodes come here, who may use nothing else.
      access: 'anyone',
      handle: () => Promise.reject(refuse()),
      upgrade: async (_request, upgrade) => {
        const isOffered = upgrade.offered('sec-websocket-protocol').includes(SUBPROTOCOL);
        if (broker === null || upgrade.protocol !== 'websocket' || !isOffered) throw refuse();
        const socket = upgrade.tls();
        const fault = broker.fault(socket);
        if (fault !== null) throw new RequestError('Forbidden', fault);
        const webSocket = await upgrade.webSocket(SUBPROTOCOL);
        webSocket.on('message', (_data, isBinary) => {
          if (!isBinary) webSocket.close(UNSUPPORTED_DATA, 'MQTT is binary');
        });
        const stream = createWebSocketStream(webSocket, { allowHalfOpen: false });
        const ended = new Promise<void>(resolve => socket.once('close', () => resolve()));
        stream.on('error', () => socket.destroy());
        stream.once('close', () => socket.destroy());
        broker.accept(socket, stream);
        webSocket.resume();
        await ended;
      },
    },
  ];
}
