/**
 * What the hub has to publish when it meets a broker, and how far the broker's state is certain
 * (design.md section 4, topic `mark`). Pure: a mark is believed only if the hub's own role signed
 * it for this very store; every doubt means publishing everything, which is slow but never wrong.
 */
import type { TrustedRoot } from '../../protocol/verified.js';
import { openHubDocument } from '../../protocol/verify-messages.js';

export type PublishReason =
  'FreshBroker' | 'NoMark' | 'BadMark' | 'OtherStore' | 'MarkAhead' | 'UpToDate' | 'Behind';

export interface PublishPlan {
  /** Publications with a greater number are to be sent; 0: everything, clears included. */
  readonly after: number;
  readonly reason: PublishReason;
}

export interface MarkReading {
  /** True: the broker has just started empty, there is nothing to read. */
  readonly fresh: boolean;
  /** As retained by the broker; null: none came in time. */
  readonly mark: Uint8Array | null;
  readonly root: TrustedRoot;
  /** Id of our store. */
  readonly store: string;
  /** The highest number that our store gave out. */
  readonly last: number;
}

export function planPublications(reading: MarkReading): PublishPlan {
  const everything = (reason: PublishReason): PublishPlan => ({ after: 0, reason });
  const { fresh, mark, root, store, last } = reading;
  if (fresh) return everything('FreshBroker');
  if (mark === null || mark.byteLength === 0) return everything('NoMark');
  const opened = openHubDocument('mark', mark, { root });
  if (!opened.ok) return everything('BadMark');
  const { document } = opened.value;
  if (document.store !== store) return everything('OtherStore');
  if (document.number > last) return everything('MarkAhead');
  return { after: document.number, reason: document.number === last ? 'UpToDate' : 'Behind' };
}

/**
 * Which numbers the broker has for certain: all up to `covered()`. Numbers are sent in ascending
 * order and acknowledged in any. Holds no more than what is unacknowledged.
 */
export class Coverage {
  /** In the order of sending, which is ascending. */
  readonly #unacknowledged = new Set<number>();
  #sent: number;

  /** `after`: what the broker has to begin with. */
  constructor(after: number) {
    this.#sent = after;
  }

  /** Throws when the numbers do not ascend: the mark would lie. */
  sent(number: number): void {
    if (number <= this.#sent) throw new Error(`publication ${number} sent after ${this.#sent}`);
    this.#sent = number;
    this.#unacknowledged.add(number);
  }

  /** Twice is no harm. */
  acknowledged(number: number): void {
    this.#unacknowledged.delete(number);
  }

  /** True when all that was sent is acknowledged. */
  isComplete(): boolean {
    return this.#unacknowledged.size === 0;
  }

  covered(): number {
    for (const lowest of this.#unacknowledged) return lowest - 1;
    return this.#sent;
  }
}
