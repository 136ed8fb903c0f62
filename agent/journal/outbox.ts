/**
 * Events that the hub has not confirmed yet, numbered from 1 within a journal, and the newest of those that it has,
 * for a person at the device. A number is never used twice; an event leaves the outbox only by the hub's
 * acknowledgement or, when the outbox is full, as the oldest (which the hub then learns).
 */
import type { NewEvent } from '../ports.js';
import type { Machine } from '../time/machine.js';
import type { EventRecord } from '../../protocol/documents/node.js';
import { cutTo } from '../../protocol/excerpt.js';
import type { Connection } from './database.js';
import { getMeta, setMeta } from './meta.js';

/** About 3 MB: a node that was dark for months does not fill its disk. */
export const EVENTS_MAX = 10_000;

/** Kept for `flotilla-agent events`, although the hub has them. */
export const EVENTS_SHOWN = 1_000;

/** Under this name: the number up to which the hub has all events. */
const CONFIRMED = 'confirmed';

const LENGTHS = { message: 1024, reason: 128, namespace: 63, name: 320, uid: 64, fieldPath: 512 };

/** The wire's limits, so that one long message never blocks the outbox. */
function fitted(event: NewEvent): Omit<EventRecord, 'n' | 'at'> {
  const { involved } = event;
  return {
    type: event.type,
    reason: cutTo(event.reason, LENGTHS.reason),
    message: cutTo(event.message, LENGTHS.message),
    involved: {
      kind: involved.kind,
      namespace: cutTo(involved.namespace, LENGTHS.namespace),
      name: cutTo(involved.name, LENGTHS.name),
      uid: cutTo(involved.uid, LENGTHS.uid),
      fieldPath: cutTo(involved.fieldPath, LENGTHS.fieldPath),
    },
  };
}

/** When something happened, by the clocks of this machine. */
export interface Moment {
  /** The system clock, milliseconds since 1970: right or wrong. */
  readonly at: number;
  /** Milliseconds of uptime, and of which run of the machine; null: not known. */
  readonly machine: string | null;
  readonly uptime: number | null;
}

export function momentOf(at: number, machine: Machine | null): Moment {
  return { at, machine: machine?.bootId ?? null, uptime: machine?.uptimeMs() ?? null };
}

/** Milliseconds since 1970 of a moment, as it is told. */
export type TimeOf = (moment: Moment) => number;

export function appendEvent(db: Connection, { at, machine, uptime }: Moment, event: NewEvent) {
  const { lastInsertRowid } = db
    .prepare('INSERT INTO events (at, event, machine, uptime) VALUES (?, ?, ?, ?)')
    .run(at, JSON.stringify(fitted(event)), machine, uptime === null ? null : Math.round(uptime));
  const n = Number(lastInsertRowid);
  db.prepare('DELETE FROM events WHERE n <= ?').run(n - EVENTS_MAX);
  return n;
}

export interface EventQuery {
  readonly after: number;
  readonly limit: number;
  /** Without it the system clock's word stands. */
  readonly timeOf?: TimeOf | undefined;
}

/** In order, after number `after`. */
export function readEvents(db: Connection, query: EventQuery): EventRecord[] {
  const { after, limit, timeOf = ({ at }: Moment) => at } = query;
  const rows = db.prepare('SELECT * FROM events WHERE n > ? ORDER BY n LIMIT ?').all(after, limit);
  return (rows as ({ n: number; event: string } & Moment)[]).map(({ n, event, ...moment }) => ({
    n,
    at: new Date(timeOf(moment)).toISOString(),
    ...(JSON.parse(event) as Omit<EventRecord, 'n' | 'at'>),
  }));
}

/** The newest number given out; 0 before the first. */
export function newestEvent(db: Connection): number {
  const row = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'").get();
  return (row as { seq: number } | undefined)?.seq ?? 0;
}

/** The lowest number that is not confirmed; with none, the next to come. */
export function oldestEvent(db: Connection): number {
  const sql = 'SELECT min(n) AS n FROM events WHERE n > ?';
  const row = db.prepare(sql).get(confirmed(db)) as { n: number | null };
  return row.n ?? newestEvent(db) + 1;
}

/** The hub has all events up to this number; the newest stay readable here. */
export function dropEvents(db: Connection, through: number): void {
  setMeta(db, CONFIRMED, String(through));
  db.prepare('DELETE FROM events WHERE n <= ? AND n <= ?').run(
    through,
    newestEvent(db) - EVENTS_SHOWN,
  );
}

/** The newest, oldest first, whether the hub has them or not. */
export function recentEvents(db: Connection, limit: number = EVENTS_SHOWN): EventRecord[] {
  return readEvents(db, { after: Math.max(0, newestEvent(db) - limit), limit });
}

function confirmed(db: Connection): number {
  return Number(getMeta(db, CONFIRMED) ?? 0);
}

/** Begins again at 1 with what is still here: numbers belong to a journal id. */
export function renumber(db: Connection): void {
  const rows = db
    .prepare('SELECT at, event, machine, uptime FROM events WHERE n > ? ORDER BY n')
    .all(confirmed(db));
  setMeta(db, CONFIRMED, '0');
  db.exec("DELETE FROM events; DELETE FROM sqlite_sequence WHERE name = 'events'");
  const sql =
    'INSERT INTO events (at, event, machine, uptime) VALUES (@at, @event, @machine, @uptime)';
  const insert = db.prepare(sql);
  for (const row of rows) insert.run(row);
}
