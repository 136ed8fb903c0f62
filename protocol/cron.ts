/**
 * Cron expressions of five fields (and `@daily` and its like), read by node-cron, matched against the calendar here: no clock, no
 * zone. Days: `L`, `L-3`, `15W`, `LW`, `1#2`, `5L` as node-cron has them. Day of month and day of week together are refused,
 * for crontab means either and others mean both. Pure.
 */
import { validateDetailed } from 'node-cron';
import { DAY_MS } from './zone-time.js';

export interface CronSchedule {
  /** Minutes since midnight, ascending. */
  readonly minutes: readonly number[];
  /** `day`: days since 1970. */
  readonly isDay: (day: number) => boolean;
}

/** After so many years every date falls on every day of the week, leap days too. */
const CALENDAR_DAYS = 28 * 366;
const YEAR_2000 = Date.UTC(2000, 0, 1) / DAY_MS;

const FIELD_NAMES: Readonly<Record<string, string>> = {
  minute: 'minute',
  hour: 'hour',
  dayOfMonth: 'day of month',
  month: 'month',
  dayOfWeek: 'day of week',
};

/** Text: what is wrong with it, as the end of a sentence that begins with the expression. */
export function parseCron(expression: string): CronSchedule | string {
  const text = expression.trim().replace(/\s+/g, ' ');
  const count = text.split(' ').length;
  if (!text.startsWith('@') && count !== 5) {
    return `has ${text === '' ? 0 : count} fields, a schedule has five: minute, hour, day of month, month, day of week`;
  }
  const { fields, errors } = validateDetailed(text);
  const [fault] = errors;
  if (fault ?? !fields) {
    const field = FIELD_NAMES[fault?.field ?? ''];
    return field === undefined
      ? 'is no cron expression, such as "0 2 * * sun"'
      : `has no valid ${field} ("${fault?.value ?? ''}")`;
  }
  const { minute, hour, dayOfMonth, month, dayOfWeek } = fields;
  const isAnyDate = new Set(dayOfMonth).size === 31;
  const isAnyWeekday = new Set(dayOfWeek).size === 7;
  if (!isAnyDate && !isAnyWeekday) {
    return (
      'names days of the month and days of the week, which crontab takes as either and others as both: leave one of ' +
      'them *; the first Sunday of a month is 0#1, the last 0L'
    );
  }
  const times = hour.flatMap(h => minute.map(m => h * 60 + m));
  const isDay = (day: number) => {
    const date = dateOf(day);
    return (
      month.includes(date.month) &&
      (isAnyDate || dayOfMonth.some(token => isDate(token, date))) &&
      (isAnyWeekday || dayOfWeek.some(token => isWeekday(token, date)))
    );
  };
  if (!isEver(isDay)) return 'names a day that no calendar has';
  return { minutes: [...new Set(times)].sort((a, b) => a - b), isDay };
}

interface CalendarDate {
  readonly month: number;
  readonly date: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  readonly daysInMonth: number;
}

function dateOf(day: number): CalendarDate {
  const at = new Date(day * DAY_MS);
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
  const daysInMonth = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return { month: month + 1, date: at.getUTCDate(), weekday: at.getUTCDay(), daysInMonth };
}

function isDate(token: number | string, { date, weekday, daysInMonth }: CalendarDate): boolean {
  if (typeof token === 'number') return date === token;
  if (token === 'L') return date === daysInMonth;
  const [, before] = /^L-(\d+)$/.exec(token) ?? [];
  if (before !== undefined) return date === daysInMonth - Number(before);
  const [, near] = /^(L|\d+)W$/.exec(token) ?? [];
  if (near === undefined) return false;
  const target = near === 'L' ? daysInMonth : Number(near);
  return target <= daysInMonth && date === nearestWorkday(target, { date, weekday, daysInMonth });
}

/** Monday to Friday, without leaving the month. */
function nearestWorkday(
  target: number,
  { date, weekday, daysInMonth }: Omit<CalendarDate, 'month'>,
): number {
  const targetWeekday = (((weekday + target - date) % 7) + 7) % 7;
  if (targetWeekday === 6) return target > 1 ? target - 1 : target + 2;
  if (targetWeekday === 0) return target < daysInMonth ? target + 1 : target - 2;
  return target;
}

function isWeekday(token: number | string, { date, weekday, daysInMonth }: CalendarDate): boolean {
  if (typeof token === 'number') return weekday === token;
  const [, day, nth] = /^(\d)(?:#(\d)|L)$/i.exec(token) ?? [];
  if (Number(day) % 7 !== weekday) return false;
  return nth === undefined ? date > daysInMonth - 7 : Math.ceil(date / 7) === Number(nth);
}

function isEver(isDay: (day: number) => boolean): boolean {
  for (let i = 0; i < CALENDAR_DAYS; i++) if (isDay(YEAR_2000 + i)) return true;
  return false;
}
