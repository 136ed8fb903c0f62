/**
 * What was counted, by name and period: today, this month, in all (UTC). A clock that is put right by what the hub proved takes nothing
 * away; one that merely says something earlier is not believed. Pure.
 */
import type { UsageCounts, UsageName, UsageRow } from '../../protocol/usage.js';

export interface Ledger {
  /** Milliseconds since 1970 of the first count. */
  readonly since: number;
  /** `2026-11-22`: the day that is counted; its month is the month. */
  readonly day: string;
  readonly counts: UsageCounts;
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
  if (day === ledger.day) return ledger;
  if (day < ledger.day) {
    return isProven ? { ...ledger, day, since: Math.min(ledger.since, at) } : ledger;
  }
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
    const { since, day, counts } = JSON.parse(text) as Partial<Ledger>;
    const isSound =
      typeof since === 'number' &&
      typeof day === 'string' &&
      /^\d{4}-\d\d-\d\d$/.test(day) &&
      Object.values(counts ?? { none: null }).every(isRow);
    return isSound ? { since, day, counts: counts ?? {} } : null;
  } catch {
    return null;
  }
}

function isRow(row: unknown): boolean {
  return Array.isArray(row) && row.length === 3 && row.every(one => Number.isSafeInteger(one));
}
