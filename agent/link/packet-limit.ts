/**
 * Closes a connection at the fixed header of an oversized MQTT packet. MQTT.js looks at a packet's
 * length only after it has gathered all of it, so a broker could fill the memory (security S39).
 * Reads MQTT 3.1.1, 2.2: one byte of type and flags, then the remaining length in one to four bytes
 * of seven bits.
 */
import type { Socket } from 'node:net';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';

/**
 * Twice the largest message: what is a little too large still gets a proper refusal with its topic.
 */
export const PACKET_BYTES_MAX = 2 * MESSAGE_BYTES_MAX;

type Position =
  | { readonly at: 'type' }
  | { readonly at: 'length'; readonly value: number; readonly shift: number }
  | { readonly at: 'body'; readonly left: number };

const START: Position = { at: 'type' };

export interface PacketSizes {
  /** False as soon as a header announces more than the limit, or is no header at all. */
  accept(chunk: Uint8Array): boolean;
}

/** Counts through a byte stream, whatever its chunks are. */
export function packetSizes(bytesMax: number): PacketSizes {
  let position: Position = START;
  return {
    accept(chunk) {
      let i = 0;
      while (i < chunk.length) {
        if (position.at === 'body') {
          const step = Math.min(position.left, chunk.length - i);
          i += step;
          position = step === position.left ? START : { at: 'body', left: position.left - step };
          continue;
        }
        const byte = chunk[i++] ?? 0;
        if (position.at === 'type') {
          position = { at: 'length', value: 0, shift: 0 };
          continue;
        }
        if (position.shift > 21) return false;
        const value: number = position.value + (byte & 0x7f) * 2 ** position.shift;
        if (value > bytesMax) return false;
        if (byte & 0x80) position = { at: 'length', value, shift: position.shift + 7 };
        else position = value === 0 ? START : { at: 'body', left: value };
      }
      return true;
    },
  };
}

/**
 * Watches what comes in on a socket, beside its reader, and destroys it at the first packet that is
 * too large. Call it in the same turn in which the reader is attached: listening starts the flow.
 */
export function limitPackets(socket: Socket, bytesMax = PACKET_BYTES_MAX): void {
  const sizes = packetSizes(bytesMax);
  socket.on('data', (chunk: Buffer) => {
    if (sizes.accept(chunk)) return;
    const error = Object.assign(new Error(`packet of more than ${bytesMax} bytes announced`), {
      code: 'ERR_MQTT_PACKET_TOO_LARGE',
    });
    socket.destroy(error);
  });
}
