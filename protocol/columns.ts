/** Columns and ages as kubectl prints them; both programs use them. Pure. */
import { humanDuration } from './human-duration.js';

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

/** An age as `kubectl get` prints it; negative spans (another clock) count as 0. */
export function ageText(ms: number): string {
  return Number.isNaN(ms) ? '<unknown>' : humanDuration(Math.max(0, ms));
}
