/**
 * What was counted, by name and period: today, this month, in all (UTC). A clock that is put right by what the hub proved takes nothing
 * away; one that merely says something earlier is not believed, and one that merely says something later is until something better is
 * known: then what was counted before and since then belongs to the day that is proven. Pure.
 */
import type { UsageCounts, UsageName, UsageRow } from '../../protocol/usage.js';

export interface Ledger {
  /** Milliseconds since 1970 of the first count. */
  readonly since: number;
  /** `2026-11-22`: the day that is counted; its month is the month. */
  readonly day: string;
  readonly counts: UsageCounts;
  /** As it stood when a later day began that nobody has vouched for since; left out: the day is sure. */
  readonly sure?: Pick<Ledger, 'day' | 'counts'>;
}

/** The time, and whether the hub or a disciplined clock vouches for it. */
export interface LedgerTime {
  readonly at: number;
  readonly isProven: boolean;
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

export function newLedger({ at }: Pick<LedgerTime, 'at'>): Ledger {
  return { since: at, day: dayOf(at), counts: {} };
}

/** The ledger of that time: a later day or month begins at zero. */
export function rolledTo(ledger: Ledger, { at, isProven }: LedgerTime): Ledger {
  const day = dayOf(at);
  if (!isProven) {
    if (day <= ledger.day) return ledger;
    const { sure = { day: ledger.day, counts: ledger.counts } } = ledger;
    return { ...advanced(ledger, day), sure };
  }
  if (day === ledger.day && ledger.sure === undefined) return ledger;
  const { sure, ...plain } = ledger;
  if (day >= ledger.day) return advanced(plain, day);
  const since = Math.min(ledger.since, at);
  if (sure === undefined) return { ...plain, day, since };
  const before = advanced({ since, ...sure }, day);
  return Object.entries(ledger.counts).reduce((right, [name, [, , all]]) => {
    const [, , known] = sure.counts[name as UsageName] ?? [0, 0, 0];
    return counted(right, name as UsageName, all - known);
  }, before);
}

/** What is of an earlier day than the ledger's counts as of the ledger's. */
function advanced(ledger: Ledger, day: string): Ledger {
  if (day === ledger.day) return ledger;
  if (day < ledger.day) return { ...ledger, day };
  const isSameMonth = day.slice(0, 7) === ledger.day.slice(0, 7);
  const counts = Object.entries(ledger.counts).map(([name, [, month, all]]) => {
    return [name, [0, isSameMonth ? month : 0, all]];
  });
  return { ...ledger, day, counts: Object.fromEntries(counts) as UsageCounts };
}

export function counted(ledger: Ledger, name: UsageName, bytes: number): Ledger {
  if (bytes <= 0) return ledger;
  const [day, month, all] = ledger.counts[name] ?? [0, 0, 0];
  const row: UsageRow = [day + bytes, month + bytes, all + bytes];
  return { ...ledger, counts: { ...ledger.counts, [name]: row } };
}

/** As `JSON.stringify` of one; null for anything else: then counting begins anew. */
export function readLedger(text: string | null): Ledger | null {
  if (text === null) return null;
  try {
    const { since, day, counts, sure } = JSON.parse(text) as Partial<Ledger>;
    if (typeof since !== 'number' || !isDay({ day, counts })) return null;
    const former = isDay(sure) ? { sure: { day: sure.day, counts: sure.counts } } : {};
    return { since, day: day ?? '', counts: counts ?? {}, ...former };
  } catch {
    return null;
  }
}

function isDay(of: unknown): of is Pick<Ledger, 'day' | 'counts'> {
  if (typeof of !== 'object' || of === null) return false;
  const { day, counts } = of as Partial<Ledger>;
  return (
    typeof day === 'string' &&
    /^\d{4}-\d\d-\d\d$/.test(day) &&
    Object.values(counts ?? { none: null }).every(isRow)
  );
}

function isRow(row: unknown): boolean {
  return Array.isArray(row) && row.length === 3 && row.every(one => Number.isSafeInteger(one));
}
