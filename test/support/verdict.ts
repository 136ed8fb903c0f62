/** What became of a document, in one word. */
import type { Result } from '../../protocol/refusal.js';

/** `accepted`, or the code of the refusal. */
export function codeOf(result: Result<unknown>): string {
  return result.ok ? 'accepted' : result.refusal.code;
}
