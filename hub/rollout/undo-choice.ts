/** Which earlier revision an undo means, and of what neither undo nor restart makes another revision. Pure. */
import type { Outcome } from './history.js';
import type { Withdrawal } from './withdrawn.js';

/** A revision of the bundle, as its history has it. */
export interface Choosable {
  readonly revision: number;
  readonly isNewest: boolean;
  readonly outcome: Outcome;
  readonly withdrawal: Pick<Withdrawal, 'reason' | 'message'> | null;
}

export type Choice =
  | { readonly ok: true; readonly revision: number }
  /** What is in the way, and what to do instead. */
  | { readonly ok: false; readonly isMissing: boolean; readonly refusal: string };

export interface Choosing {
  /** `bundle/web -n default`. */
  readonly what: string;
  /** Ascending. */
  readonly revisions: readonly Choosable[];
  /** Null: the last one that went well. */
  readonly asked: number | null;
  /** What the rollout under way falls back to: it was complete, whatever the history knows. Null: none. */
  readonly base: number | null;
}

/** A revision that nobody is known to have been well with is taken only where a person names it. */
export function undoChoice({ what, revisions, asked, base }: Choosing): Choice {
  const newest = revisions.find(({ isNewest }) => isNewest)?.revision ?? 0;
  const history = `flotilla rollout history ${what}`;
  if (asked === null) {
    const wentWell = revisions.filter(({ revision, outcome, withdrawal }) => {
      const isDone = outcome === 'completed' || outcome === 'atOnce' || revision === base;
      return revision < newest && isDone && !isBanned(withdrawal);
    });
    const last = wentWell[wentWell.length - 1];
    if (last !== undefined) return { ok: true, revision: last.revision };
    return refused(
      `no revision before ${newest} is known to have gone well; say which: --to-revision N (${history})`,
    );
  }
  if (asked === newest) return refused(`revision ${asked} is the newest: there is nothing to undo`);
  const found = revisions.find(({ revision }) => revision === asked);
  if (found === undefined) {
    return { ok: false, isMissing: true, refusal: `there is no revision ${asked} (${history})` };
  }
  const { withdrawal } = found;
  if (!isBanned(withdrawal)) return { ok: true, revision: asked };
  return refused(`${bannedText(asked, withdrawal)}; choose another (${history})`);
}

/** Why the newest revision is not made anew; null: it may be. */
export function restartRefusal({
  what,
  newest,
}: {
  what: string;
  newest: Choosable;
}): string | null {
  const { revision, outcome, withdrawal } = newest;
  if (isBanned(withdrawal)) return `${bannedText(revision, withdrawal)}; apply another`;
  if (outcome === 'aborted') {
    return `revision ${revision} was aborted, and nobody begins with it again: apply another, or flotilla rollout undo ${what}`;
  }
  if (outcome !== 'paused') return null;
  return `revision ${revision} is paused: flotilla rollout resume ${what} first, or abort`;
}

type Seen = Choosable['withdrawal'];

/** What merely lacks signatures is signed anew with what is made of it. */
function isBanned(withdrawal: Seen): withdrawal is NonNullable<Seen> {
  return withdrawal !== null && withdrawal.reason !== 'NotSigned';
}

function bannedText(revision: number, { message }: NonNullable<Seen>): string {
  return `the root withdraws revision ${revision} (${message}), and it is not made anew`;
}

function refused(refusal: string): Choice {
  return { ok: false, isMissing: false, refusal };
}
