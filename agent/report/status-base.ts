/**
 * What a status may build on: the newest one that the hub confirmed, as long as its session and this connection last; who sees another
 * session hears all of it. What is said again is said whole. Holds state, does no I/O.
 */
import { canonicalJson } from '../../protocol/canonical.js';
import type { StatusDocument } from '../../protocol/documents/node.js';
import { rebased } from '../../protocol/rebased-envelope.js';

/** Statuses on their way that are remembered: the confirmation of an older one says little. */
const SENT_MAX = 4;

export class StatusBase {
  readonly #sent = new Map<number, Buffer>();
  #base: Buffer | null = null;
  #isBuiltOn = false;

  /** The status as it is to travel, and remembered as sent. `isAgain`: it was said before. */
  message(envelope: Buffer, status: StatusDocument, isAgain: boolean): Buffer {
    this.#sent.delete(status.counter);
    this.#sent.set(status.counter, Buffer.from(canonicalJson(status)));
    const [oldest] = this.#sent.keys();
    if (this.#sent.size > SENT_MAX && oldest !== undefined) {
      // So many in vain: the hub may have lost what they stand on.
      this.#sent.delete(oldest);
      this.#base = null;
    }
    const short = this.#base === null || isAgain ? null : rebased('status', envelope, this.#base);
    this.#isBuiltOn = short !== null && short.byteLength < envelope.byteLength;
    return short !== null && this.#isBuiltOn ? short : envelope;
  }

  /** The hub has the status of this number, and needs none before it: a confirmation that comes late says nothing. */
  confirmed(counter: number): void {
    const payload = this.#sent.get(counter);
    if (!payload) return;
    this.#base = payload;
    for (const sent of [...this.#sent.keys()]) if (sent <= counter) this.#sent.delete(sent);
  }

  /** Nobody may know any more what was said. True when the newest status on the broker says nothing without it. */
  forget(): boolean {
    this.#sent.clear();
    this.#base = null;
    return this.#isBuiltOn;
  }
}
