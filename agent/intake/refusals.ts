/**
 * Refusals as data: code, digest and topic of the last one for the status, one log line for each
 * content in a minute. The refused text is never kept (security.md 6).
 */
import { sha256Hex } from '../../protocol/canonical.js';
import type { StatusDocument } from '../../protocol/documents/node.js';
import type { Clock, Log } from '../../protocol/ports.js';
import type { Refusal } from '../../protocol/refusal.js';
import type { TimeKeeper } from '../time/time-keeper.js';
import { mayLogRefusal } from './decide.js';

type LastRefusal = NonNullable<StatusDocument['lastRefusal']>;

const TOPIC_LENGTH_MAX = 256;
const DETAIL_LENGTH_MAX = 512;
/** However soon all is well again, whoever looks now and then sees it. */
const TOLD_MS = 60_000;

type RefusalTime = Pick<TimeKeeper, 'timeline' | 'uptime'>;

export class Refusals {
  readonly #clock: Clock;
  readonly #time: RefusalTime;
  readonly #log: Log;
  readonly #prefix: string;
  readonly #logged = new Map<string, number>();
  readonly #counts = new Map<string, number>();
  #last: (Omit<LastRefusal, 'at'> & { readonly uptime: number }) | null = null;
  #isPast = false;

  /** `prefix`: of the fleet's topics, cut off from what is said. */
  constructor(options: { clock: Clock; time: RefusalTime; log: Log; prefix: string }) {
    this.#clock = options.clock;
    this.#time = options.time;
    this.#log = options.log;
    this.#prefix = options.prefix;
  }

  /** For the status: what was accepted since puts an end to it, once it was told. */
  last(): LastRefusal | null {
    const isOver =
      this.#isPast && this.#last !== null && this.#time.uptime() - this.#last.uptime >= TOLD_MS;
    return isOver ? null : this.newest();
  }

  /** A newer root or assignment was accepted, or the hub said again what was. */
  accepted(): void {
    this.#isPast = true;
  }

  /** What came on this topic now is good. */
  taken(topic: string): void {
    if (this.#last?.topic === this.#below(topic)) this.#isPast = true;
  }

  #below(topic: string): string {
    const below = topic.startsWith(this.#prefix) ? topic.slice(this.#prefix.length) : topic;
    return below.slice(0, TOPIC_LENGTH_MAX);
  }

  newest(): LastRefusal | null {
    if (this.#last === null) return null;
    const { uptime, ...last } = this.#last;
    return { ...last, at: new Date(this.#time.timeline().at(uptime)).toISOString() };
  }

  /** Since the agent was started, by code. */
  counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** False for what was said within the last minute. */
  note({ code, detail }: Refusal, payload: Uint8Array, topic: string): boolean {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    const digest = sha256Hex(payload);
    const now = this.#clock.monotonic();
    if (!mayLogRefusal(this.#logged, digest, now)) return false;
    this.#logged.set(digest, now);
    const below = this.#below(topic);
    const uptime = this.#time.uptime();
    const said = detail.slice(0, DETAIL_LENGTH_MAX).toWellFormed();
    this.#last = { code, digest, topic: below, detail: said, uptime };
    this.#isPast = false;
    this.#log.warn('refused', { code, detail, topic: below, digest });
    return true;
  }
}
