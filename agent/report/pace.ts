/**
 * How often a node speaks when its budget shrinks: five paces, from everything at once to a status a day. A refusal is told at once at
 * every pace, what became of a rollout within five minutes. Pure.
 */
import { pressure, type BudgetUse } from '../../protocol/budget.js';

/** 0: there is plenty. 4: nothing is left, or nearly. */
export type Strain = 0 | 1 | 2 | 3 | 4;

export interface Pace {
  /** A status is said at least as often. */
  readonly statusEveryMs: number;
  /** Changes and events are gathered for so long. */
  readonly gatherMs: number;
  /** Events are gathered for so long before they are written down. */
  readonly writeMs: number;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

export const PACES: readonly Pace[] = [
  { statusEveryMs: HOUR_MS, gatherMs: 0, writeMs: 0 },
  { statusEveryMs: 2 * HOUR_MS, gatherMs: MINUTE_MS, writeMs: 5 * SECOND_MS },
  { statusEveryMs: 4 * HOUR_MS, gatherMs: 5 * MINUTE_MS, writeMs: 30 * SECOND_MS },
  { statusEveryMs: 8 * HOUR_MS, gatherMs: 15 * MINUTE_MS, writeMs: 2 * MINUTE_MS },
  { statusEveryMs: 24 * HOUR_MS, gatherMs: HOUR_MS, writeMs: 5 * MINUTE_MS },
];

/** What became of a rollout waits no longer. */
export const OUTCOME_MS = 5 * MINUTE_MS;

/** From which pressure on each strain begins, and, to end it, how far below that it has to fall. */
const BEGINS: readonly number[] = [0, 1, 2, 4, 8];
const ENDS = 0.8;

/** Rises at once, falls when the pressure is clearly less: nothing swings at a limit. */
export function strainOf(before: Strain, use: BudgetUse): Strain {
  const now = pressure(use);
  const risen = BEGINS.findLastIndex(begin => now >= begin || begin === 0);
  if (risen >= before) return risen as Strain;
  const kept = BEGINS.findLastIndex(
    (begin, at) => at <= before && (now >= begin * ENDS || at === 0),
  );
  return kept as Strain;
}

export type News = 'refusal' | 'outcome' | 'change';

/** How long what is new may be gathered with what comes. */
export function waitMs(news: News, { gatherMs }: Pace): number {
  if (news === 'refusal') return 0;
  return news === 'outcome' ? Math.min(OUTCOME_MS, gatherMs) : gatherMs;
}
