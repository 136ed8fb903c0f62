/** What the status says when the way in is troubled: a broker that delivers a byte a second, a disk without room. Pure. */
import type { PacketOnItsWay } from '../../protocol/packet-guard.js';
import type { Address, Topics } from '../../protocol/topics.js';
import type { SourceCondition } from '../ports.js';

const TOLD_MS = 3_600_000;

/** The last message that came too slowly, for an hour or until it came (security.md S26). */
export class SlowRetrievals {
  #last: { readonly message: string; readonly key: string | null; readonly at: number } | null =
    null;

  readonly #topics: Topics;

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  /** What it was, below the fleet's prefix; null: nothing of the fleet's. */
  note({ topic, length, received }: PacketOnItsWay, now: number): string | null {
    const isKnown = topic !== null && this.#topics.parse(topic) !== null;
    const key = isKnown ? topic.slice(this.#topics.prefix.length) : null;
    const what = `${received} of ${length} bytes of ${key ?? 'a message'} came`;
    const message = `${what}, so slowly that the connection was ended; all else goes first`;
    this.#last = { message, key, at: now };
    return key;
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

/** Of what came and is known only in memory, because the disk refuses it. */
export function roomCondition(
  unwritten: Iterable<{ readonly address: Pick<Address, 'kind'> }>,
): SourceCondition[] {
  const kinds = new Set([...unwritten].map(({ address }) => address.kind));
  const what = kinds.has('assignment')
    ? 'a newer assignment'
    : kinds.has('root')
      ? 'a newer root'
      : null;
  if (what === null) return [];
  const message = `${what} came and waits in memory for room on the disk (JournalWritable says what the disk says); until then what was accepted before counts`;
  return [{ type: 'NewerWaiting', status: 'True', reason: 'DiskError', message }];
}
