/**
 * What a message shows of a text that somebody else wrote: enough to know it again, never all of it, and nothing that a terminal or
 * a log would obey. Every message that quotes names, values or paths of foreign documents takes them from here. Pure.
 */

/** Characters of a name or value in a message. */
export const EXCERPT_MAX = 256;

/** At most `lengthMax` characters, its last `…` where there were more; never half of a surrogate pair, nor one alone. */
export function cutTo(text: string, lengthMax: number): string {
  // As much as is kept: a text may be megabytes.
  const head = text.slice(0, lengthMax + 1).toWellFormed();
  if (text.length <= lengthMax) return head;
  const kept = head.slice(0, lengthMax - 1);
  return `${kept.isWellFormed() ? kept : kept.slice(0, -1)}…`;
}

/** In one line: `cutTo` without control characters and the like. */
export function excerpt(text: string, lengthMax = EXCERPT_MAX): string {
  return cutTo(text, lengthMax).replace(/\p{C}/gu, '?');
}
