/**
 * Shell patterns with `*` (any characters, none too) and `?` (one), in time that grows with pattern times text: an expression of the
 * language would take a day for `*a*a*a*a*a*a*b`, and patterns come with Secrets and images with Pods. Pure.
 */

/** Whether the whole text is what the pattern says. */
export function wildcardMatches(pattern: string, text: string): boolean {
  let [at, next] = [0, 0];
  // The last star and how far it reaches: an earlier one never has to reach further.
  let [star, reached] = [-1, 0];
  while (at < text.length) {
    const wanted = pattern[next];
    if (wanted === '*') {
      [star, reached] = [next, at];
      next += 1;
    } else if (wanted !== undefined && (wanted === '?' || wanted === text[at])) {
      at += 1;
      next += 1;
    } else if (star === -1) {
      return false;
    } else {
      reached += 1;
      [next, at] = [star + 1, reached];
    }
  }
  while (pattern[next] === '*') next += 1;
  return next === pattern.length;
}
