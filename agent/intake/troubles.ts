/** What the status says when the way in is troubled: a disk that refuses the journal, a broker that delivers a byte a second. Pure. */
import type { PacketOnItsWay } from '../../protocol/packet-guard.js';
import type { SourceCondition } from '../ports.js';

const TOLD_MS = 3_600_000;

export function diskCondition(message: string): SourceCondition {
  return { type: 'JournalWritable', status: 'False', reason: 'DiskError', message };
}

/** The last message that came too slowly, for an hour or until it came (security.md S26). */
export class SlowRetrievals {
  #last: { readonly message: string; readonly key: string | null; readonly at: number } | null =
    null;

  /** `topic`: below the fleet's prefix; null: none of the fleet's. */
  note({ topic: key, length, received }: PacketOnItsWay, now: number): void {
    const what = `${received} of ${length} bytes of ${key ?? 'a message'} came`;
    const message = `${what}, so slowly that the connection was ended; all else goes first`;
    this.#last = { message, key, at: now };
  }

  came(key: string): void {
    if (this.#last?.key === key) this.#last = null;
  }

  conditions(now: number): SourceCondition[] {
    if (!this.#last || now - this.#last.at > TOLD_MS) return [];
    const { message } = this.#last;
    return [{ type: 'SlowRetrieval', status: 'True', reason: 'MessageTooSlow', message }];
  }
}
