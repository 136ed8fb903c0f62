/**
 * Counts MQTT packets in a byte stream by their fixed headers (MQTT 3.1.1 section 2.2.3) and says
 * no to one that announces more than the limit, before any of it is kept: parsers buffer a packet
 * whole before they look at its size. Knows which packet is on its way. Holds no bytes but the topic's. Pure but for its own place
 * in the stream.
 */

const PUBLISH = 3;
/** Length of the topic before it, MQTT 3.1.1 section 3.3.2. */
const TOPIC_BYTES_MAX = 2 + 256;

/** A packet of which a part came. */
export interface PacketOnItsWay {
  /** Its remaining length. */
  readonly length: number;
  readonly received: number;
  /** Of a PUBLISH, as far as it came. */
  readonly topic: string | null;
}

export class PacketGuard {
  readonly #bytesMax: number;
  /** Bytes of the packet at hand that are still to come. */
  #left = 0;
  /** -1: the next byte begins a packet; else the position in its remaining-length field. */
  #digit = -1;
  #length = 0;
  #begun = 0;
  #isPublish = false;
  #head = Buffer.alloc(TOPIC_BYTES_MAX);

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
        this.#keepHead(chunk.subarray(at, at + step));
        this.#left -= step;
        at += step;
      } else if (this.#digit < 0) {
        this.#digit = 0;
        this.#begun++;
        this.#length = 0;
        this.#isPublish = (chunk[at] ?? 0) >> 4 === PUBLISH;
        at++;
      } else if (!this.#readLength(chunk[at++] ?? 0)) {
        return false;
      }
    }
    return true;
  }

  /** Packets that began so far. */
  count(): number {
    return this.#begun;
  }

  /** Null between two packets. */
  onItsWay(): PacketOnItsWay | null {
    if (this.#left === 0 && this.#digit < 0) return null;
    const length = this.#length;
    const received = this.#digit < 0 ? length - this.#left : 0;
    return { length, received, topic: this.#topic(received) };
  }

  #topic(received: number): string | null {
    if (!this.#isPublish || received < 2) return null;
    const end = Math.min(2 + this.#head.readUInt16BE(0), received, TOPIC_BYTES_MAX);
    return this.#head.toString('utf8', 2, end);
  }

  #keepHead(bytes: Uint8Array): void {
    const at = this.#length - this.#left;
    if (this.#isPublish && at < TOPIC_BYTES_MAX) {
      this.#head.set(bytes.subarray(0, TOPIC_BYTES_MAX - at), at);
    }
  }

  #readLength(byte: number): boolean {
    this.#length += (byte & 0x7f) * 128 ** this.#digit;
    if (byte >= 0x80) return ++this.#digit < 4;
    this.#digit = -1;
    this.#left = this.#length;
    return this.#length <= this.#bytesMax;
  }
}
