/** Holds back what is new, together with what comes after it, for as long as the pace allows. Its one state is since when. */
import { canonicalJson } from '../../protocol/canonical.js';
import type { StatusDocument } from '../../protocol/documents/node.js';
import { BUDGET_CONDITIONS } from '../usage/budgets.js';
import { waitMs, type News, type Pace } from './pace.js';

/** What a node speaks less for is said at once, or nobody would know why it is silent. */
const urgent = ({ lastRefusal, conditions }: StatusDocument) => [
  // Of each kind the first: a broker can make as many of one as it likes.
  lastRefusal && [lastRefusal.code, lastRefusal.topic],
  conditions
    .filter(({ type }) => BUDGET_CONDITIONS.includes(type))
    .map(({ type, reason, message }) => [type, reason, message]),
];

const outcome = ({ epoch, generation, rootVersion, bundles }: StatusDocument) => {
  return [epoch, generation, rootVersion, bundles];
};

function isOther(
  one: StatusDocument,
  other: StatusDocument,
  of: (status: StatusDocument) => unknown,
): boolean {
  return canonicalJson(of(one)) !== canonicalJson(of(other));
}

/** What is new in a status since the one that was said; null: nothing. `isMore`: something beside that is. Pure. */
export function newsOf(
  status: StatusDocument,
  said: StatusDocument | null,
  isMore: boolean,
): News | null {
  if (said === null || isOther(status, said, urgent)) return 'refusal';
  if (isOther(status, said, outcome)) return 'outcome';
  return isMore ? 'change' : null;
}

export class Gathering {
  #since: number | null = null;

  /** In how many milliseconds it is to be said; 0: now. */
  leftMs(news: News | null, pace: Pace, now: number): number {
    if (news === null) return 0;
    this.#since ??= now;
    const left = Math.max(0, this.#since + waitMs(news, pace) - now);
    if (left === 0) this.said();
    return left;
  }

  /** Everything was. */
  said(): void {
    this.#since = null;
  }
}
