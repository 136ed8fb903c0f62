/** Which of many are tried, and how one of them is named on a command line. Pure. */

/** So many of them, or all where there are fewer; evenly spread. */
export function spread<T>(all: readonly T[], count: number): readonly T[] {
  const step = Math.max(1, all.length / count);
  const places = Array.from({ length: Math.min(count, all.length) }, (_, i) =>
    Math.floor(i * step),
  );
  return places.flatMap(i => all[i] ?? []);
}

/** As one word of a shell. */
export const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
