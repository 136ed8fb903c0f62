/**
 * Keeps what happens over and over from filling the outbox: an event that repeats itself is told a few times as it
 * comes, then with growing pauses, at last once a day, each time with how often it happened.
 *
 * As client-go's event correlator (`tools/record/events_cache.go`), whose counters are rows here: the outbox only
 * grows. A new series begins after ten quiet minutes. Time is an argument; holds state, does no I/O.
 */
import type { NewEvent } from '../ports.js';
import { humanDuration } from '../../protocol/human-duration.js';

/** A series ends when it was quiet for this long. */
export const QUIET_MS = 600_000;
/** So many of a series are told as they come. */
export const TOLD_AT_ONCE = 3;
export const PAUSE_FIRST_MS = 60_000;
export const PAUSE_MAX_MS = 86_400_000;
/** More different sentences than this for one reason, one container, and they count as one series. */
export const SENTENCES_MAX = 10;
/** What is remembered: the oldest series is dropped. */
const SERIES_MAX = 4096;

interface Series {
  readonly firstAt: number;
  lastAt: number;
  toldAt: number;
  pauseMs: number;
  count: number;
}

interface Group {
  lastAt: number;
  readonly sentences: Set<string>;
}

/** What differs each time and says nothing new. */
function sentenceOf(message: string): string {
  return message
    .replace(/\b(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)?m?s\b/g, '#')
    .replace(/:\d{4,5}->/g, ':#->');
}

function forgetOldest(map: Map<string, { readonly lastAt: number }>): void {
  if (map.size <= SERIES_MAX) return;
  const [oldest] = [...map].reduce((a, b) => (b[1].lastAt < a[1].lastAt ? b : a));
  map.delete(oldest);
}

export class EventCorrelator {
  readonly #series = new Map<string, Series>();
  readonly #groups = new Map<string, Group>();

  /** The event as it is to be told, null when it is not. `now` is of a clock that never jumps, in milliseconds. */
  note(event: NewEvent, now: number): NewEvent | null {
    const { involved, type, reason } = event;
    const about = JSON.stringify([involved.uid, involved.name, involved.fieldPath, type, reason]);
    const isMany = this.#isMany(about, sentenceOf(event.message), now);
    const key = isMany ? about : `${about}${sentenceOf(event.message)}`;
    const message = isMany ? `(combined from similar events): ${event.message}` : event.message;
    const series = this.#series.get(key);
    if (series === undefined || now - series.lastAt > QUIET_MS) {
      const pauseMs = PAUSE_FIRST_MS;
      this.#series.set(key, { firstAt: now, lastAt: now, toldAt: now, pauseMs, count: 1 });
      forgetOldest(this.#series);
      return { ...event, message };
    }
    series.count += 1;
    series.lastAt = now;
    if (series.count > TOLD_AT_ONCE) {
      if (now - series.toldAt < series.pauseMs) return null;
      series.pauseMs = Math.min(series.pauseMs * 2, PAUSE_MAX_MS);
    }
    series.toldAt = now;
    if (series.count <= TOLD_AT_ONCE) return { ...event, message };
    const over = humanDuration(now - series.firstAt);
    return { ...event, message: `${message} (x${series.count} over ${over})` };
  }

  #isMany(about: string, sentence: string, now: number): boolean {
    let group = this.#groups.get(about);
    if (group === undefined || now - group.lastAt > QUIET_MS) {
      group = { lastAt: now, sentences: new Set() };
      this.#groups.set(about, group);
      forgetOldest(this.#groups);
    }
    group.lastAt = now;
    if (group.sentences.has(sentence)) return false;
    if (group.sentences.size >= SENTENCES_MAX) return true;
    group.sentences.add(sentence);
    return false;
  }
}
