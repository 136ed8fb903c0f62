/** Durations as Go and Kubernetes write them: `20s`, `1m30s`, `500ms`, `1.5h`. Pure. */

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds, or null when the text is not a duration. `0` needs no unit. */
export function parseDurationMs(text: string): number | null {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return null;
  let total = 0;
  for (const [, number, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(number) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return Math.round(total);
}
