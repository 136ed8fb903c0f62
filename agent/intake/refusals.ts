/**
 * Refusals as data: code, digest and topic of the last one for the status, one log line for each
 * content in a minute. The refused text is never kept (security.md 6).
 */
import { sha256Hex } from '../../protocol/canonical.js';
import type { StatusDocument } from '../../protocol/documents/node.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { Refusal } from '../../protocol/refusal.js';
import { mayLogRefusal } from './decide.js';

const TOPIC_LENGTH_MAX = 256;

export class Refusals {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #prefix: string;
  readonly #logged = new Map<string, number>();
  #last: StatusDocument['lastRefusal'] = null;

  /** @param prefix of the fleet's topics: cut off from what is said */
  constructor(clock: Clock, log: Log, prefix: string) {
    this.#clock = clock;
    this.#log = log;
    this.#prefix = prefix;
  }

  last(): StatusDocument['lastRefusal'] {
    return this.#last;
  }

  /** False for what was said within the last minute. */
  note({ code, detail }: Refusal, payload: Uint8Array, topic: string): boolean {
    const digest = sha256Hex(payload);
    const now = this.#clock.monotonic();
    if (!mayLogRefusal(this.#logged, digest, now)) return false;
    this.#logged.set(digest, now);
    const below = topic.startsWith(this.#prefix) ? topic.slice(this.#prefix.length) : topic;
    const at = new Date(this.#clock.now()).toISOString();
    this.#last = { code, digest, topic: below.slice(0, TOPIC_LENGTH_MAX), at };
    this.#log.warn('refused', { code, detail, topic: below, digest });
    return true;
  }
}
