/**
 * How much of its link a node may use in a month, and how much it may write in a day: how that is written, how it reaches the node (as
 * parameters of its assignment), and what is to be expected of it. Months and days are those of UTC. Pure.
 */
import { parseQuantityWhole, QuantityError } from './quantity.js';
import { bytesText, linkTotal, type UsageCounts } from './usage.js';

/** Bytes; null: no budget. */
export interface Budget {
  /** A month. */
  readonly link: number | null;
  /** A day. */
  readonly writes: number | null;
}

export type BudgetName = keyof Budget;

export const NO_BUDGET: Budget = { link: null, writes: null };
export const BUDGET_NAMES: readonly BudgetName[] = ['link', 'writes'];

/** Of an assignment's parameters, and of the Node's annotations at the hub. */
export const BUDGET_PARAMETER: Readonly<Record<BudgetName, string>> = {
  link: 'flotilla.dev/link-budget',
  writes: 'flotilla.dev/write-budget',
};

const PERIOD: Readonly<Record<BudgetName, 'month' | 'day'>> = { link: 'month', writes: 'day' };

/** For whoever wrote something else. */
export function budgetForm(name: BudgetName): string {
  return name === 'link'
    ? 'bytes per month, such as 20Mi or 20Mi/month'
    : 'bytes per day, such as 2Mi or 2Mi/day';
}

/** `20Mi`, `20Mi/month`: bytes; null for anything else, and for less than one. */
export function readBudget(name: BudgetName, text: string): number | null {
  const [quantity = '', period = PERIOD[name], ...more] = text.split('/');
  if (period !== PERIOD[name] || more.length > 0) return null;
  try {
    const bytes = parseQuantityWhole(quantity);
    return bytes >= 1 ? bytes : null;
  } catch (error) {
    if (!(error instanceof QuantityError)) throw error;
    return null;
  }
}

const LEAST_BYTES = 64 * 1024;

/** Quantities have no letter for bytes: who writes `20MB` or `20MiB` means `20M` or `20Mi`. */
function quantityMeant(quantity: string): string {
  const [, digits, unit = '', binary] = /^(\d{1,9}) ?([kKmMgG])(i?)[bB]$/.exec(quantity) ?? [];
  if (digits === undefined) return '';
  const letter = unit.toLowerCase() === 'k' && binary === '' ? 'k' : unit.toUpperCase();
  return `: did you mean ${digits}${letter}${binary}?`;
}

/** Of what a person says: less than 64Ki is a unit that was forgotten. The end of a sentence that begins with the text; null: none. Pure. */
export function budgetFault(name: BudgetName, text: string): string | null {
  const bytes = readBudget(name, text);
  const [quantity = ''] = text.split('/');
  if (bytes === null) return `not ${budgetForm(name)}${quantityMeant(quantity)}`;
  if (bytes >= LEAST_BYTES) return null;
  const meant = /^\d{1,4}$/.test(quantity) ? `: did you mean ${quantity}Mi?` : '';
  return `less than 64Ki a ${PERIOD[name]}${meant}`;
}

/** What does not read is no budget: a node never stands still for it. */
export function budgetOf(parameters: Readonly<Record<string, string>>): Budget {
  const of = (name: BudgetName) => {
    const text = parameters[BUDGET_PARAMETER[name]];
    return text === undefined ? null : readBudget(name, text);
  };
  return { link: of('link'), writes: of('writes') };
}

/** Of two words on the same node the lower one counts. */
export function lowerBudget(one: Budget, other: Budget): Budget {
  const lower = (name: BudgetName) => {
    const both = [one[name], other[name]].filter(bytes => bytes !== null);
    return both.length === 0 ? null : Math.min(...both);
  };
  return { link: lower('link'), writes: lower('writes') };
}

/** Of the period that a budget is for. */
export interface BudgetUse {
  readonly used: number;
  readonly budget: number;
  /** The part of the period that is over: 0 to 1. */
  readonly passed: number;
}

/** By name; without those that have no budget. `at`: milliseconds since 1970. */
export function budgetUses(
  counts: UsageCounts,
  budget: Budget,
  at: number,
): ReadonlyMap<BudgetName, BudgetUse> {
  const uses = new Map<BudgetName, BudgetUse>();
  const { link, writes } = budget;
  if (link !== null) {
    uses.set('link', { used: linkTotal(counts)[1], budget: link, passed: passedOfMonth(at) });
  }
  if (writes !== null) {
    uses.set('writes', { used: counts.written?.[0] ?? 0, budget: writes, passed: passedOfDay(at) });
  }
  return uses;
}

const DAY_MS = 86_400_000;
/** What happens at the beginning of a period is not taken for what goes on for the rest of it. */
const PASSED_LEAST = 0.1;

export function passedOfDay(at: number): number {
  return (((at % DAY_MS) + DAY_MS) % DAY_MS) / DAY_MS;
}

export function passedOfMonth(at: number): number {
  const date = new Date(at);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const [begin, end] = [Date.UTC(year, month), Date.UTC(year, month + 1)];
  return (at - begin) / (end - begin);
}

/** Used at the end of the period, if it goes on as so far: linear; of its first tenth, as if it were over. */
export function expectedUse({ used, passed }: Pick<BudgetUse, 'used' | 'passed'>): number {
  const rate = used / Math.max(passed, PASSED_LEAST);
  return used + rate * (1 - Math.max(passed, 0));
}

/** How many times as fast it is used up as what is left allows; 0: nothing was used; infinite: nothing is left. */
export function pressure({ used, budget, passed }: BudgetUse): number {
  const left = budget - used;
  if (left <= 0) return Number.POSITIVE_INFINITY;
  const toCome = (used / Math.max(passed, PASSED_LEAST)) * (1 - Math.min(1, passed));
  return toCome / left;
}

/** A line each: what is left, and what is to be expected. */
export function budgetLines(counts: UsageCounts, budget: Budget, at: number): string[] {
  return [...budgetUses(counts, budget, at)].map(([name, use]) => {
    const percent = Math.round((use.used / use.budget) * 100);
    const label = name === 'link' ? 'Link budget' : 'Write budget';
    const span = `this ${PERIOD[name]}`;
    const used = `${bytesText(use.used)} of ${bytesText(use.budget)} used ${span} (${percent} %)`;
    return `${label}: ${used}, ${bytesText(expectedUse(use))} expected`;
  });
}
