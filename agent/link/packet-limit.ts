/**
 * Ends a connection at the fixed header of an oversized MQTT packet, and when a packet comes so slowly that nothing else would come
 * any more. MQTT.js looks at a packet only after it has gathered all of it, so a broker could fill the memory (security S39), or hold
 * up everything behind one message by a byte a second (S26).
 */
import type { Duplex } from 'node:stream';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import { PacketGuard, type PacketOnItsWay } from '../../protocol/packet-guard.js';
import type { Clock } from '../../protocol/ports.js';

/** Twice the largest message: what is a little too large still gets a proper refusal with its topic. */
export const PACKET_BYTES_MAX = 2 * MESSAGE_BYTES_MAX;
/** A largest message takes as long as the keep-alive lets a silent broker live: a minute and a half. */
const PATIENCE_MS = 30_000;
const BYTES_PER_MS = 2;

/** How long a packet may take from its first byte to its last. */
export function packetPatienceMs(length: number): number {
  return PATIENCE_MS + Math.ceil(length / BYTES_PER_MS);
}

export interface PacketLimits {
  readonly clock: Clock;
  readonly bytesMax?: number;
  /** Called before the connection ends. */
  readonly onSlow?: (packet: PacketOnItsWay) => void;
}

/**
 * Watches what comes in on a socket, beside its reader, and destroys it at the first packet that is too large or too slow. Call it
 * in the same turn in which the reader is attached: listening starts the flow.
 */
export function limitPackets(socket: Duplex, limits: PacketLimits): void {
  const { clock, bytesMax = PACKET_BYTES_MAX, onSlow } = limits;
  const guard = new PacketGuard(bytesMax);
  let begun: { readonly at: number; readonly done: AbortController } | null = null;
  const end = () => {
    begun?.done.abort();
    begun = null;
  };
  const watch = async (at: number, signal: AbortSignal): Promise<void> => {
    for (let packet = guard.onItsWay(); packet; packet = guard.onItsWay()) {
      const leftMs = at + packetPatienceMs(packet.length) - clock.monotonic();
      if (leftMs <= 0) return cut(packet);
      await clock.sleep(leftMs, signal);
      if (signal.aborted) return;
    }
  };
  const cut = (packet: PacketOnItsWay): void => {
    onSlow?.(packet);
    const { length, received, topic } = packet;
    const what = `${received} of ${length} bytes of ${topic ?? 'a packet'} came`;
    fail(`too slow: ${what} in ${packetPatienceMs(length) / 1000} s`, 'ERR_MQTT_PACKET_TOO_SLOW');
  };
  const fail = (message: string, code: string): void => {
    end();
    socket.destroy(Object.assign(new Error(message), { code }));
  };
  let packets = guard.count();
  socket.on('data', (chunk: Buffer) => {
    if (!guard.admits(chunk)) {
      return fail(`packet of more than ${bytesMax} bytes announced`, 'ERR_MQTT_PACKET_TOO_LARGE');
    }
    const isSame = guard.count() === packets;
    packets = guard.count();
    if (begun && isSame && guard.onItsWay()) return;
    end();
    if (!guard.onItsWay()) return;
    begun = { at: clock.monotonic(), done: new AbortController() };
    void watch(begun.at, begun.done.signal);
  });
  socket.once('close', end);
}
