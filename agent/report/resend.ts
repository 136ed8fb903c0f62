/**
 * What was said to the hub and not yet confirmed by it: sent again from 30 s after the PUBACK,
 * doubling to an hour with jitter, while the hub is online; at most 100 at a time. The status goes before all else, events after all
 * else and a few batches at a time: what gathered in a year of absence stands in nobody's way. Holds state, does no I/O; time and chance
 * are arguments.
 */

export const IN_FLIGHT_MAX = 100;
/** Batches of events that the hub has not confirmed; with their size what a newer status may have to wait behind. */
export const EVENTS_IN_FLIGHT_MAX = 4;
/** Key of the status; those of pods and of batches of events begin with a word of their own. */
export const STATUS = 'status';
const EVENT = 'event/';
const FIRST_MS = 30_000;
const LAST_MS = 3_600_000;
/** A new hub session is answered by the whole fleet: each node within this time. */
export const HUB_JITTER_MS = 3_000;

interface Entry {
  version: string;
  phase: 'new' | 'sending' | 'sent';
  attempt: number;
  dueAt: number;
}

function rankOf(key: string): number {
  return key === STATUS ? 0 : key.startsWith(EVENT) ? 2 : 1;
}

function hasRoom(key: string, { all, events }: { readonly all: number; readonly events: number }) {
  if (key === STATUS) return true;
  return all < IN_FLIGHT_MAX && (!key.startsWith(EVENT) || events < EVENTS_IN_FLIGHT_MAX);
}

export class Resend {
  readonly #entries = new Map<string, Entry>();
  #hubOnline = false;

  /** Something to be said; the same version again changes nothing. */
  put(key: string, version: string): void {
    const entry = this.#entries.get(key);
    if (entry?.version === version) return;
    this.#entries.set(key, { version, phase: 'new', attempt: 0, dueAt: 0 });
  }

  drop(key: string): void {
    this.#entries.delete(key);
  }

  /** Keys that are not confirmed. */
  keys(): string[] {
    return [...this.#entries.keys()];
  }

  version(key: string): string | null {
    return this.#entries.get(key)?.version ?? null;
  }

  /** It was sent before, in vain as it seems. */
  isAgain(key: string): boolean {
    return (this.#entries.get(key)?.attempt ?? 0) > 0;
  }

  /** Keys to be sent now, marked as being sent. */
  take(now: number): string[] {
    const busy = { all: 0, events: 0 };
    const count = (key: string) => {
      busy.all++;
      if (key.startsWith(EVENT)) busy.events++;
    };
    for (const [key, { phase }] of this.#entries) if (phase !== 'new') count(key);
    const taken: string[] = [];
    const inOrder = [...this.#entries].sort(([a], [b]) => rankOf(a) - rankOf(b));
    for (const [key, entry] of inOrder) {
      const again = entry.phase === 'sent' && this.#hubOnline && entry.dueAt <= now;
      const first = entry.phase === 'new' && entry.dueAt <= now && hasRoom(key, busy);
      if (!again && !first) continue;
      if (first) count(key);
      entry.phase = 'sending';
      taken.push(key);
    }
    return taken;
  }

  /** The PUBACK came, or the connection broke before it. */
  settled(key: string, version: string, result: { sent: boolean; now: number; random: number }) {
    const entry = this.#entries.get(key);
    if (entry?.version !== version || entry.phase !== 'sending') return;
    if (!result.sent) {
      entry.phase = 'new';
      entry.dueAt = 0;
      return;
    }
    const whole = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(entry.attempt++, 10));
    entry.phase = 'sent';
    entry.dueAt = result.now + whole * (1 + result.random / 4);
  }

  /** A hint only; what is new is sent in any case. */
  hubOnline(online: boolean): void {
    this.#hubOnline = online;
  }

  /** A new session of the hub: all of it again, soon. */
  hubRestarted(now: number, random: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.phase !== 'sent') continue;
      entry.attempt = 0;
      entry.dueAt = now + random * HUB_JITTER_MS;
    }
  }

  /** When `take` may give something again; null when only an event can change that. */
  nextAt(): number | null {
    const times = [...this.#entries.values()]
      .filter(({ phase }) => phase === 'sent' && this.#hubOnline)
      .map(({ dueAt }) => dueAt);
    return times.length > 0 ? Math.min(...times) : null;
  }
}
