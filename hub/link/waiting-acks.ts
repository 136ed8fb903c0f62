/**
 * Confirmations that wait for their turn, on one connection. A newer one of a node takes the place of the one that waits and says what that
 * would have said: however far a broker lags behind, what waits does not outgrow the fleet, and none has to be left out, which the node
 * would find out half a minute later. Does no I/O.
 */
import type { AckDocument } from '../../protocol/documents/hub.js';

/** Named in one message. */
const PODS_MAX = 200;

/** The newer one with what the older one named; null: that is not for one message. Pure. */
export function joined(older: AckDocument, newer: AckDocument): AckDocument | null {
  // Another journal, or another life of it: what was said of the former one is of no use any more.
  if (older.journal !== newer.journal || older.boot > newer.boot) return newer;
  const pods = { ...older.pods, ...newer.pods };
  return Object.keys(pods).length > PODS_MAX ? null : { ...newer, pods };
}

export class WaitingAcks {
  /** By node, the one that waits longest first. */
  readonly #waiting = new Map<string, AckDocument[]>();

  /** True: one more waits than before. */
  put(document: AckDocument): boolean {
    const own = this.#waiting.get(document.node) ?? [];
    const newest = own.at(-1);
    const one = newest ? joined(newest, document) : null;
    this.#waiting.set(document.node, one ? [...own.slice(0, -1), one] : [...own, document]);
    return one === null;
  }

  take(): AckDocument | null {
    for (const [node, [first, ...rest]] of this.#waiting) {
      this.#waiting.delete(node);
      if (rest.length > 0) this.#waiting.set(node, rest);
      if (first) return first;
    }
    return null;
  }
}
