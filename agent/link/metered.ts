/** Tells a meter what crosses a connection: the bytes of its socket, and each message that went or came. Decides nothing. */
import type { MqttClient, Packet } from 'mqtt';
import type { Socket } from 'node:net';
import { socketBytes, type SocketBytes } from '../usage/socket-bytes.js';

export interface LinkMeter {
  watch(read: () => SocketBytes): { end(): void };
  message(topic: string, payloadBytes: number): void;
}

/** Call it before the socket is connected. */
export function meterSocket(socket: Socket, meter: LinkMeter): void {
  const watched = meter.watch(socketBytes(socket));
  socket.once('close', () => watched.end());
}

/** Each time that a message is put on the wire counts, again or for the first time. */
export function meterClient(client: MqttClient, meter: LinkMeter): void {
  const note = (packet: Packet) => {
    if (packet.cmd !== 'publish') return;
    meter.message(packet.topic, Buffer.byteLength(packet.payload));
  };
  client.on('packetsend', note);
  client.on('packetreceive', note);
}
