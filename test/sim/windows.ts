/**
 * Maintenance windows of simulated histories, and when they are open: said once more and otherwise than in the product, so that one
 * can be held against the other. All of them begin within each hour. Pure.
 */
import type { MaintenanceWindow } from '../../protocol/documents/bundle.js';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

export interface KnownWindow {
  readonly window: MaintenanceWindow;
  /** Minutes of the hour in UTC: zones are whole quarters of an hour apart. */
  readonly opens: readonly number[];
  readonly minutes: number;
}

const known = (
  schedule: string,
  minutes: number,
  timeZone: string,
  opens: readonly number[],
): KnownWindow => ({ window: { schedule, duration: `${minutes}m`, timeZone }, opens, minutes });

/** Of bundles. Each is open together with each of the nodes' own, for two minutes at least, twice an hour. */
export const BUNDLE_WINDOWS: readonly KnownWindow[] = [
  known('*/10 * * * *', 2, 'UTC', [0, 10, 20, 30, 40, 50]),
  // 5:45 ahead of UTC.
  known('5,45 * * * *', 3, 'Asia/Kathmandu', [0, 20]),
  known('10 * * * *', 6, 'Europe/Berlin', [10]),
];

/** Of nodes; 5:30 ahead of UTC. */
export const NODE_WINDOWS: readonly KnownWindow[] = [
  known('*/20 * * * *', 12, 'Asia/Kolkata', [10, 30, 50]),
];

/** Whatever comes together, an hour that is left out in autumn included. */
export const OPENS_WITHIN_MS = 2 * HOUR_MS;

/** An hour before and some minutes before the clocks of Berlin go back, and forward; and a day when nothing happens. */
export const BEGINNINGS: readonly number[] = [
  Date.parse('2026-06-01T00:00:00.000Z'),
  Date.parse('2026-10-25T00:55:00.000Z'),
  Date.parse('2027-03-28T00:50:00.000Z'),
];

const formats = new Map<string, Intl.DateTimeFormat>();

function wallClock(timeZone: string, at: number): string {
  const format =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat('en', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  formats.set(timeZone, format);
  return format.format(at);
}

/** A local time that comes twice is its first coming (RFC 5545). */
function isSecondComing(timeZone: string, at: number): boolean {
  return wallClock(timeZone, at) === wallClock(timeZone, at - HOUR_MS);
}

function isOneOpen({ window, opens, minutes }: KnownWindow, at: number): boolean {
  const hour = Math.floor(at / HOUR_MS) * HOUR_MS;
  // One may have opened before the hour began.
  return [hour - HOUR_MS, hour]
    .flatMap(since => opens.map(minute => since + minute * MINUTE_MS))
    .some(opened => {
      const isSince = at >= opened && at < opened + minutes * MINUTE_MS;
      return isSince && !isSecondComing(window.timeZone, opened);
    });
}

/** None: at any time. */
export function isOpen(windows: readonly KnownWindow[], at: number): boolean {
  return windows.length === 0 || windows.some(one => isOneOpen(one, at));
}
