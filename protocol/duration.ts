/** Durations as Go and Kubernetes write them: `20s`, `1m30s`, `500ms`, `1.5h`. Pure. */

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's longest, 2⁶³ − 1 nanoseconds: 292 years. */
const MS_MAX = 9_223_372_036_854;

/** Milliseconds, or null when the text is not a duration, or longer than Go has any. `0` needs no unit. */
export function parseDurationMs(text: string): number | null {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return null;
  let total = 0;
  for (const [, number, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(number) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return total <= MS_MAX ? Math.round(total) : null;
}

/** As above, with days in front as people say long times: `90d`, `1d12h`. */
export function parseLongDurationMs(text: string): number | null {
  const [, days, rest = ''] = /^(\d{1,6})d(.*)$/.exec(text) ?? [];
  if (days === undefined) return parseDurationMs(text);
  const more = rest === '' ? 0 : parseDurationMs(rest);
  return more === null ? null : Number(days) * 86_400_000 + more;
}

/** As Go prints it: `1h30m0s`, `1.5s`, `250ms`, `0s`. `ms` is a whole number of 0 or more. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (ms < 1000) return `${ms}ms`;
  const [hours, minutes, seconds] = [
    Math.floor(ms / 3_600_000),
    Math.floor(ms / 60_000) % 60,
    (ms % 60_000) / 1000,
  ];
  const upper = [...(hours > 0 ? [`${hours}h`] : []), ...(ms >= 60_000 ? [`${minutes}m`] : [])];
  return `${upper.join('')}${seconds}s`;
}
