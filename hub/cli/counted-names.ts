/** How many there are and what they are called, as they stand in a sentence. Pure. */

/** `edge-1, edge-2 and 7 more`. */
export function namedUpTo(names: readonly string[], most: number): string {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
