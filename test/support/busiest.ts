/** How crowded a time was. */

/** The most of the times that lie within one span of that length. */
export function busiest(times: readonly number[], span: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  let most = 0;
  for (let from = 0, to = 0; to < sorted.length; to++) {
    while ((sorted[to] ?? 0) - (sorted[from] ?? 0) >= span) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
