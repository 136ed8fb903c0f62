/**
 * Events that the hub has not confirmed yet, numbered from 1 within a journal, and the newest of those that it has,
 * for a person at the device. A number is never used twice; an event leaves the outbox only by the hub's
 * acknowledgement or, when the outbox is full, as the oldest, which an event in its place tells the hub.
 */
import type { NewEvent } from '../ports.js';
import type { Machine } from '../time/machine.js';
import type { EventRecord } from '../../protocol/documents/node.js';
import { cutTo } from '../../protocol/excerpt.js';
import type { Connection } from './database.js';
import { droppedEvent, withDropped, type DroppedEvents } from './dropped-events.js';
import { getMeta, setMeta } from './meta.js';
import type { OutboxExtent } from './retention.js';

/** Kept for `flotilla-agent events`, although the hub has them. */
export const EVENTS_SHOWN = 1_000;

/** Under this name: the number up to which the hub has all events. */
const CONFIRMED = 'confirmed';
/** Under this name, as JSON: what was dropped, and the number of the event that tells of it. */
const DROPPED = 'dropped-events';
const FULL = 'the outbox was full';

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
    ...(event.output ? { output: event.output } : {}),
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

/** With the date of the rows that are written with it. */
export interface Stamped extends Moment {
  /** Milliseconds since 1970. */
  readonly stamp: number;
  /** What the root proves to be past, milliseconds since 1970; 0: nothing is known. */
  readonly floor: number;
}

export function momentOf(at: number, machine: Machine | null): Moment {
  return { at, machine: machine?.bootId ?? null, uptime: machine?.uptimeMs() ?? null };
}

/** Milliseconds since 1970 of a moment, as it is told. */
export type TimeOf = (moment: Moment) => number;

export function appendEvent(
  db: Connection,
  { at, machine, uptime }: Moment,
  event: NewEvent,
): void {
  db.prepare('INSERT INTO events (at, event, machine, uptime) VALUES (?, ?, ?, ?)').run(
    at,
    JSON.stringify(fitted(event)),
    machine,
    uptime === null ? null : Math.round(uptime),
  );
}

/** What waits for the hub. */
export function outboxExtent(db: Connection, countBytes: boolean): OutboxExtent {
  const known = confirmed(db);
  const bytes = () => {
    const sql = 'SELECT coalesce(sum(length(event)), 0) AS bytes FROM events WHERE n > ?';
    return (db.prepare(sql).get(known) as { bytes: number }).bytes;
  };
  const count = newestEvent(db) - oldestEvent(db) + 1;
  return { count, bytes: countBytes ? bytes() : null };
}

/**
 * The oldest that the hub does not have are dropped; the last of them becomes the event that tells of all that were dropped and have
 * not been told yet. Part of the caller's transaction.
 */
export function dropOldestEvents(db: Connection, count: number, node: string): void {
  const known = confirmed(db);
  const rows = db
    .prepare('SELECT n, at, event FROM events WHERE n > ? ORDER BY n LIMIT ?')
    .all(known, count) as { n: number; at: number; event: string }[];
  const last = rows.at(-1);
  if (last === undefined) return;
  const before = toldDrop(db);
  let dropped: DroppedEvents | null = before !== null && before.n > known ? before.dropped : null;
  for (const { n, at, event } of rows) {
    if (n === before?.n) continue;
    const { reason } = JSON.parse(event) as Pick<EventRecord, 'reason'>;
    dropped = withDropped(dropped, { at, reason });
  }
  if (dropped === null) return;
  db.prepare('DELETE FROM events WHERE n < ?').run(last.n);
  const told = JSON.stringify(fitted(droppedEvent(dropped, { node, why: FULL })));
  db.prepare('UPDATE events SET event = ? WHERE n = ?').run(told, last.n);
  setMeta(db, DROPPED, JSON.stringify({ n: last.n, dropped }));
}

function toldDrop(db: Connection): { readonly n: number; readonly dropped: DroppedEvents } | null {
  const text = getMeta(db, DROPPED);
  return text === null ? null : (JSON.parse(text) as { n: number; dropped: DroppedEvents });
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
  const shown = newestEvent(db) - EVENTS_SHOWN;
  const { n: first } = db.prepare('SELECT min(n) AS n FROM events').get() as { n: number | null };
  // In steps: what is confirmed one by one is not deleted one by one.
  if (first === null || Math.min(through, shown) - first < EVENTS_SHOWN / 10) return;
  db.prepare('DELETE FROM events WHERE n <= ? AND n <= ?').run(through, shown);
}

/** The newest, oldest first, whether the hub has them or not. */
export function recentEvents(
  db: Connection,
  { limit = EVENTS_SHOWN, timeOf }: Partial<Pick<EventQuery, 'limit' | 'timeOf'>> = {},
): EventRecord[] {
  return readEvents(db, { after: Math.max(0, newestEvent(db) - limit), limit, timeOf });
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
  setMeta(db, DROPPED, null);
  db.exec("DELETE FROM events; DELETE FROM sqlite_sequence WHERE name = 'events'");
  const sql =
    'INSERT INTO events (at, event, machine, uptime) VALUES (@at, @event, @machine, @uptime)';
  const insert = db.prepare(sql);
  for (const row of rows) insert.run(row);
}
