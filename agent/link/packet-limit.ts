/**
 * Closes a connection at the fixed header of an oversized MQTT packet. MQTT.js looks at a packet's length only after it has
 * gathered all of it, so a broker could fill the memory (security S39).
 */
import type { Socket } from 'node:net';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import { PacketGuard } from '../../protocol/packet-guard.js';

/** Twice the largest message: what is a little too large still gets a proper refusal with its topic. */
export const PACKET_BYTES_MAX = 2 * MESSAGE_BYTES_MAX;

/**
 * Watches what comes in on a socket, beside its reader, and destroys it at the first packet that is too large. Call it
 * in the same turn in which the reader is attached: listening starts the flow.
 */
export function limitPackets(socket: Socket, bytesMax = PACKET_BYTES_MAX): void {
  const guard = new PacketGuard(bytesMax);
  socket.on('data', (chunk: Buffer) => {
    if (guard.admits(chunk)) return;
    const error = Object.assign(new Error(`packet of more than ${bytesMax} bytes announced`), {
      code: 'ERR_MQTT_PACKET_TOO_LARGE',
    });
    socket.destroy(error);
  });
}
