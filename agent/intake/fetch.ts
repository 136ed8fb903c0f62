/**
 * Which retained topics the node is subscribed to while it fetches: eight at a time. An absent
 * retained message answers nothing, so what does not come within ten seconds gives up its place and
 * is asked for, again and again with back-off up to an hour; an answer, a new connection or a new
 * hub session brings it back at once. Holds state, does no I/O; the time and chance are arguments.
 */

export const SLOTS = 8;
export const PATIENCE_MS = 10_000;
const BACK_OFF_MAX_MS = 3_600_000;

interface Entry {
  phase: 'queued' | 'open' | 'parked' | 'slow' | 'absent';
  /** Open: when patience ends. Parked, slow: when it is tried again. */
  until: number;
  attempt: number;
}

export interface FetchStep {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** To be requested from the hub. */
  readonly ask: readonly string[];
  /** When to step again, or null. */
  readonly nextAt: number | null;
}

export class FetchQueue {
  readonly #entries = new Map<string, Entry>();
  #leaving: string[] = [];

  /** The complete list of what is wanted, most urgent first; what is not in it is dropped. */
  want(keys: readonly string[]): void {
    const wanted = new Set(keys);
    for (const key of [...this.#entries.keys()]) if (!wanted.has(key)) this.arrived(key);
    for (const key of wanted) {
      if (!this.#entries.has(key))
        this.#entries.set(key, { phase: 'queued', until: 0, attempt: 0 });
    }
  }

  arrived(key: string): void {
    if (this.#entries.get(key)?.phase === 'open') this.#leaving.push(key);
    this.#entries.delete(key);
  }

  /** True once the hub was asked and has not delivered. */
  isMissing(key: string): boolean {
    const entry = this.#entries.get(key);
    return entry !== undefined && (entry.attempt > 0 || entry.phase === 'absent');
  }

  /** It came so slowly that the connection was ended: what else is wanted goes first, on the next ones too. */
  slow(key: string, now: number, random: number): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    entry.phase = 'slow';
    entry.until = now + backOffMs(++entry.attempt, random);
  }

  isSlow(key: string): boolean {
    return this.#entries.get(key)?.phase === 'slow';
  }

  isAbsent(key: string): boolean {
    return this.#entries.get(key)?.phase === 'absent';
  }

  /** The hub's answer: published again, or not there. */
  answered(key: string, answer: 'published' | 'absent'): void {
    const entry = this.#entries.get(key);
    if (!entry || entry.phase === 'slow') return;
    if (entry.phase === 'open') {
      if (answer === 'published') return;
      this.#leaving.push(key);
    }
    entry.phase = answer === 'published' ? 'queued' : 'absent';
  }

  /** A new connection holds no subscriptions. */
  reconnected(): void {
    this.#leaving = [];
    for (const entry of this.#entries.values()) {
      if (entry.phase === 'open' || entry.phase === 'parked') entry.phase = 'queued';
    }
  }

  /** The hub began anew: what it did not have before it may have now. */
  hubChanged(): void {
    for (const entry of this.#entries.values()) {
      if (entry.phase === 'slow') continue;
      if (entry.phase !== 'open') entry.phase = 'queued';
      entry.attempt = Math.min(entry.attempt, 1);
    }
  }

  step(now: number, random: () => number): FetchStep {
    const unsubscribe = this.#leaving;
    this.#leaving = [];
    const ask: string[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.phase === 'open' && entry.until <= now) {
        ask.push(key);
        unsubscribe.push(key);
        entry.phase = 'parked';
        entry.until = now + backOffMs(entry.attempt++, random());
      } else if (isWaiting(entry) && entry.until <= now) {
        entry.phase = 'queued';
      }
    }
    const subscribe = this.#open(now);
    const times = [...this.#entries.values()]
      .filter(entry => entry.phase === 'open' || isWaiting(entry))
      .map(({ until }) => until);
    return { subscribe, unsubscribe, ask, nextAt: times.length > 0 ? Math.min(...times) : null };
  }

  /** Those that were never asked for go first: one that the hub lacks must not hold up the rest. */
  #open(now: number): string[] {
    const open = [...this.#entries.values()].filter(({ phase }) => phase === 'open').length;
    const queued = [...this.#entries]
      .filter(([, { phase }]) => phase === 'queued')
      .sort(([, a], [, b]) => a.attempt - b.attempt)
      .slice(0, Math.max(0, SLOTS - open));
    for (const [, entry] of queued) {
      entry.phase = 'open';
      entry.until = now + PATIENCE_MS;
    }
    return queued.map(([key]) => key);
  }
}

function isWaiting({ phase }: Entry): boolean {
  return phase === 'parked' || phase === 'slow';
}

function backOffMs(attempt: number, random: number): number {
  const whole = Math.min(BACK_OFF_MAX_MS, PATIENCE_MS * 2 ** Math.min(attempt, 12));
  return Math.round(whole * (0.75 + random / 2));
}
