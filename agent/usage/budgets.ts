/**
 * What the node may use, by its own file and by the hub's word, the lower of both; how hard that presses; and what is told of it. Holds
 * the strain, so that it does not swing; decides with pure functions.
 */
import {
  budgetUses,
  lowerBudget,
  NO_BUDGET,
  type Budget,
  type BudgetName,
  type BudgetUse,
} from '../../protocol/budget.js';
import { bytesText } from '../../protocol/usage.js';
import type { SourceCondition } from '../ports.js';
import { OUTCOME_MS, PACES, strainOf, type Pace, type Strain } from '../report/pace.js';
import type { Meter } from './meter.js';

export interface BudgetsOptions {
  readonly own: Budget;
  /** Of the accepted assignment. */
  readonly ofHub: () => Budget;
  readonly meter: Pick<Meter, 'ledger'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const HOUR_MS = 3_600_000;

const TYPE: Readonly<Record<BudgetName, string>> = {
  link: 'LinkBudgetLow',
  writes: 'WriteBudgetLow',
};
export const BUDGET_CONDITIONS: readonly string[] = Object.values(TYPE);

export class Budgets {
  readonly #options: BudgetsOptions;
  #strain: Readonly<Record<BudgetName, Strain>> = { link: 0, writes: 0 };

  constructor(options: BudgetsOptions) {
    this.#options = options;
  }

  /** In force; the lower one counts. */
  inForce(): Budget {
    return lowerBudget(this.#options.own, this.#options.ofHub());
  }

  /** How often to speak and to write. */
  pace(): Pace {
    const { link, writes } = this.#look();
    const [ofLink, ofWrites] = [paceOf(link), paceOf(writes)];
    const { statusEveryMs, gatherMs } = ofLink;
    return { statusEveryMs, gatherMs, writeMs: ofWrites.writeMs };
  }

  conditions(): SourceCondition[] {
    const strain = this.#look();
    return [...this.#uses()].flatMap(([name, use]) =>
      strain[name] === 0 ? [] : [condition(name, use, strain[name])],
    );
  }

  #look(): Readonly<Record<BudgetName, Strain>> {
    const uses = this.#uses();
    const of = (name: BudgetName): Strain => {
      const use = uses.get(name);
      return use === undefined ? 0 : strainOf(this.#strain[name], use);
    };
    this.#strain = { link: of('link'), writes: of('writes') };
    return this.#strain;
  }

  #uses(): ReadonlyMap<BudgetName, BudgetUse> {
    const { meter, now } = this.#options;
    const budget = this.inForce();
    // Nobody is asked what was written where it does not matter.
    if (budget.link === null && budget.writes === null) return new Map();
    return budgetUses(meter.ledger().counts, budget, now());
  }
}

/** For a node without any. */
export const UNLIMITED: Pick<Budgets, 'inForce' | 'pace' | 'conditions'> = {
  inForce: () => NO_BUDGET,
  pace: () => paceOf(0),
  conditions: () => [],
};

function paceOf(strain: Strain): Pace {
  return PACES[strain] ?? { statusEveryMs: HOUR_MS, gatherMs: 0, writeMs: 0 };
}

/** Without numbers that move: each other sentence is another status. */
function condition(name: BudgetName, use: BudgetUse, strain: Strain): SourceCondition {
  const { statusEveryMs, gatherMs, writeMs } = paceOf(strain);
  const isLink = name === 'link';
  const budget = `${bytesText(use.budget)} a ${isLink ? 'month' : 'day'}`;
  const isSpent = use.used >= use.budget;
  const state = isSpent ? `all of ${budget} is used` : `more than ${budget} is to be expected`;
  const outcome = `rollouts within ${Math.min(OUTCOME_MS, gatherMs) / 60_000} min`;
  const effect = isLink
    ? `a status every ${statusEveryMs / HOUR_MS} h, changes within ${gatherMs / 60_000} min, ${outcome}`
    : `events are written down within ${writeMs / 1000} s`;
  return {
    type: TYPE[name],
    status: 'True',
    reason: isSpent ? 'BudgetExceeded' : 'ForecastAboveBudget',
    message: `${state}: ${effect}; assignments and their content come all the same`,
  };
}
