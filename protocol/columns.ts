/** Columns and ages as kubectl prints them; both programs use them. Pure. */

/** Columns three blanks apart; `widths` keeps the lines of a watch in step with those before. */
export function layOut(rows: readonly (readonly string[])[], widths: number[] = []): string[] {
  for (const row of rows) {
    row.forEach((text, i) => (widths[i] = Math.max(widths[i] ?? 0, text.length)));
  }
  return rows.map(row =>
    row
      .map((text, i) => (i === row.length - 1 ? text : text.padEnd(widths[i] ?? 0)))
      .join('   ')
      .trimEnd(),
  );
}

/** `45s`, `12m`, `3h`, `9d`; negative spans count as 0. */
export function ageText(ms: number): string {
  if (Number.isNaN(ms)) return '<unknown>';
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
