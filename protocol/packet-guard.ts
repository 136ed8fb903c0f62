/**
 * Counts MQTT packets in a byte stream by their fixed headers (MQTT 3.1.1 section 2.2.3) and says
 * no to one that announces more than the limit, before any of it is kept: parsers buffer a packet
 * whole before they look at its size. Holds no bytes. Pure but for its own place in the stream.
 */
export class PacketGuard {
  readonly #bytesMax: number;
  /** Bytes of the packet at hand that are still to come. */
  #left = 0;
  /** -1: the next byte begins a packet; else the position in its remaining-length field. */
  #digit = -1;
  #length = 0;

  /** `bytesMax` bounds a packet's remaining length: topic, packet id and payload together. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * False from the byte on that completes a length above the limit, or a length field of five
   * bytes.
   */
  admits(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length;) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, chunk.length - at);
        this.#left -= step;
        at += step;
      } else if (this.#digit < 0) {
        this.#digit = 0;
        this.#length = 0;
        at++;
      } else if (!this.#readLength(chunk[at++] ?? 0)) {
        return false;
      }
    }
    return true;
  }

  #readLength(byte: number): boolean {
    this.#length += (byte & 0x7f) * 128 ** this.#digit;
    if (byte >= 0x80) return ++this.#digit < 4;
    this.#digit = -1;
    this.#left = this.#length;
    return this.#length <= this.#bytesMax;
  }
}
