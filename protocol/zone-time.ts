/**
 * Local times of a time zone (IANA name) as instants and back, by the zone data of the runtime's ICU. A local time that a change of
 * the clocks leaves out is read with the offset before the change; one that comes twice is its first coming (RFC 5545, 3.3.5).
 * Pure but for formatters that are kept.
 */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** No zone is further from UTC. */
const OFFSET_MAX_MS = 15 * HOUR_MS;

const FORMATS = new Map<string, Intl.DateTimeFormat>();

/** Throws RangeError for a zone that the runtime does not know. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = FORMATS.get(timeZone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, hourCycle: 'h23' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  FORMATS.set(timeZone, made);
  return made;
}

/** A name such as `Europe/Berlin` or `UTC`; an offset such as `+02:00` is none, for it knows no summer. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][\w+/-]{0,63}$/.test(name)) return false;
  try {
    return formatOf(name) !== null;
  } catch {
    return false;
  }
}

/** Milliseconds that local time is ahead of UTC at an instant (milliseconds since 1970). */
export function offsetAt(timeZone: string, instant: number): number {
  const whole = Math.floor(instant / 1000) * 1000;
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(whole)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
}

/** Days since 1970 by the calendar of the zone. */
export function localDay(timeZone: string, instant: number): number {
  return Math.floor((instant + offsetAt(timeZone, instant)) / DAY_MS);
}

/** From minutes since the local midnight of a day to the instant. No zone changes its clocks twice within two days. */
export function instantsOfDay(timeZone: string, day: number): (minutes: number) => number {
  const [from, to] = [day * DAY_MS - OFFSET_MAX_MS, (day + 1) * DAY_MS + OFFSET_MAX_MS];
  const [before, after] = [offsetAt(timeZone, from), offsetAt(timeZone, to)];
  const local = (minutes: number) => day * DAY_MS + minutes * MINUTE_MS;
  if (before === after) return minutes => local(minutes) - before;
  const change = changeBetween(timeZone, from, to);
  return minutes => {
    const first = local(minutes) - before;
    const second = local(minutes) - after;
    return first >= change && second >= change ? second : first;
  };
}

/** The first instant with the offset that `to` has. */
function changeBetween(timeZone: string, from: number, to: number): number {
  const after = offsetAt(timeZone, to);
  let [early, late] = [from, to];
  while (late - early > MINUTE_MS) {
    const middle = early + Math.floor((late - early) / (2 * MINUTE_MS)) * MINUTE_MS;
    if (offsetAt(timeZone, middle) === after) late = middle;
    else early = middle;
  }
  return late;
}

/** `2026-03-29T03:30:00+02:00`. */
export function zonedText(timeZone: string, instant: number): string {
  const offset = offsetAt(timeZone, instant);
  const local = new Date(instant + offset).toISOString().slice(0, 19);
  const minutes = Math.abs(Math.round(offset / MINUTE_MS));
  const two = (n: number) => String(n).padStart(2, '0');
  const sign = offset < 0 ? '-' : '+';
  return `${local}${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
