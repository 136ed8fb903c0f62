/**
 * Maintenance windows: times at which something may be switched, as cron expression, duration and time zone. A window opens at each
 * local time that matches and stays open for so long by a clock that runs evenly, whatever the clocks on the wall do meanwhile. Where
 * they are changed, RFC 5545 says which instant a local time is (zone-time.ts). Pure: the time is an argument.
 */
import { parseCron, type CronSchedule } from './cron.js';
import type { MaintenanceWindow } from './documents/bundle.js';
import { parseLongDurationMs } from './duration.js';
import { DAY_MS, instantsOfDay, isTimeZone, localDay } from './zone-time.js';

const WINDOWS_MAX = 16;
const FIELDS = ['schedule', 'duration', 'timeZone'] as const;
/** For whoever left it out. */
const EXAMPLES: Readonly<Record<(typeof FIELDS)[number], string>> = {
  schedule: 'such as "0 2 * * sun"',
  duration: 'such as 4h',
  timeZone: 'such as Europe/Berlin or UTC',
};
const DURATION_MIN_MS = 60_000;
const DURATION_MAX_MS = 31 * DAY_MS;
/** Two leap days are at most eight years apart. */
const AHEAD_DAYS = 9 * 366;
/** Of windows that are to be open together: so many are tried. */
const TRIES_MAX = 800;
/** The same few days are asked about again and again. */
const DAYS_KEPT = 40;

/** What a node says whose windows leave no hour; the hub goes by it. */
export const NEVER_OPEN = 'the maintenance windows are never open together';

/** Ready to be asked. */
export interface Window {
  readonly window: MaintenanceWindow;
  readonly schedule: CronSchedule;
  readonly durationMs: number;
  /** When it opens, by day: filled as it is asked. */
  readonly days: Map<number, readonly number[]>;
}

export interface WindowFault {
  readonly field: keyof MaintenanceWindow;
  /** The end of a sentence that begins with the field. */
  readonly message: string;
}

export function windowFault(window: MaintenanceWindow): WindowFault | null {
  const made = windowOf(window);
  return 'field' in made ? made : null;
}

function windowOf(window: MaintenanceWindow): Window | WindowFault {
  const { schedule: text, duration, timeZone } = window;
  const schedule = parseCron(text);
  if (typeof schedule === 'string') return { field: 'schedule', message: `"${text}" ${schedule}` };
  const durationMs = parseLongDurationMs(duration);
  if (durationMs === null || durationMs < DURATION_MIN_MS || durationMs > DURATION_MAX_MS) {
    const message = `"${duration}" is not a duration from 1m to 31d, such as 90m or 4h`;
    return { field: 'duration', message };
  }
  if (!isTimeZone(timeZone)) {
    const message = `"${timeZone}" is not a time zone that is known here, such as Europe/Berlin or UTC`;
    return { field: 'timeZone', message };
  }
  return { window, schedule, durationMs, days: new Map() };
}

/** `at`: where in the list, such as `[0].schedule`; empty: the list itself. */
export function windowsFault(
  windows: readonly MaintenanceWindow[],
): { readonly at: string; readonly message: string } | null {
  if (!Array.isArray(windows) || windows.length > WINDOWS_MAX) {
    return { at: '', message: `must be a list of at most ${WINDOWS_MAX} windows` };
  }
  for (const [i, window] of (windows as readonly unknown[]).entries()) {
    const given = (window ?? {}) as Partial<MaintenanceWindow>;
    const other = Object.keys(given).find(name => !FIELDS.some(field => field === name));
    if (other !== undefined) return { at: `[${i}]`, message: `has only ${FIELDS.join(', ')}` };
    const wrong = FIELDS.find(name => typeof given[name] !== 'string');
    if (wrong !== undefined) {
      const message =
        given[wrong] === undefined ? `is missing, ${EXAMPLES[wrong]}` : 'must be a string';
      return { at: `[${i}].${wrong}`, message };
    }
    const fault = windowFault(given as MaintenanceWindow);
    if (fault) return { at: `[${i}].${fault.field}`, message: fault.message };
  }
  return null;
}

/** Throws for a window that has a fault. */
export function readWindows(windows: readonly MaintenanceWindow[]): readonly Window[] {
  return windows.map(window => {
    const made = windowOf(window);
    if ('field' in made) throw new Error(`maintenance window: ${made.field} ${made.message}`);
    return made;
  });
}

/** `0 2 * * sun for 4h in Europe/Berlin`. */
export function windowText({ schedule, duration, timeZone }: MaintenanceWindow): string {
  return `${schedule} for ${duration} in ${timeZone}`;
}

/** Of `windowText`; null: it has not that form. What stands in it is judged by `windowFault`. */
export function parseWindowText(text: string): MaintenanceWindow | null {
  const [, schedule, duration, timeZone] =
    /^\s*(.+?)\s+for\s+(\S+)\s+in\s+(\S+)\s*$/i.exec(text) ?? [];
  if (schedule === undefined || duration === undefined || timeZone === undefined) return null;
  return { schedule: schedule.replace(/\s+/g, ' '), duration, timeZone };
}

/** When it opens, on one day of its zone's calendar, ascending. */
function openingsOn({ schedule, window, days }: Window, day: number): readonly number[] {
  const known = days.get(day);
  if (known) return known;
  if (!schedule.isDay(day)) return [];
  const instant = instantsOfDay(window.timeZone, day);
  const openings = schedule.minutes.map(instant).sort((a, b) => a - b);
  if (days.size >= DAYS_KEPT) days.clear();
  days.set(day, openings);
  return openings;
}

/** The moment it opened is within, the moment it closes is not. */
function isInside(window: Window, now: number): boolean {
  const { timeZone } = window.window;
  const first = localDay(timeZone, now - window.durationMs) - 1;
  for (let day = localDay(timeZone, now) + 1; day >= first; day--) {
    const last = openingsOn(window, day).findLast(at => at <= now);
    if (last !== undefined) return now < last + window.durationMs;
  }
  return false;
}

/** The first time after `now` that it opens; null: not in nine years. */
function nextOpening(window: Window, now: number): number | null {
  const today = localDay(window.window.timeZone, now);
  for (let day = today - 1; day < today + AHEAD_DAYS; day++) {
    const next = openingsOn(window, day).find(at => at > now);
    if (next !== undefined) return next;
  }
  return null;
}

/** Any of them; none at all: always. */
function isOpen(windows: readonly Window[], now: number): boolean {
  return windows.length === 0 || windows.some(window => isInside(window, now));
}

function opens(windows: readonly Window[], now: number): number | null {
  if (isOpen(windows, now)) return now;
  const times = windows.flatMap(window => nextOpening(window, now) ?? []);
  return times.length === 0 ? null : Math.min(...times);
}

/**
 * Several lists of windows, each somebody's: one of each has to be open. The answer is `now` when they are, else the first time
 * that they will be (milliseconds since 1970); null: none that could be found.
 */
export function openAt(lists: readonly (readonly Window[])[], now: number): number | null {
  let at = now;
  for (let i = 0; i < TRIES_MAX; i++) {
    const times = lists.map(windows => opens(windows, at));
    if (times.includes(null)) return null;
    const last = Math.max(at, ...times.flatMap(time => time ?? []));
    if (last === at) return at;
    at = last;
  }
  return null;
}
