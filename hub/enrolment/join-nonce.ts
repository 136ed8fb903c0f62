/**
 * Nonces for joins that need no memory until they are used: a second, randomness, and a MAC over
 * both, so that a flood of requests for nonces stores nothing. Each is good once, for ten minutes,
 * and only at the process that gave it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../protocol/ports.js';
import type { RandomBytes } from '../setup/pki.js';

export const NONCE_TTL_S = 600;
const MAC_BYTES = 8;

export class JoinNonces {
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #key: Uint8Array;
  /** Used ones, in the order of their use, with the second in which they expire. */
  readonly #used = new Map<string, number>();

  constructor(clock: Clock, random: RandomBytes) {
    this.#clock = clock;
    this.#random = random;
    this.#key = random(32);
  }

  /** 32 hex digits. */
  issue(): string {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(this.#seconds());
    head.set(this.#random(4), 4);
    return Buffer.concat([head, this.#mac(head)]).toString('hex');
  }

  /** False for a foreign, an old and a used one. */
  redeem(nonce: string): boolean {
    const bytes = Buffer.from(nonce, 'hex');
    if (bytes.byteLength !== 16 || this.#used.has(nonce)) return false;
    const head = bytes.subarray(0, 8);
    if (!timingSafeEqual(this.#mac(head), bytes.subarray(8))) return false;
    const now = this.#seconds();
    const expires = head.readUInt32BE() + NONCE_TTL_S;
    if (now > expires) return false;
    for (const [old, until] of this.#used) {
      if (until < now) this.#used.delete(old);
    }
    this.#used.set(nonce, expires);
    return true;
  }

  /** Of this process's life, on the clock that never jumps. */
  #seconds(): number {
    return Math.floor(this.#clock.monotonic() / 1000);
  }

  #mac(head: Uint8Array): Buffer {
    return createHmac('sha256', this.#key).update(head).digest().subarray(0, MAC_BYTES);
  }
}
