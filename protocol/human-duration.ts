/**
 * Ages as kubectl prints them: apimachinery `duration.HumanDuration` (at most two units, coarser as time goes by) and
 * the printers' `translateTimestampSince`. Pure.
 */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

function pair(whole: number, unit: string, rest: string): string {
  return `${whole}${unit}${rest.startsWith('0') ? '' : rest}`;
}

export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / SECOND_MS);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 2 * 60) return `${seconds}s`;
  const minutes = Math.trunc(ms / MINUTE_MS);
  if (minutes < 10) return pair(minutes, 'm', `${seconds % 60}s`);
  if (minutes < 3 * 60) return `${minutes}m`;
  const hours = Math.trunc(ms / HOUR_MS);
  if (hours < 8) return pair(hours, 'h', `${minutes % 60}m`);
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (days < 8) return pair(days, 'd', `${hours % 24}h`);
  if (days < 2 * 365) return `${days}d`;
  const years = Math.trunc(days / 365);
  return years < 8 ? pair(years, 'y', `${days % 365}d`) : `${years}y`;
}

/** Time since an RFC 3339 timestamp; `<unknown>` where there is none. */
export function age(timestamp: string | null | undefined, nowMs: number): string {
  const atMs = timestamp ? Date.parse(timestamp) : NaN;
  return Number.isNaN(atMs) ? '<unknown>' : humanDuration(nowMs - atMs);
}
